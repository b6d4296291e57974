// Products with few input rows: weights are widened on their way into the sums, once for each tile.
#pragma once

#include "tile.h"

// Input rows of a tile. What pairs of bf16 are made of takes registers as well.
INLINE uint32_t few_tile_inputs(enum order order, uint32_t dtype) {
    if (order != ORDER_PAIRS) return FEW_TILE_INPUTS;
    return dtype == COHORT_BF16 ? FEW_TILE_INPUTS_BF16 : dtype == COHORT_I4 ? FEW_TILE_INPUTS_I4 : FEW_TILE_INPUTS;
}

// Bytes in flight: what a core reads in 600 ns.
enum { FETCHED_AHEAD = 12288 };

// How far ahead of a group of rows memory is fetched: whole groups if they are wide, since their rows are read side by
// side; four rows of INT8 are read in their order. Rows that lie apart are left to the hardware.
INLINE size_t fetched_ahead(uint32_t rows, const cohort_matrix *matrix) {
    if (matrix->dtype == COHORT_I8 && rows == COHORT_FOUR) return FETCHED_AHEAD;
    const size_t size = rows * bytes_of(matrix->dtype, matrix->row_stride);
    return rows_lie_apart(matrix) ? 0 : size > FETCHED_AHEAD ? size : FETCHED_AHEAD;
}

// What is to be fetched while a group is in use: memory in its order, but nothing of what only others will read.
INLINE const uint8_t *ahead_of(uint32_t rows, const cohort_matrix *matrix, const uint8_t *group, const uint8_t *end) {
    const size_t distance = fetched_ahead(rows, matrix);
    return group + distance + rows * bytes_of(matrix->dtype, matrix->row_stride) <= end ? group + distance : group;
}

// What no group before it has fetched.
INLINE void fetch_first(uint32_t rows, const cohort_matrix *matrix, uint32_t first, const uint8_t *end) {
    const uint8_t *begin = weights_of_row(matrix, first);
    const size_t distance = fetched_ahead(rows, matrix), all = (size_t)(end - begin);
    prefetch(begin, distance < all ? distance : all);
}

// Matrix rows side by side.
struct group {
    const uint8_t *rows[MOST_QUADS * QUAD];
    const float *scales[MOST_QUADS * QUAD];
    const uint8_t *ahead;
    uint32_t count;
    bool share_scales;  // those of a quad
};

INLINE struct group group_at(uint32_t quads, const cohort_matrix *matrix, uint32_t first, uint32_t left,
                             const uint8_t *end) {
    const uint32_t rows = quads * QUAD, count = left < rows ? left : rows;
    struct group group = {.ahead = ahead_of(rows, matrix, weights_of_row(matrix, first), end), .count = count,
                          .share_scales = quads_share_scales(matrix, first)};
    for (uint32_t r = 0; r < rows; r++) {
        const uint32_t row = first + row_at(matrix->dtype, r, count);
        group.rows[r] = weights_of_row(matrix, row);
        group.scales[r] = scales_of_row(matrix, row);
    }
    return group;
}

