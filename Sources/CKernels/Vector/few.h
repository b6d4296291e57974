// Products with few input rows: weights are widened on their way into the sums, once for each tile.
#pragma once

#include "tile.h"

INLINE void store_sums(const lanes totals[GROUP_ROWS], uint32_t count, float *output) {
    if (GROUP_ROWS == 4 && count == 4) {
        f32x4 sums = lanes_sums_of_four(totals[0], totals[1], totals[2], totals[GROUP_ROWS - 1]);
        __builtin_memcpy(output, &sums, sizeof sums);
    } else {
        for (uint32_t r = 0; r < count; r++) output[r] = lanes_sum(totals[r]);
    }
}

// Bytes in flight: what a core reads in 600 ns.
enum { FETCHED_AHEAD = 12288 };

// What is to be fetched while a group is in use: memory in its order, whole groups ahead if they are wide, but nothing
// of what only others will read. Rows that lie apart are left to the hardware.
INLINE const uint8_t *ahead_of(const cohort_matrix *matrix, const uint8_t *group, const uint8_t *end) {
    const size_t row_size = bytes_of(matrix->dtype, matrix->row_stride);
    const size_t distance = GROUP_ROWS * row_size > FETCHED_AHEAD ? GROUP_ROWS * row_size : FETCHED_AHEAD;
    const bool is_dense = matrix->row_stride == matrix->columns;
    return is_dense && group + distance + GROUP_ROWS * row_size <= end ? group + distance : group;
}

// Matrix rows side by side. The last one stands in for rows that a matrix does not have.
struct group {
    const uint8_t *rows[GROUP_ROWS];
    const float *scales[GROUP_ROWS];
    const uint8_t *ahead;
    uint32_t count;
};

INLINE struct group group_at(const cohort_matrix *matrix, uint32_t first, uint32_t count, const uint8_t *end) {
    struct group group = {.ahead = ahead_of(matrix, weights_of_row(matrix, first), end), .count = count};
    for (uint32_t r = 0; r < GROUP_ROWS; r++) {
        group.rows[r] = weights_of_row(matrix, first + (r < count ? r : count - 1));
        group.scales[r] = scales_of_row(matrix, first + (r < count ? r : count - 1));
    }
    return group;
}

// output[t][r] = input row t * matrix row r of the group.
INLINE void multiply_tile(enum order order, uint32_t dtype, bool usual, uint32_t inputs, const cohort_matrix *matrix,
                          struct group group, const uint8_t *input, size_t input_stride, float *output,
                          size_t output_stride) {
    const bool scaled = has_scales(dtype);
    struct tile tile = {.input = input, .input_stride = input_stride, .ahead = group.ahead};
    lanes totals[TILE_INPUTS][GROUP_ROWS] = {0};
    for (uint32_t r = 0; r < GROUP_ROWS; r++) tile.rows[r] = group.rows[r];
    for (struct run run = first_run(matrix); run.begin < run.end; run = next_run(matrix, run)) {
        const uint32_t columns = usual ? USUAL_COLUMNS : run.end - run.begin;
        lanes sums[TILE_INPUTS][GROUP_ROWS] = {0};
        add_run(order, dtype, inputs, tile, columns, sums);
        for (uint32_t r = 0; r < GROUP_ROWS; r++) {
            lanes scale = scaled ? lanes_fill(group.scales[r][run.block]) : (lanes){0};
            for (uint32_t t = 0; t < inputs; t++)
                totals[t][r] = scaled ? lanes_fma(sums[t][r], scale, totals[t][r]) : sums[t][r];
            tile.rows[r] += bytes_of(dtype, columns);
        }
        tile.input += columns * input_size(order);
        tile.ahead += bytes_of(dtype, columns * GROUP_ROWS);
        if (!scaled) break;
    }
    for (uint32_t t = 0; t < inputs; t++) store_sums(totals[t], group.count, output + t * output_stride);
}

// The input rows are the inner loop: a group of matrix rows stays in the cache.
INLINE void multiply_groups(enum order order, uint32_t dtype, bool usual, const cohort_matrix *matrix, uint32_t first,
                            uint32_t row_count, const cohort_rows *input, float *output, size_t output_stride) {
    const size_t stride = input->stride * input_size(order);
    const uint8_t *end = weights_of_row(matrix, first + row_count);
    for (uint32_t n = 0; n < row_count; n += GROUP_ROWS) {
        const uint32_t rows = row_count - n < GROUP_ROWS ? row_count - n : GROUP_ROWS;
        struct group group = group_at(matrix, first + n, rows, end);
        for (uint32_t t = 0, count; t < input->count; t += count) {
            count = tile_inputs(input->count - t);
            const uint8_t *at = (const uint8_t *)input->values + t * stride;
            float *to = output + t * output_stride + n;
            if (count == TILE_INPUTS)
                multiply_tile(order, dtype, usual, TILE_INPUTS, matrix, group, at, stride, to, output_stride);
            else if (count == 2) multiply_tile(order, dtype, usual, 2, matrix, group, at, stride, to, output_stride);
            else multiply_tile(order, dtype, usual, 1, matrix, group, at, stride, to, output_stride);
            group.ahead = group.rows[0];  // once is enough
        }
    }
}

static void product_of_few(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t row_count,
                           const cohort_rows *input, float *output, size_t output_stride) {
#define CASE(order_, dtype_, usual)                                                                               \
    if (order == order_ && matrix->dtype == dtype_ && (!usual || has_usual_runs(matrix)))                         \
        return multiply_groups(order_, dtype_, usual, matrix, first, row_count, input, output, output_stride);
    CASE(ORDER_PAIRS, COHORT_F8_E4M3, true)
    CASE(ORDER_PAIRS, COHORT_F8_E4M3, false)
    CASE(ORDER_PAIRS, COHORT_BF16, false)
    CASE(ORDER_PAIRS, COHORT_I8, true)
    CASE(ORDER_PAIRS, COHORT_I8, false)
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
