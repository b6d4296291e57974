// Attention, number by number, in the order that CKernels.h gives.
#include "../tables.h"
#include "numbers.h"

enum { BLOCK = COHORT_ATTENTION_BLOCK };

static bool has_pairs(const cohort_attention *attention) { return attention->dtype == COHORT_BF16; }

static const uint8_t *position_at(const cohort_attention *attention, uint32_t position) {
    size_t row = position % attention->page_positions;
    const uint8_t *page = attention->pages[position / attention->page_positions];
    return page + attention->page_offset + row * (attention->latent + attention->rope) * (has_pairs(attention) ? 2 : 4);
}

// a * b + c as it is done for the cache's dtype.
static float fused(const cohort_attention *attention, float a, float b, float c) {
    return has_pairs(attention) ? flushing_fma(a, b, c) : fmaf(a, b, c);
}

static float product(const cohort_attention *attention, float a, float b) { return fused(attention, a, b, -0.0f); }

// The one of a pair that stands at `index` in the order of reduction.
static uint32_t in_order(const cohort_attention *attention, uint32_t index) {
    return has_pairs(attention) ? index ^ 1 : index;
}

static float score(const cohort_attention *attention, const void *query, uint32_t position) {
    const uint8_t *key = position_at(attention, position);
    float sum = 0.0f;
    for (uint32_t i = 0; i < attention->latent + attention->rope; i++) {
        uint32_t at = in_order(attention, i);
        sum = fused(attention, float_of(attention->dtype, query, at), float_of(attention->dtype, key, at), sum);
    }
    return product(attention, sum, attention->scale);
}

// Takes a part's maximum and total into those so far, and gives the factors for what is added up beside them.
static void join(float *maximum, float *total, float new_maximum, float new_total, float *old, float *new) {
    bool is_first = *total == 0.0f;
    float larger = is_first || new_maximum > *maximum ? new_maximum : *maximum;
    *old = is_first ? 0.0f : exp_scalar(*maximum - larger);
    *new = is_first ? 1.0f : exp_scalar(new_maximum - larger);
    *total = is_first ? new_total : fmaf(new_total, *new, *total * *old);
    *maximum = larger;
}

static float joined(const cohort_attention *attention, float sum, float part, float old, float new) {
    part += 0.0f;
    return old == 0.0f ? product(attention, part, new) : fused(attention, part, new, product(attention, sum, old));
}

static void weigh(const cohort_attention *attention, const void *query, uint32_t first, uint32_t count,
                  float weights[BLOCK], float *maximum, float *total) {
    float sums[LANES] = {0};
    *maximum = -INFINITY;
    for (uint32_t p = 0; p < count; p++) {
        weights[p] = score(attention, query, first + p);
        *maximum = weights[p] > *maximum ? weights[p] : *maximum;
    }
    for (uint32_t p = 0; p < BLOCK; p++) {
        weights[p] = p < count ? exp_scalar(weights[p] - *maximum) : 0.0f;
        if (has_pairs(attention)) weights[p] = float_of_bf16(bf16_of_float(weights[p]));
        sums[p % LANES] += weights[p];
    }
    *total = tree(sums);
}

static void attend_one(const cohort_attention *attention, const void *query, uint32_t first, uint32_t end,
                       float *maximum, float *total, float *latents) {
    float weights[BLOCK], old, new;
    *total = 0.0f;
    for (; first < end; first += BLOCK) {
        uint32_t count = end - first < BLOCK ? end - first : BLOCK;
        float block_maximum, block_total;
        weigh(attention, query, first, count, weights, &block_maximum, &block_total);
        join(maximum, total, block_maximum, block_total, &old, &new);
        for (uint32_t c = 0; c < attention->latent; c++) {
            float sum = 0.0f;
            for (uint32_t i = 0; i < BLOCK; i++) {
                uint32_t p = in_order(attention, i);
                if (p >= count) continue;
                float value = float_of(attention->dtype, position_at(attention, first + p), c);
                sum = fused(attention, weights[p], value, sum);
            }
            latents[c] = joined(attention, latents[c], sum, old, new);
        }
    }
}

void cohort_scalar_attend(const cohort_attention *attention, const cohort_queries *queries, uint32_t first,
                          uint32_t end, void *scratch, const cohort_attention_sums *sums) {
    (void)scratch;
    for (uint32_t t = 0; t < queries->tokens; t++)
        for (uint32_t h = 0; h < queries->heads; h++) {
            size_t value = t * queries->token_stride + h * (size_t)(attention->latent + attention->rope);
            size_t at = t * sums->token_stride + h;
            uint32_t last = queries->positions + t < end ? queries->positions + t : end;
            attend_one(attention, (const uint8_t *)queries->values + value * (has_pairs(attention) ? 2 : 4), first,
                       last, &sums->maxima[at], &sums->totals[at], sums->latents + at * attention->latent);
        }
}

void cohort_scalar_attend_join(const cohort_attention *attention, uint32_t queries, const cohort_attention_sums *part,
                               const cohort_attention_sums *sums) {
    for (size_t q = 0; q < queries; q++) {
        float old, new;
        if (part->totals[q] == 0.0f) continue;
        join(&sums->maxima[q], &sums->totals[q], part->maxima[q], part->totals[q], &old, &new);
        for (size_t c = q * attention->latent; c < (q + 1) * attention->latent; c++)
            sums->latents[c] = joined(attention, sums->latents[c], part->latents[c], old, new);
    }
}

void cohort_scalar_attend_end(const cohort_attention *attention, uint32_t queries, const cohort_attention_sums *sums) {
    for (size_t q = 0; q < queries; q++)
        for (size_t c = q * attention->latent; c < (q + 1) * attention->latent; c++)
            sums->latents[c] = product(attention, sums->latents[c], 1.0f / sums->totals[q]);
}
