// Attention over the latent cache in terms of lanes: a few heads at a time go over all blocks of positions.
#pragma once

#include "../tables.h"
#include "lanes.h"

enum {
    BLOCK = COHORT_ATTENTION_BLOCK,
    HEADS = 16,  // that share a block's way through the cache
};
_Static_assert(BLOCK == 2 * LANES, "a block's scores are two vectors");

struct block {
    const uint8_t *values;  // [positions, latent + rope]
    uint32_t positions;
};

struct head {
    float maximum, total, correction;
};

INLINE size_t value_size(const cohort_attention *attention) { return attention->dtype == COHORT_F32 ? 4 : 2; }

INLINE struct block block_at(const cohort_attention *attention, uint32_t first) {
    const uint8_t *page = attention->pages[first / attention->page_positions];
    size_t offset = (size_t)(first % attention->page_positions) * (attention->latent + attention->rope);
    uint32_t left = attention->positions - first;
    return (struct block){page + offset * value_size(attention), left < BLOCK ? left : BLOCK};
}

static void score(const cohort_attention *attention, struct block block, const float *queries, size_t query_stride,
                  uint32_t heads, float scores[HEADS][BLOCK]) {
    uint32_t width = attention->latent + attention->rope;
    cohort_matrix keys = {
        .weights = block.values, .row_stride = width, .dtype = attention->dtype, .columns = width};
    cohort_rows rows = {.values = queries, .stride = query_stride, .count = heads, .dtype = COHORT_F32};
    NAME(product)(&keys, 0, block.positions, &rows, scores[0], BLOCK);
    for (uint32_t h = 0; h < heads; h++) {
        for (uint32_t p = 0; p < block.positions; p++) scores[h][p] *= attention->scale;
        for (uint32_t p = block.positions; p < BLOCK; p++) scores[h][p] = -__builtin_inff();
    }
}

INLINE float maximum_of(lanes values) {
    float maximum = values[0];
    for (uint32_t l = 1; l < LANES; l++) maximum = values[l] > maximum ? values[l] : maximum;
    return maximum;
}

// Scores become weights; says how the sums so far are to be corrected.
INLINE void weigh(struct head *head, float scores[BLOCK]) {
    lanes low = lanes_load(scores), high = lanes_load(scores + LANES);
    float largest = maximum_of(lanes_greater(low, high));
    float maximum = largest > head->maximum ? largest : head->maximum;
    low = lanes_exp(low - maximum);
    high = lanes_exp(high - maximum);
    head->correction = lanes_exp(lanes_fill(head->maximum - maximum))[0];
    head->total = __builtin_fmaf(head->total, head->correction, lanes_sum(low + high));
    head->maximum = maximum;
    lanes_store(scores, low);
    lanes_store(scores + LANES, high);
}

INLINE lanes load_latents(uint32_t dtype, const void *at) {
    return dtype == COHORT_F32 ? lanes_load(at) : lanes_bf16(at);
}

enum { COLUMNS = VALUE_VECTORS * LANES };

// outputs = outputs * correction + weights * latents for VALUE_HEADS heads and COLUMNS columns.
INLINE void add_values(uint32_t dtype, uint32_t heads, struct block block, size_t row_bytes, const struct head *head,
                       float (*weights)[BLOCK], float *outputs, size_t output_stride) {
    lanes sums[VALUE_HEADS][VALUE_VECTORS];
    for (uint32_t h = 0; h < heads; h++)
        for (uint32_t v = 0; v < VALUE_VECTORS; v++)
            sums[h][v] = lanes_load(outputs + h * output_stride + v * LANES) * head[h].correction;
    for (uint32_t p = 0; p < block.positions; p++)
        for (uint32_t v = 0; v < VALUE_VECTORS; v++) {
            lanes x = load_latents(dtype, block.values + p * row_bytes + v * LANES * (dtype == COHORT_F32 ? 4 : 2));
            for (uint32_t h = 0; h < heads; h++)
                sums[h][v] = lanes_fma(lanes_fill(weights[h][p]), x, sums[h][v]);
        }
    for (uint32_t h = 0; h < heads; h++)
        for (uint32_t v = 0; v < VALUE_VECTORS; v++)
            lanes_store(outputs + h * output_stride + v * LANES, sums[h][v]);
}

