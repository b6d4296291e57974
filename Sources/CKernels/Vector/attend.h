// Attention over the latent cache in terms of lanes. A block of positions is brought into two panels, one for the
// scores (a lane is a position) and one for the sums (a lane is a column), that all queries share.
#pragma once

#include "../tables.h"
#include "words.h"

enum { BLOCK = COHORT_ATTENTION_BLOCK };
_Static_assert(BLOCK % PANEL_LANES == 0, "a block is made of panels");

struct block {
    uint32_t first, count;
    lanes *keys;    // [BLOCK / PANEL_LANES][words of a position][WORD_VECTORS]
    lanes *values;  // [panels of columns][BLOCK positions, or half as many pairs][WORD_VECTORS]
};

// What a query's sums so far, and the block's, are to be multiplied by.
struct factors {
    float old, new;
};

// The caller's scratch, cut up.
struct room {
    lanes *keys, *values;
    float *scores;  // [queries, BLOCK]; then the weights in the cache's dtype
    struct factors *factors;
};

INLINE uint32_t width_of(const cohort_attention *attention) { return attention->latent + attention->rope; }
INLINE bool has_pairs(const cohort_attention *attention) { return attention->dtype == COHORT_BF16; }
INLINE size_t value_size(const cohort_attention *attention) { return has_pairs(attention) ? 2 : 4; }
INLINE uint32_t words_of(const cohort_attention *attention) {
    return width_of(attention) * value_size(attention) / 4;
}
INLINE uint32_t column_panels(const cohort_attention *attention) {
    return (attention->latent + PANEL_LANES - 1) / PANEL_LANES;
}
INLINE uint32_t block_steps(const cohort_attention *attention) { return has_pairs(attention) ? BLOCK / 2 : BLOCK; }

INLINE struct room cut(const cohort_attention *attention, uint32_t queries, void *scratch) {
    lanes *keys = scratch;
    lanes *values = keys + BLOCK / LANES * words_of(attention);
    float *scores = (float *)(values + column_panels(attention) * block_steps(attention) * WORD_VECTORS);
    return (struct room){keys, values, scores, (struct factors *)(scores + (size_t)queries * BLOCK)};
}

INLINE const uint8_t *cached_at(const cohort_attention *attention, uint32_t position) {
    const size_t values = (size_t)(position % attention->page_positions) * width_of(attention);
    const uint8_t *page = attention->pages[position / attention->page_positions];
    return page + attention->page_offset + values * value_size(attention);
}

// A position of the block; the last one where there is none.
INLINE const uint8_t *position_at(const cohort_attention *attention, struct block block, uint32_t offset) {
    return cached_at(attention, block.first + (offset < block.count ? offset : block.count - 1));
}

// 16 positions' words w ..< w + count become lanes of the panel.
INLINE void fill_words(const uint8_t *const rows[LANES], uint32_t w, uint32_t count, lanes *panel) {
    u32x16 matrix[LANES];
#pragma clang loop unroll(full)
    for (int l = 0; l < LANES; l++) matrix[l] = load_words(rows[l] + w * 4, count * 4);
    transpose(matrix);
#pragma clang loop unroll(full)
    for (uint32_t i = 0; i < LANES; i++)
        if (i < count) panel[(w + i) * WORD_VECTORS] = (lanes)matrix[i];
}

static void fill_keys(const cohort_attention *attention, struct block block) {
    const uint32_t words = words_of(attention);
    const uint32_t panels = (block.count + PANEL_LANES - 1) / PANEL_LANES;
    for (uint32_t group = 0; group < panels * WORD_VECTORS; group++) {
        lanes *panel = block.keys + group / WORD_VECTORS * words * WORD_VECTORS + group % WORD_VECTORS;
        const uint8_t *rows[LANES];
        uint32_t w = 0;
        for (uint32_t l = 0; l < LANES; l++) rows[l] = position_at(attention, block, group * LANES + l);
        for (; w + LANES <= words; w += LANES) fill_words(rows, w, LANES, panel);
        if (w < words) fill_words(rows, w, words - w, panel);
    }
}