// output[t][r] = input row t * matrix row r of the group.
INLINE void multiply_tile(enum order order, uint32_t dtype, bool usual, uint32_t quads, uint32_t inputs,
                          const cohort_matrix *matrix, const struct group *group, const uint8_t *input,
                          size_t input_stride, float *output, size_t output_stride) {
    const bool scaled = has_scales(dtype);
    struct tile tile = {.input = input, .input_stride = input_stride, .ahead = group->ahead};
    lanes totals[MOST_INPUTS][MOST_QUADS] = {0};
    for (uint32_t r = 0; r < quads * QUAD; r++) tile.rows[r] = group->rows[r];
    for (struct run run = first_run(matrix); run.begin < run.end; run = next_run(matrix, run)) {
        const uint32_t columns = usual ? USUAL_COLUMNS : run.end - run.begin;
        lanes sums[MOST_INPUTS][MOST_QUADS];
        for (uint32_t t = 0; t < inputs; t++)
            for (uint32_t q = 0; q < quads; q++) sums[t][q] = first_sum(order, tile.input + t * input_stride);
        add_run(order, dtype, quads, inputs, &tile, columns, sums);
        for (uint32_t q = 0; q < quads; q++) {
            const bool share = dtype == COHORT_F8_E4M3 && group->share_scales;
            lanes scale = scaled ? scales_of_quad(dtype, share, group->scales + q * QUAD, run.block) : (lanes){0};
            for (uint32_t t = 0; t < inputs; t++)
                totals[t][q] =
                    scaled ? add_scaled(order, totals[t][q], sums[t][q], scale, tile.input + t * input_stride)
                           : sums[t][q];
        }
        if (!scaled) break;
        for (uint32_t r = 0; r < quads * QUAD; r++) tile.rows[r] += offset_of(dtype, columns);
        tile.input += input_bytes(order, columns);
        tile.ahead += bytes_of(dtype, columns * quads * QUAD);
    }
    for (uint32_t t = 0; t < inputs; t++)
        store_quads(quads, totals[t], output + t * output_stride, group->count);
}

// The input rows are the inner loop: a group of matrix rows stays in the cache. `quads` by `most` inputs make a tile.
INLINE void multiply_groups(enum order order, uint32_t dtype, bool usual, uint32_t quads, uint32_t most,
                            const cohort_matrix *matrix, uint32_t first, uint32_t row_count, const cohort_rows *input,
                            float *output, size_t output_stride) {
    const size_t stride = input_bytes(order, input->stride);
    const uint8_t *end = weights_of_row(matrix, first + row_count);
    fetch_first(quads * QUAD, matrix, first, end);
    for (uint32_t n = 0; n < row_count; n += quads * QUAD) {
        struct group group = group_at(quads, matrix, first + n, row_count - n, end);
        for (uint32_t t = 0, count; t < input->count; t += count) {
            count = tile_inputs(input->count - t, most);
            const uint8_t *at = input_row(order, input, t);
            float *to = output + t * output_stride + n;
            switch (count) {
#define CASE(n)                                                                                          \
    case n:                                                                                              \
        if (n > most) break;                                                                             \
        multiply_tile(order, dtype, usual, quads, n, matrix, &group, at, stride, to, output_stride);      \
        break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
            }
            group.ahead = group.rows[0];  // once is enough
        }
    }
}
_Static_assert(FEW_TILE_INPUTS <= MOST_INPUTS && FEW_TILE_INPUTS_BF16 <= MOST_INPUTS &&
                   FEW_TILE_INPUTS_I4 <= MOST_INPUTS,
               "every count of inputs has its case");

static void product_of_few(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t row_count,
                           const cohort_rows *input, float *output, size_t output_stride) {
#define CASE(order_, dtype_, usual)                                                                                   \
    if (order == order_ && matrix->dtype == dtype_ && (!usual || has_usual_runs(matrix)))                             \
        return multiply_groups(order_, dtype_, usual, FEW_TILE_QUADS, few_tile_inputs(order_, dtype_), matrix, first, \
                               row_count, input, output, output_stride);
    CASE(ORDER_PAIRS, COHORT_F8_E4M3, true)
    CASE(ORDER_PAIRS, COHORT_F8_E4M3, false)
    CASE(ORDER_PAIRS, COHORT_BF16, false)
    CASE(ORDER_PAIRS, COHORT_I4, true)
    CASE(ORDER_PAIRS, COHORT_I4, false)
    CASE(ORDER_LANES, COHORT_F8_E4M3, false)
    CASE(ORDER_LANES, COHORT_BF16, false)
    CASE(ORDER_LANES, COHORT_I8, false)
    CASE(ORDER_LANES, COHORT_I4, false)
    CASE(ORDER_LANES, COHORT_F32, false)
    CASE(ORDER_LANES, COHORT_F16, false)
    CASE(ORDER_WIDENED, COHORT_F32, false)
    CASE(ORDER_WIDENED, COHORT_F16, false)
#undef CASE
}
