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

// output[t][r] = input row t * matrix row (first + r) for r < count <= GROUP_ROWS.
INLINE void multiply_tile(enum order order, uint32_t dtype, uint32_t inputs, const cohort_matrix *matrix,
                         uint32_t first, uint32_t count, const uint8_t *input, size_t input_stride, float *output,
                         size_t output_stride) {
    const bool scaled = has_scales(dtype);
    const float *scales[GROUP_ROWS];
    struct tile tile = {.input = input, .input_stride = input_stride};
    lanes totals[TILE_INPUTS][GROUP_ROWS] = {0};
    if (count == GROUP_ROWS) tile.prefetch_ahead = bytes_of(dtype, GROUP_ROWS * matrix->row_stride);
    for (uint32_t r = 0; r < GROUP_ROWS; r++) {
        uint32_t row = first + (r < count ? r : count - 1);  // the last one again where there is none
        tile.rows[r] = weights_of_row(matrix, row);
        scales[r] = scales_of_row(matrix, row);
    }
    for (struct run run = first_run(matrix); run.begin < run.end; run = next_run(matrix, run)) {
        lanes sums[TILE_INPUTS][GROUP_ROWS] = {0};
        add_run(order, dtype, inputs, tile, run.end - run.begin, sums);
        for (uint32_t r = 0; r < GROUP_ROWS; r++) {
            lanes scale = scaled ? lanes_fill(scales[r][run.block]) : (lanes){0};
            for (uint32_t t = 0; t < inputs; t++)
                totals[t][r] = scaled ? lanes_fma(sums[t][r], scale, totals[t][r]) : sums[t][r];
            tile.rows[r] += bytes_of(dtype, run.end - run.begin);
        }
        tile.input += (run.end - run.begin) * input_size(order);
        if (!scaled) break;
    }
    for (uint32_t t = 0; t < inputs; t++) store_sums(totals[t], count, output + t * output_stride);
}

static void multiply_few(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t count,
                         const uint8_t *input, size_t input_stride, uint32_t inputs, float *output,
                         size_t output_stride) {
#define INPUTS(order, dtype, n)                                                                                   \
    if (inputs == n)                                                                                              \
        return multiply_tile(order, dtype, n, matrix, first, count, input, input_stride, output, output_stride);
#define CASE(order_, dtype_)                                                                                      \
    if (order == order_ && matrix->dtype == dtype_) {                                                             \
        INPUTS(order_, dtype_, 1) INPUTS(order_, dtype_, 2) INPUTS(order_, dtype_, TILE_INPUTS)                   \
    }
    CASE(ORDER_PAIRS, COHORT_F8_E4M3)
    CASE(ORDER_PAIRS, COHORT_BF16)
    CASE(ORDER_PAIRS, COHORT_I8)
    CASE(ORDER_PAIRS, COHORT_I4)
    CASE(ORDER_LANES, COHORT_F8_E4M3)
    CASE(ORDER_LANES, COHORT_BF16)
    CASE(ORDER_LANES, COHORT_F32)
    CASE(ORDER_LANES, COHORT_F16)
    CASE(ORDER_LANES, COHORT_I8)
    CASE(ORDER_LANES, COHORT_I4)
    CASE(ORDER_WIDENED, COHORT_F32)
    CASE(ORDER_WIDENED, COHORT_F16)
#undef CASE
#undef INPUTS
}