// One step of the values panel: `count` columns of a position, or of a pair of them.
INLINE void fill_columns(bool pairs, const uint8_t *even, const uint8_t *odd, uint32_t count, lanes *values) {
    const size_t size = pairs ? 2 : 4;
    if (pairs) pair_up(load_words(even, count * size), load_words(odd, count * size), values, values + 1);
    else *values = (lanes)load_words(even, count * size);
}

INLINE void fill_step(bool pairs, const uint8_t *even, const uint8_t *odd, uint32_t columns, size_t panel_stride,
                      lanes *values) {
    const uint32_t width = pairs ? 2 * LANES : LANES;
    const size_t size = pairs ? 2 : 4;
    uint32_t c = 0;
    for (; c + PANEL_LANES <= columns; c += PANEL_LANES, values += panel_stride)
        for (uint32_t at = 0; at < PANEL_LANES; at += width)
            fill_columns(pairs, even + (c + at) * size, odd + (c + at) * size, width, values + at / LANES);
    for (uint32_t at = 0; c < columns; c += width, at += width) {
        const uint32_t count = columns - c < width ? columns - c : width;
        fill_columns(pairs, even + c * size, odd + c * size, count, values + at / LANES);
    }
}

static void fill_values(const cohort_attention *attention, struct block block) {
    const bool pairs = has_pairs(attention);
    const size_t panel_stride = block_steps(attention) * WORD_VECTORS;
    const uint32_t width = pairs ? 2 : 1;
    for (uint32_t p = 0; p < block.count; p += width) {
        const uint8_t *even = position_at(attention, block, p), *odd = position_at(attention, block, p + 1);
        lanes *values = block.values + p / width * WORD_VECTORS;
        if (pairs) fill_step(true, even, odd, attention->latent, panel_stride, values);
        else fill_step(false, even, odd, attention->latent, panel_stride, values);
    }
}

INLINE const uint32_t *query_at(const cohort_attention *attention, const cohort_queries *queries, uint32_t query) {
    const size_t offset =
        query / queries->heads * queries->token_stride + query % queries->heads * (size_t)width_of(attention);
    return (const uint32_t *)((const uint8_t *)queries->values + offset * value_size(attention));
}

INLINE size_t sum_at(const cohort_queries *queries, const cohort_attention_sums *sums, uint32_t query) {
    return query / queries->heads * sums->token_stride + query % queries->heads;
}

// Positions that are still to be fetched into the second-level cache for the block to come.
struct ahead {
    uint32_t position, end;
    size_t offset;  // bytes of the position's page that have been fetched, from the position on
};

enum { LINE = 64 };  // bytes of a cache's line

// Lets a product fetch what it has the time for.
INLINE void fetch(const cohort_attention *attention, struct ahead *ahead, struct words *words) {
    words->ahead = (const uint8_t *)words->panel;
    words->line = 0;
    if (ahead->position >= ahead->end) return;
    const uint32_t rest = attention->page_positions - ahead->position % attention->page_positions;
    const uint32_t wanted = ahead->end - ahead->position, positions = rest < wanted ? rest : wanted;
    const size_t end = positions * width_of(attention) * value_size(attention), bytes = end - ahead->offset;
    words->ahead = cached_at(attention, ahead->position) + ahead->offset;
    words->line = bytes < words->count * (size_t)LINE ? bytes / words->count : LINE;
    ahead->offset += words->count * (size_t)LINE;
    if (ahead->offset < end) return;
    ahead->position += positions;
    ahead->offset = 0;
}

static void score(const cohort_attention *attention, const cohort_queries *queries, struct block block,
                  uint32_t first_query, uint32_t end_query, float *scores, struct ahead *ahead) {
    const uint32_t words = words_of(attention);
    for (uint32_t p = 0; p < block.count; p += PANEL_LANES)
        for (uint32_t q = first_query; q < end_query; q += WORD_ROWS) {
            const uint32_t count = end_query - q < WORD_ROWS ? end_query - q : WORD_ROWS;
            struct words operands = {.panel = block.keys + p / LANES * words, .count = words};
            lanes sums[WORD_ROWS][WORD_VECTORS];
            fetch(attention, ahead, &operands);
            for (uint32_t i = 0; i < count; i++) operands.rows[i] = query_at(attention, queries, q + i);
            multiply_words(has_pairs(attention), count, operands, sums);
            for (uint32_t i = 0; i < count; i++)
                for (uint32_t v = 0; v < WORD_VECTORS; v++)
                    lanes_store(scores + (q + i) * BLOCK + p + v * LANES, sums[i][v] * attention->scale);
        }
}

