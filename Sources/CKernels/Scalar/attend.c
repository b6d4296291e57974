// Attention, number by number, in the order that CKernels.h gives.
#include "../tables.h"
#include "numbers.h"

enum { BLOCK = COHORT_ATTENTION_BLOCK };

static const uint8_t *position_at(const cohort_attention *attention, uint32_t position) {
    size_t size = attention->dtype == COHORT_F32 ? 4 : 2;
    size_t row = position % attention->page_positions;
    const uint8_t *page = attention->pages[position / attention->page_positions];
    return page + row * (attention->latent + attention->rope) * size;
}

static float score(const cohort_attention *attention, uint32_t position, const float *query) {
    uint32_t width = attention->latent + attention->rope;
    cohort_matrix key = {.weights = position_at(attention, position), .row_stride = width, .dtype = attention->dtype,
                         .columns = width};
    cohort_rows row = {.values = query, .stride = width, .count = 1, .dtype = COHORT_F32};
    float product;
    cohort_scalar_product(&key, 0, 1, &row, &product, 1);
    return product * attention->scale;
}

static float block_total(const float weights[BLOCK]) {
    float sums[LANES];
    for (int l = 0; l < LANES; l++) sums[l] = weights[l] + weights[l + LANES];
    return tree(sums);
}

static void attend_one(const cohort_attention *attention, const float *query, float *output) {
    float maximum = -INFINITY, total = 0.0f, weights[BLOCK];
    for (uint32_t c = 0; c < attention->latent; c++) output[c] = 0.0f;
    for (uint32_t first = 0; first < attention->positions; first += BLOCK) {
        uint32_t count = attention->positions - first < BLOCK ? attention->positions - first : BLOCK;
        float old_maximum = maximum;
        for (uint32_t p = 0; p < count; p++) {
            weights[p] = score(attention, first + p, query);
            maximum = weights[p] > maximum ? weights[p] : maximum;
        }
        for (uint32_t p = 0; p < BLOCK; p++) weights[p] = p < count ? exp_scalar(weights[p] - maximum) : 0.0f;
        float correction = exp_scalar(old_maximum - maximum);
        total = fmaf(total, correction, block_total(weights));
        for (uint32_t c = 0; c < attention->latent; c++) {
            output[c] *= correction;
            for (uint32_t p = 0; p < count; p++)
                output[c] = fmaf(
                    weights[p], float_of(attention->dtype, position_at(attention, first + p), c), output[c]);
        }
    }
    for (uint32_t c = 0; c < attention->latent; c++) output[c] /= total;
}

void cohort_scalar_attend(const cohort_attention *attention, const float *queries, size_t query_stride, uint32_t heads,
                          float *outputs, size_t output_stride) {
    for (uint32_t h = 0; h < heads; h++)
        attend_one(attention, queries + h * query_stride, outputs + h * output_stride);
}
