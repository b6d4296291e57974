// The product in terms of lanes.
#pragma once

#include "../tables.h"
#include "few.h"
#include "panel.h"

static __attribute__((noinline)) void product_in_order(enum order order, const cohort_matrix *matrix, uint32_t first,
                                                       uint32_t row_count, const cohort_rows *input, float *output,
                                                       size_t output_stride) {
    const uint8_t *values = input->values;
    const size_t stride = input->stride * input_size(order);
    const bool blocks_fit = !matrix->scales || matrix->block_columns <= PANEL_STEPS * step_columns(order);
    const bool few = input->count <= (matrix->scales ? FEW_INPUTS_F8 : FEW_INPUTS) || !blocks_fit;
    const uint32_t group = few ? GROUP_ROWS : PANEL_ROWS;
    for (uint32_t n = 0; n < row_count; n += group) {
        const uint32_t rows = row_count - n < group ? row_count - n : group;
        for (uint32_t t = 0, count; t < input->count; t += count) {
            const uint32_t left = input->count - t;
            count = few ? tile_inputs(left) : left < PANEL_INPUTS ? left : PANEL_INPUTS;
            (few ? multiply_few : multiply_many)(order, matrix, first + n, rows, values + t * stride, stride, count,
                                                 output + t * output_stride + n, output_stride);
        }
    }
}

void NAME(product)(const cohort_matrix *matrix, uint32_t first_row, uint32_t row_count, const cohort_rows *input,
                   float *output, size_t output_stride) {
    if (input->dtype == COHORT_F32)
        return product_in_order(ORDER_LANES, matrix, first_row, row_count, input, output, output_stride);
    if (matrix->dtype == COHORT_F32 || matrix->dtype == COHORT_F16)
        return product_in_order(ORDER_WIDENED, matrix, first_row, row_count, input, output, output_stride);
    uint64_t mode = flush_subnormals();
    product_in_order(ORDER_PAIRS, matrix, first_row, row_count, input, output, output_stride);
    restore_mode(mode);
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