INLINE float maximum_of(lanes values) {
    float maximum = values[0];
    for (uint32_t l = 1; l < LANES; l++) maximum = values[l] > maximum ? values[l] : maximum;
    return maximum;
}

INLINE lanes keep_first(lanes values, uint32_t count, float other) {
    const i32x16 index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return count >= LANES ? values : lanes_select(index < (int32_t)count, values, lanes_fill(other));
}

// `count` scores become weights, relative to the largest, zeros behind them.
INLINE void weigh(bool pairs, float *scores, uint32_t count, float *maximum, float *total) {
    lanes largest = lanes_fill(-__builtin_inff()), sum = {0};
    for (uint32_t p = 0; p < count; p += LANES)
        largest = lanes_greater(keep_first(lanes_load(scores + p), count - p, -__builtin_inff()), largest);
    *maximum = maximum_of(largest);
    for (uint32_t p = 0; p < BLOCK; p += LANES) {
        lanes weights = {0};
        if (p < count) weights = keep_first(lanes_exp(lanes_load(scores + p) - *maximum), count - p, 0);
        if (pairs) {
            u16x16 narrow = lanes_to_bf16(weights);
            __builtin_memcpy((uint16_t *)scores + p, &narrow, sizeof narrow);
            weights = lanes_bf16(&narrow);
        } else {
            lanes_store(scores + p, weights);
        }
        sum += weights;
    }
    *total = lanes_sum(sum);
}

// Takes one part of a query's attention into its sums; says how the latents are to be added up.
INLINE struct factors join(float *maximum, float *total, float new_maximum, float new_total) {
    if (*total == 0.0f) {
        *maximum = new_maximum;
        *total = new_total;
        return (struct factors){0.0f, 1.0f};
    }
    const float larger = new_maximum > *maximum ? new_maximum : *maximum;
    const lanes changes = {*maximum - larger, new_maximum - larger};
    const lanes factors = lanes_exp(changes);
    *maximum = larger;
    *total = __builtin_fmaf(new_total, factors[1], *total * factors[0]);
    return (struct factors){factors[0], factors[1]};
}

// The block's positions that a query attends to.
INLINE uint32_t count_of(const cohort_queries *queries, struct block block, uint32_t query) {
    const uint32_t left = queries->positions + query / queries->heads - block.first;
    return left < block.count ? left : block.count;
}

INLINE lanes load_latents(const float *at, uint32_t left) {
    return left < LANES ? lanes_load_part(at, left) : lanes_load(at);
}

INLINE void store_latents(float *at, lanes values, uint32_t left) {
    if (left < LANES) lanes_store_part(at, values, left);
    else lanes_store(at, values);
}

// latents = latents * factors.old + part * factors.new for up to LANES latents; those of no weight are not read.
INLINE void add_latents(struct factors factors, lanes part, float *latents, uint32_t left) {
    part += 0.0f;  // absent positions leave the sign of a zero open
    part = factors.old == 0.0f
               ? part * factors.new
               : lanes_fma(part, lanes_fill(factors.new), load_latents(latents, left) * factors.old);
    store_latents(latents, part, left);
}

static void add_values(const cohort_attention *attention, const cohort_queries *queries, struct block block,
                       uint32_t first_query, uint32_t end_query, struct room room, const cohort_attention_sums *sums,
                       struct ahead *ahead) {
    const size_t panel_stride = block_steps(attention) * WORD_VECTORS;
    const uint32_t width = has_pairs(attention) ? 2 : 1;
    for (uint32_t c = 0; c < attention->latent; c += PANEL_LANES)
        for (uint32_t q = first_query; q < end_query; q += WORD_ROWS) {
            const uint32_t count = end_query - q < WORD_ROWS ? end_query - q : WORD_ROWS;
            const uint32_t positions = count_of(queries, block, q + count - 1);
            struct words operands = {
                .panel = block.values + c / PANEL_LANES * panel_stride, .count = (positions + width - 1) / width};
            lanes products[WORD_ROWS][WORD_VECTORS];
            fetch(attention, ahead, &operands);
            for (uint32_t i = 0; i < count; i++) operands.rows[i] = (const uint32_t *)(room.scores + (q + i) * BLOCK);
            multiply_words(has_pairs(attention), count, operands, products);
            for (uint32_t i = 0; i < count; i++) {
                float *latents = sums->latents + sum_at(queries, sums, q + i) * attention->latent;
                for (uint32_t v = 0, at = c; v < WORD_VECTORS && at < attention->latent; v++, at += LANES)
                    add_latents(room.factors[q + i], products[i][v], latents + at, attention->latent - at);
            }
        }
}

