// What works on single vectors, in terms of lanes.
#pragma once

#include "../tables.h"
#include "runs.h"

// Calls body(at, count) for each LANES values; the last count may be less, never zero.
#define FOR_LANES(total, at, count)                                                                         \
    for (uint32_t at = 0, count; count = (total) - at < LANES ? (total) - at : LANES, at < (total); at += LANES)

INLINE lanes load_some(const float *at, uint32_t count) {
    return count == LANES ? lanes_load(at) : lanes_load_part(at, count);
}

INLINE void store_some(float *at, lanes values, uint32_t count) {
    if (count == LANES) lanes_store(at, values);
    else lanes_store_part(at, values, count);
}

void NAME(rms_norm)(const float *input, const float *gain, float epsilon, uint32_t count, float *output) {
    lanes squares = {0};
    FOR_LANES(count, i, n) {
        lanes x = load_some(input + i, n);
        squares = lanes_fma(x, x, squares);
    }
    float mean = lanes_sum(squares) / (float)count;
    lanes factor = lanes_fill(1.0f / __builtin_sqrtf(mean + epsilon));
    FOR_LANES(count, i, n) store_some(output + i, load_some(input + i, n) * factor * load_some(gain + i, n), n);
}

INLINE lanes logistic_denominator(lanes x) { return lanes_exp(-x) + 1.0f; }

void NAME(swiglu)(const float *gate, const float *up, uint32_t count, float *output) {
    FOR_LANES(count, i, n) {
        lanes x = load_some(gate + i, n);
        store_some(output + i, x / logistic_denominator(x) * load_some(up + i, n), n);
    }
}

void NAME(sigmoid)(float *values, uint32_t count) {
    FOR_LANES(count, i, n) store_some(values + i, 1.0f / logistic_denominator(load_some(values + i, n)), n);
}

void NAME(accumulate)(float weight, const float *values, uint32_t count, float *sum) {
    FOR_LANES(count, i, n)
    store_some(sum + i, lanes_fma(lanes_fill(weight), load_some(values + i, n), load_some(sum + i, n)), n);
}

void NAME(exponential)(const float *values, uint32_t count, float *output) {
    FOR_LANES(count, i, n) store_some(output + i, lanes_exp(load_some(values + i, n)), n);
}

void NAME(softmax)(float *values, uint32_t count) {
    float maximum = -__builtin_inff();
    for (uint32_t i = 0; i < count; i++) maximum = values[i] > maximum ? values[i] : maximum;
    lanes sums = {0};
    FOR_LANES(count, i, n) {
        lanes e = lanes_exp(load_some(values + i, n) - maximum);
        store_some(values + i, e, n);
        sums += load_some(values + i, n);  // absent lanes add zero
    }
    lanes total = lanes_fill(lanes_sum(sums));
    FOR_LANES(count, i, n) store_some(values + i, load_some(values + i, n) / total, n);
}

void NAME(narrow_bf16)(const float *values, uint32_t count, uint16_t *output) {
    FOR_LANES(count, i, n) {
        u16x16 narrow = lanes_to_bf16(load_some(values + i, n));
        __builtin_memcpy(output + i, &narrow, n * sizeof *output);
    }
}

void NAME(widen_bf16)(const uint16_t *values, uint32_t count, float *output) {
    FOR_LANES(count, i, n) {
        uint16_t padded[LANES] = {0};
        __builtin_memcpy(padded, values + i, n * sizeof *values);
        store_some(output + i, lanes_bf16(padded), n);
    }
}

INLINE lanes widen(uint32_t dtype, const void *at) {
    return dtype == COHORT_F32    ? lanes_load(at)
           : dtype == COHORT_F16  ? lanes_f16(at)
           : dtype == COHORT_BF16 ? lanes_bf16(at)
           : dtype == COHORT_I8   ? lanes_i8(at)
           : dtype == COHORT_I4   ? lanes_i4(at)
                                  : lanes_f8(at);
}

void NAME(widen_row)(const cohort_matrix *matrix, uint32_t row, float *output) {
    const uint8_t *weights = weights_of_row(matrix, row);
    FOR_LANES(matrix->columns, i, n) {
        uint8_t padded[64] = {0};
        __builtin_memcpy(padded, weights + bytes_of(matrix->dtype, i), bytes_of(matrix->dtype, n));
        store_some(output + i, widen(matrix->dtype, padded), n);
    }
    if (!matrix->scales) return;
    const float *scales = scales_of_row(matrix, row);
    for (uint32_t c = 0; c < matrix->columns; c++)
        output[c] *= scales[(matrix->column_phase + c) / matrix->block_columns];
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
