// What works on single vectors, number by number.
#include "../tables.h"
#include "numbers.h"

void cohort_scalar_rms_norm(const float *input, const float *gain, float epsilon, uint32_t count, float *output) {
    float squares[LANES] = {0};
    for (uint32_t i = 0; i < count; i++) squares[i % LANES] = fmaf(input[i], input[i], squares[i % LANES]);
    float factor = 1.0f / sqrtf(tree(squares) / (float)count + epsilon);
    for (uint32_t i = 0; i < count; i++) output[i] = input[i] * factor * gain[i];
}

void cohort_scalar_rotate(const float *values, const float *turns, uint32_t count, float *output) {
    for (uint32_t i = 0; i < count; i += 2) {
        float a = values[i], b = values[i + 1], cosine = turns[i], sine = turns[i + 1];
        output[i] = a * cosine - b * sine;
        output[i + 1] = a * sine + b * cosine;
    }
}

void cohort_scalar_swiglu(const float *gate, const float *up, uint32_t count, float *output) {
    for (uint32_t i = 0; i < count; i++) output[i] = gate[i] / (exp_scalar(-gate[i]) + 1.0f) * up[i];
}

void cohort_scalar_sigmoid(float *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) values[i] = 1.0f / (exp_scalar(-values[i]) + 1.0f);
}

void cohort_scalar_accumulate(float weight, const float *values, uint32_t count, float *sum) {
    for (uint32_t i = 0; i < count; i++) sum[i] = fmaf(weight, values[i], sum[i]);
}

void cohort_scalar_accumulate_bf16(float weight, const uint16_t *values, uint32_t count, float *sum) {
    for (uint32_t i = 0; i < count; i++) sum[i] = fmaf(weight, float_of_bf16(values[i]), sum[i]);
}

void cohort_scalar_exponential(const float *values, uint32_t count, float *output) {
    for (uint32_t i = 0; i < count; i++) output[i] = exp_scalar(values[i]);
}

void cohort_scalar_softmax(float *values, uint32_t count) {
    float maximum = -INFINITY, sums[LANES] = {0};
    for (uint32_t i = 0; i < count; i++) maximum = values[i] > maximum ? values[i] : maximum;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = exp_scalar(values[i] - maximum);
        sums[i % LANES] += values[i];
    }
    float total = tree(sums);
    for (uint32_t i = 0; i < count; i++) values[i] /= total;
}

void cohort_scalar_narrow_bf16(const float *values, uint32_t count, uint16_t *output) {
    for (uint32_t i = 0; i < count; i++) output[i] = bf16_of_float(values[i]);
}

void cohort_scalar_widen_bf16(const uint16_t *values, uint32_t count, float *output) {
    for (uint32_t i = 0; i < count; i++) output[i] = float_of_bf16(values[i]);
}

void cohort_scalar_narrow_f8(const float *values, uint32_t count, float *scales, uint8_t *codes) {
    for (uint32_t first = 0; first < count; first += COHORT_ROW_BLOCK) {
        uint32_t end = count - first < COHORT_ROW_BLOCK ? count : first + COHORT_ROW_BLOCK;
        float largest = 0;
        for (uint32_t i = first; i < end; i++)
            if (isfinite(values[i]) && fabsf(values[i]) > largest) largest = fabsf(values[i]);
        float scale = 0x1p-126f;
        while (largest / scale > 448.0f) scale *= 2;
        scales[first / COHORT_ROW_BLOCK] = scale;
        for (uint32_t i = first; i < end; i++) codes[i] = f8_of_float(values[i] / scale);
    }
}

void cohort_scalar_widen_f8(const float *scales, const uint8_t *codes, uint32_t count, float *output) {
    for (uint32_t i = 0; i < count; i++) output[i] = float_of_f8(codes[i]) * scales[i / COHORT_ROW_BLOCK];
}

void cohort_scalar_widen_row(const cohort_matrix *matrix, uint32_t row, float *output) {
    for (uint32_t c = 0; c < matrix->columns; c++) {
        float value = float_of(matrix->dtype, matrix->weights, index_of(matrix, row, c));
        uint32_t block = matrix->scales ? (matrix->column_phase + c) / matrix->block_columns : 0;
        output[c] = matrix->scales ? value * scale_at(matrix, row, block) : value;
    }
}
