// The product in terms of lanes.
#pragma once

#include "../tables.h"
#include "few.h"
#include "panel.h"

INLINE uint32_t rows_of_panel(uint32_t left) { return left < PANEL_ROWS ? left : PANEL_ROWS; }

// The matrix rows are the inner loop: as many input rows stay in the second-level cache.
static void product_of_many(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t row_count,
                            const cohort_rows *input, float *output, size_t output_stride) {
    const size_t stride = input_bytes(order, input->stride);
    for (uint32_t t = 0; t < input->count; t += PANEL_INPUTS) {
        const uint32_t count = input->count - t < PANEL_INPUTS ? input->count - t : PANEL_INPUTS;
        for (uint32_t n = 0, rows; n < row_count; n += rows) {
            rows = rows_of_panel(row_count - n);
            multiply_many(order, matrix, first + n, rows, rows_of_panel(row_count - n - rows),
                          input_row(order, input, t), stride, count, output + t * output_stride + n, output_stride);
        }
    }
}

// INT8 need not be widened: tiles read their weights where they stand.
INLINE void multiply_codes(uint32_t quads, uint32_t most, const cohort_matrix *matrix, uint32_t first,
                           uint32_t row_count, const cohort_rows *input, float *output, size_t output_stride) {
    if (has_usual_runs(matrix))
        return multiply_groups(ORDER_CODES, COHORT_I8, true, quads, most, matrix, first, row_count, input, output,
                               output_stride);
    multiply_groups(ORDER_CODES, COHORT_I8, false, quads, most, matrix, first, row_count, input, output,
                    output_stride);
}

enum {
    LINEAR_CODE_INPUTS = 4, LINEAR_COLUMNS = 1024,  // up to here memory had better be read in its order
    FEW_CODE_INPUTS = 2 * FEW_TILE_INPUTS,
    CODES_AT_ONCE = 1 << 18,  // bytes of input rows: they stay in a second-level cache
};
_Static_assert(CODES_TILE_QUADS <= MOST_QUADS && CODES_TILE_INPUTS <= MOST_INPUTS, "a tile has room");

static void product_of_codes(const cohort_matrix *matrix, uint32_t first, uint32_t row_count, const cohort_rows *input,
                             float *output, size_t output_stride) {
    const size_t stride = input_bytes(ORDER_CODES, input->stride);
    const uint32_t fitting = CODES_AT_ONCE / stride, most = fitting > FEW_CODE_INPUTS ? fitting : FEW_CODE_INPUTS;
    for (uint32_t t = 0, count; t < input->count; t += count) {
        count = tile_inputs(input->count - t, most);
        const cohort_rows part = {(const uint8_t *)input->values + t * stride, input->stride, count, input->dtype};
        float *to = output + t * output_stride;
        if (count <= LINEAR_CODE_INPUTS && matrix->columns <= LINEAR_COLUMNS)
            multiply_codes(1, LINEAR_CODE_INPUTS, matrix, first, row_count, &part, to, output_stride);
        else if (count <= FEW_CODE_INPUTS)
            multiply_codes(FEW_TILE_QUADS, FEW_TILE_INPUTS, matrix, first, row_count, &part, to, output_stride);
        else multiply_codes(CODES_TILE_QUADS, CODES_TILE_INPUTS, matrix, first, row_count, &part, to, output_stride);
    }
}

static void product_in_order(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t row_count,
                             const cohort_rows *input, float *output, size_t output_stride) {
    if (order == ORDER_CODES) return product_of_codes(matrix, first, row_count, input, output, output_stride);
    const bool blocks_fit = !matrix->scales || matrix->block_columns <= PANEL_STRIPS * strip_columns(order);
    const bool few = input->count <= (matrix->scales ? FEW_INPUTS_SCALED : FEW_INPUTS) || !blocks_fit;
    (few ? product_of_few : product_of_many)(order, matrix, first, row_count, input, output, output_stride);
}

void NAME(product)(const cohort_matrix *matrix, uint32_t first_row, uint32_t row_count, const cohort_rows *input,
                   float *output, size_t output_stride) {
    if (input->dtype == COHORT_F32)
        return product_in_order(ORDER_LANES, matrix, first_row, row_count, input, output, output_stride);
    if (input->dtype == COHORT_I8)
        return product_in_order(ORDER_CODES, matrix, first_row, row_count, input, output, output_stride);
    if (matrix->dtype == COHORT_F32 || matrix->dtype == COHORT_F16)
        return product_in_order(ORDER_WIDENED, matrix, first_row, row_count, input, output, output_stride);
    uint64_t mode = flush_subnormals();
    product_in_order(ORDER_PAIRS, matrix, first_row, row_count, input, output, output_stride);
    restore_mode(mode);
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
