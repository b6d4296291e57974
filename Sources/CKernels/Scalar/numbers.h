// Single numbers as the scalar twin computes with them.
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF

enum { LANES = 16 };

static inline float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of_bf16(uint16_t bits) { return float_of_bits((uint32_t)bits << 16); }

static inline float float_of_f16(uint16_t bits) {
    float sign = bits & 0x8000 ? -1.0f : 1.0f;
    uint32_t exponent = bits >> 10 & 31, mantissa = bits & 1023;
    if (exponent == 0) return sign * (float)mantissa * 0x1p-24f;
    if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
    return sign * float_of_bits((exponent + 112) << 23 | mantissa << 13);
}

static inline float float_of_f8(uint8_t code) {
    float sign = code & 0x80 ? -1.0f : 1.0f;
    uint32_t exponent = code >> 3 & 15, mantissa = code & 7;
    if (exponent == 0) return sign * (float)mantissa * 0x1p-9f;
    if (exponent == 15 && mantissa == 7) return NAN;
    return sign * float_of_bits((exponent + 120) << 23 | mantissa << 20);
}

static inline float float_of_i4(uint8_t byte, bool high) {
    int code = high ? byte >> 4 : byte & 15;
    return (float)(code < 8 ? code : code - 16);
}

// The nearest, ties to even, at most 448; NaN for what is not finite.
static inline uint8_t f8_of_float(float value) {
    uint8_t sign = signbit(value) ? 0x80 : 0;
    if (!isfinite(value)) return sign | 0x7f;
    float magnitude = fminf(fabsf(value), 448.0f);
    if (magnitude < 0x1p-6f) return (uint8_t)(sign | (uint8_t)rintf(magnitude * 512.0f));
    uint32_t bits = bits_of_float(magnitude);
    return (uint8_t)(sign | (((bits + 0x7ffff + (bits >> 20 & 1)) >> 20) - (120 << 3)));
}

// Where a weight stands among those of its matrix.
static inline size_t index_of(const cohort_matrix *matrix, uint32_t row, uint32_t column) {
    if (matrix->dtype != COHORT_I8) return row * matrix->row_stride + column;
    uint32_t in_four = row % COHORT_FOUR, in_piece = column % COHORT_PIECE;
    return (row - in_four) * matrix->row_stride + COHORT_FOUR * (column - in_piece) + COHORT_PIECE * in_four + in_piece;
}

// The scale of a block of columns in a row.
static inline float scale_at(const cohort_matrix *matrix, uint32_t row, uint32_t block) {
    row += matrix->row_phase;
    if (matrix->dtype != COHORT_I8)
        return matrix->scales[(size_t)(row / matrix->block_rows) * matrix->scale_stride + block];
    uint32_t in_four = row % COHORT_FOUR;
    return matrix->scales[(size_t)(row - in_four) * matrix->scale_stride + COHORT_FOUR * block + in_four];
}

static inline float float_of(uint32_t dtype, const void *values, size_t index) {
    uint16_t half;
    float single;
    switch (dtype) {
        case COHORT_F32:
            memcpy(&single, (const uint8_t *)values + 4 * index, 4);
            return single;
        case COHORT_F16:
            memcpy(&half, (const uint8_t *)values + 2 * index, 2);
            return float_of_f16(half);
        case COHORT_BF16:
            memcpy(&half, (const uint8_t *)values + 2 * index, 2);
            return float_of_bf16(half);
        case COHORT_I8:
            return ((const int8_t *)values)[index];
        case COHORT_I4:
            return float_of_i4(((const uint8_t *)values)[index / 2], index % 2 == 1);
        default:
            return float_of_f8(((const uint8_t *)values)[index]);
    }
}

static inline float zero_if_subnormal(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0.0f, x) : x; }

// fma that reads subnormals as zeros, and gives zeros for what is still subnormal when rounded to 24 bits.
static inline float flushing_fma(float a, float b, float c) {
    a = zero_if_subnormal(a);
    b = zero_if_subnormal(b);
    c = zero_if_subnormal(c);
    float result = fmaf(a, b, c);
    if (fabsf(result) > 0x1p-126f || fabsf(c) > 0x1p-60f || isnan(result)) return result;
    float enlarged = fmaf(a * 0x1p50f, b * 0x1p50f, c * 0x1p100f);  // rounds to 24 bits where `result` may have fewer
    return fabsf(enlarged) < 0x1p-26f ? copysignf(0.0f, enlarged) : result;
}

static inline uint16_t bf16_of_float(float value) {
    uint32_t bits = bits_of_float(value);
    if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float tree(const float sums[LANES]) {
    float t[LANES];
    memcpy(t, sums, sizeof t);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) t[l] += t[l + half];
    return t[0];
}

static inline float exp_scalar(float x) {
    float bounded = x > 89.0f ? 89.0f : x < -88.0f ? -88.0f : x;
    float shifted = fmaf(bounded, 0x1.715476p+0f, 0x1.8p23f);
    float n = shifted - 0x1.8p23f;
    float r = fmaf(n, -0x1.62e4p-1f, bounded);
    r = fmaf(n, -0x1.7f7d1cp-20f, r);
    float y = fmaf(0x1.6a2352p-10f, r, 0x1.123a6cp-7f);
    y = fmaf(y, r, 0x1.5558f4p-5f);
    y = fmaf(y, r, 0x1.55549p-3f);
    y = fmaf(y, r, 0x1.fffffcp-2f);
    y = fmaf(y, r, 1.0f);
    y = fmaf(y, r, 1.0f);
    if (isnan(x)) return x;
    if (x < -87.0f) return 0.0f;
    int exponent = (int)n, half = exponent >> 1;
    return y * float_of_bits((uint32_t)(half + 127) << 23) * float_of_bits((uint32_t)(exponent - half + 127) << 23);
}