static void attend_block(const cohort_attention *attention, const cohort_queries *queries, struct block block,
                         struct room room, const cohort_attention_sums *sums, uint32_t end_position) {
    const uint32_t end = queries->tokens * queries->heads;
    const uint32_t skipped = queries->positions <= block.first ? block.first - queries->positions + 1 : 0;
    const uint32_t first = skipped * queries->heads;
    fill_keys(attention, block);
    fill_values(attention, block);
    const uint32_t next = block.first + BLOCK;
    struct ahead ahead = {.position = next, .end = end_position < next + BLOCK ? end_position : next + BLOCK};
    score(attention, queries, block, first, end, room.scores, &ahead);
    for (uint32_t q = first; q < end; q++) {
        const size_t at = sum_at(queries, sums, q);
        float maximum, total;
        if (has_pairs(attention)) weigh(true, room.scores + q * BLOCK, count_of(queries, block, q), &maximum, &total);
        else weigh(false, room.scores + q * BLOCK, count_of(queries, block, q), &maximum, &total);
        room.factors[q] = join(&sums->maxima[at], &sums->totals[at], maximum, total);
    }
    add_values(attention, queries, block, first, end, room, sums, &ahead);
}

void NAME(attend)(const cohort_attention *attention, const cohort_queries *queries, uint32_t first, uint32_t end,
                  void *scratch, const cohort_attention_sums *sums) {
    const uint32_t count = queries->tokens * queries->heads;
    const struct room room = cut(attention, count, scratch);
    const uint32_t last = queries->positions + queries->tokens - 1;
    if (end > last) end = last;
    for (uint32_t q = 0; q < count; q++) sums->totals[sum_at(queries, sums, q)] = 0.0f;
    const uint64_t mode = has_pairs(attention) ? flush_subnormals() : 0;
    for (uint32_t at = first; at < end; at += BLOCK) {
        const struct block block = {at, end - at < BLOCK ? end - at : BLOCK, room.keys, room.values};
        attend_block(attention, queries, block, room, sums, end);
    }
    if (has_pairs(attention)) restore_mode(mode);
}

void NAME(attend_join)(const cohort_attention *attention, uint32_t queries, const cohort_attention_sums *part,
                       const cohort_attention_sums *sums) {
    const uint64_t mode = has_pairs(attention) ? flush_subnormals() : 0;
    for (size_t q = 0; q < queries; q++) {
        if (part->totals[q] == 0.0f) continue;
        const struct factors factors = join(&sums->maxima[q], &sums->totals[q], part->maxima[q], part->totals[q]);
        for (uint32_t c = 0; c < attention->latent; c += LANES) {
            const size_t at = q * attention->latent + c;
            const uint32_t left = attention->latent - c;
            add_latents(factors, load_latents(part->latents + at, left), sums->latents + at, left);
        }
    }
    if (has_pairs(attention)) restore_mode(mode);
}

void NAME(attend_end)(const cohort_attention *attention, uint32_t queries, const cohort_attention_sums *sums) {
    const uint64_t mode = has_pairs(attention) ? flush_subnormals() : 0;
    for (size_t q = 0; q < queries; q++) {
        const float factor = 1.0f / sums->totals[q];
        for (uint32_t c = 0; c < attention->latent; c += LANES) {
            float *latents = sums->latents + q * attention->latent + c;
            store_latents(latents, load_latents(latents, attention->latent - c) * factor, attention->latent - c);
        }
    }
    if (has_pairs(attention)) restore_mode(mode);
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
