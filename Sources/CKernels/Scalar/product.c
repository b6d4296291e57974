// The product, number by number, in the order that CKernels.h gives.
#include "../tables.h"
#include "numbers.h"

typedef float (*fma_function)(float, float, float);

enum { PRODUCT_LANES = 4 };

static float sum_of_lanes(const float sums[PRODUCT_LANES], fma_function fused) {
    return fused(fused(sums[0], 1.0f, sums[2]), 1.0f, fused(sums[1], 1.0f, sums[3]));
}

// The sums of the lanes over columns begin ..< end of a run.
static void sum_run(const cohort_matrix *matrix, uint32_t row, const cohort_rows *input, size_t input_offset,
                    uint32_t begin, uint32_t end, bool pairs, float sums[PRODUCT_LANES]) {
    uint32_t width = pairs ? 2 * LANES : LANES;
    uint32_t padded_end = begin + (end - begin + width - 1) / width * width;
    for (int l = 0; l < PRODUCT_LANES; l++) sums[l] = 0.0f;
    for (uint32_t i = begin; i < padded_end; i++) {
        uint32_t at = pairs ? begin + ((i - begin) ^ 1) : i;  // the odd one of a pair comes first
        uint32_t lane = (at - begin) / (pairs ? 2 : 1) % PRODUCT_LANES;
        float weight = at < end ? float_of(matrix->dtype, matrix->weights, index_of(matrix, row, at)) : 0.0f;
        float value = at < end ? float_of(input->dtype, input->values, input_offset + at) : 0.0f;
        sums[lane] = pairs ? flushing_fma(weight, value, sums[lane]) : fmaf(weight, value, sums[lane]);
    }
}

static float dot(const cohort_matrix *matrix, uint32_t row, const cohort_rows *input, uint32_t input_row) {
    bool pairs = input->dtype == COHORT_BF16 && matrix->dtype != COHORT_F32 && matrix->dtype != COHORT_F16;
    fma_function fused = pairs ? flushing_fma : fmaf;
    size_t input_offset = input_row * input->stride;
    float sums[PRODUCT_LANES], totals[PRODUCT_LANES] = {0};
    if (!matrix->scales) {
        sum_run(matrix, row, input, input_offset, 0, matrix->columns, pairs, sums);
        return sum_of_lanes(sums, fused);
    }
    for (uint32_t begin = 0, end; begin < matrix->columns; begin = end) {
        uint32_t block = (matrix->column_phase + begin) / matrix->block_columns;
        end = (block + 1) * matrix->block_columns - matrix->column_phase;
        if (end > matrix->columns) end = matrix->columns;
        sum_run(matrix, row, input, input_offset, begin, end, pairs, sums);
        for (int l = 0; l < PRODUCT_LANES; l++) totals[l] = fused(sums[l], scale_at(matrix, row, block), totals[l]);
    }
    return sum_of_lanes(totals, fused);
}

static float dot_codes(const cohort_matrix *matrix, uint32_t row, const cohort_rows *input, uint32_t input_row) {
    const cohort_code_block *blocks = input->values;
    const int8_t *weights = matrix->weights;
    float totals[PRODUCT_LANES] = {0};
    blocks += input_row * (input->stride / COHORT_ROW_BLOCK);
    for (uint32_t begin = 0; begin < matrix->columns; begin += COHORT_ROW_BLOCK, blocks++) {
        float scale = scale_at(matrix, row, begin / COHORT_ROW_BLOCK) * blocks->scale;
        int32_t sums[PRODUCT_LANES] = {0};
        for (uint32_t c = 0; c < COHORT_ROW_BLOCK && begin + c < matrix->columns; c++)
            sums[c / 4 % PRODUCT_LANES] += weights[index_of(matrix, row, begin + c)] * blocks->codes[c];
        for (int l = 0; l < PRODUCT_LANES; l++) totals[l] = fmaf((float)sums[l], scale, totals[l]);
    }
    return sum_of_lanes(totals, fmaf);
}

void cohort_scalar_product(const cohort_matrix *matrix, uint32_t first_row, uint32_t row_count,
                           const cohort_rows *input, float *output, size_t output_stride) {
    for (uint32_t t = 0; t < input->count; t++)
        for (uint32_t n = 0; n < row_count; n++)
            output[t * output_stride + n] =
                (input->dtype == COHORT_I8 ? dot_codes : dot)(matrix, first_row + n, input, t);
}