// The same for the at most LANES columns of one head.
INLINE void add_values_part(uint32_t dtype, struct block block, size_t row_bytes, const struct head *head,
                            const float *weights, float *outputs, uint32_t columns) {
    lanes sum = lanes_load_part(outputs, columns) * head->correction;
    for (uint32_t p = 0; p < block.positions; p++) {
        uint8_t padded[64] = {0};
        __builtin_memcpy(padded, block.values + p * row_bytes, columns * (dtype == COHORT_F32 ? 4 : 2));
        sum = lanes_fma(lanes_fill(weights[p]), load_latents(dtype, padded), sum);
    }
    lanes_store_part(outputs, sum, columns);
}

INLINE void add_block(uint32_t dtype, const cohort_attention *attention, struct block block, const struct head *head,
                      uint32_t heads, float (*weights)[BLOCK], float *outputs, size_t output_stride) {
    const size_t size = dtype == COHORT_F32 ? 4 : 2;
    const size_t row_bytes = (attention->latent + attention->rope) * size;
    uint32_t column = 0;
    for (; column + COLUMNS <= attention->latent; column += COLUMNS) {
        struct block shifted = {block.values + column * size, block.positions};
        uint32_t h = 0;
        for (; h + VALUE_HEADS <= heads; h += VALUE_HEADS)
            add_values(dtype, VALUE_HEADS, shifted, row_bytes, head + h, weights + h,
                       outputs + h * output_stride + column, output_stride);
        for (; h < heads; h++)
            add_values(dtype, 1, shifted, row_bytes, head + h, weights + h, outputs + h * output_stride + column,
                       output_stride);
    }
    for (; column < attention->latent; column += LANES) {
        struct block shifted = {block.values + column * size, block.positions};
        uint32_t left = attention->latent - column < LANES ? attention->latent - column : LANES;
        for (uint32_t h = 0; h < heads; h++)
            add_values_part(
                dtype, shifted, row_bytes, head + h, weights[h], outputs + h * output_stride + column, left);
    }
}

INLINE void divide(float *values, uint32_t count, float divisor) {
    for (uint32_t i = 0; i < count; i++) values[i] /= divisor;
}

static void attend_few(const cohort_attention *attention, const float *queries, size_t query_stride, uint32_t heads,
                       float *outputs, size_t output_stride) {
    float scores[HEADS][BLOCK];
    struct head head[HEADS];
    for (uint32_t h = 0; h < heads; h++) {
        head[h] = (struct head){.maximum = -__builtin_inff()};
        __builtin_memset(outputs + h * output_stride, 0, attention->latent * sizeof *outputs);
    }
    for (uint32_t first = 0; first < attention->positions; first += BLOCK) {
        struct block block = block_at(attention, first);
        score(attention, block, queries, query_stride, heads, scores);
        for (uint32_t h = 0; h < heads; h++) weigh(&head[h], scores[h]);
        if (attention->dtype == COHORT_F32)
            add_block(COHORT_F32, attention, block, head, heads, scores, outputs, output_stride);
        else
            add_block(COHORT_BF16, attention, block, head, heads, scores, outputs, output_stride);
    }
    for (uint32_t h = 0; h < heads; h++) divide(outputs + h * output_stride, attention->latent, head[h].total);
}

void NAME(attend)(const cohort_attention *attention, const float *queries, size_t query_stride, uint32_t heads,
                  float *outputs, size_t output_stride) {
    for (uint32_t h = 0; h < heads; h += HEADS) {
        uint32_t few = heads - h < HEADS ? heads - h : HEADS;
        attend_few(
            attention, queries + h * query_stride, query_stride, few, outputs + h * output_stride, output_stride);
    }
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
