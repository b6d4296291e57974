// What works on single vectors, in terms of lanes.
#pragma once

#include "../tables.h"
#include "tile.h"

// What is done to each LANES values, `at` being the first of them; then to the `count` that are left, if any. The
// compiler knows the count of whole vectors: a copy of one that it does not know is a call.
#define FOR_LANES(total, at, count, ...)                                         \
    do {                                                                         \
        uint32_t at = 0;                                                         \
        for (const uint32_t count = LANES; (total) - at >= count; at += LANES) { \
            __VA_ARGS__;                                                         \
        }                                                                        \
        if (at < (total)) {                                                      \
            const uint32_t count = (total) - at;                                 \
            __VA_ARGS__;                                                         \
        }                                                                        \
    } while (0)

// Calls body(at, count) for each COHORT_ROW_BLOCK columns; the last count may be less, never zero.
#define FOR_BLOCKS(total, at, count)                                                                           \
    for (uint32_t at = 0, count;                                                                               \
         count = (total) - at < COHORT_ROW_BLOCK ? (total) - at : COHORT_ROW_BLOCK, at < (total);              \
         at += COHORT_ROW_BLOCK)

INLINE lanes load_some(const float *at, uint32_t count) {
    return count == LANES ? lanes_load(at) : lanes_load_part(at, count);
}

INLINE void store_some(float *at, lanes values, uint32_t count) {
    if (count == LANES) lanes_store(at, values);
    else lanes_store_part(at, values, count);
}

INLINE lanes load_halves(const uint16_t *at, uint32_t count) {
    uint16_t padded[LANES] = {0};
    copy_some(padded, at, sizeof *at, count);
    return lanes_bf16(padded);
}

void NAME(rms_norm)(const float *input, const float *gain, float epsilon, uint32_t count, float *output) {
    lanes squares = {0};
    FOR_LANES(count, i, n, lanes x = load_some(input + i, n); squares = lanes_fma(x, x, squares));
    float mean = lanes_sum(squares) / (float)count;
    lanes factor = lanes_fill(1.0f / __builtin_sqrtf(mean + epsilon));
    FOR_LANES(count, i, n, store_some(output + i, load_some(input + i, n) * factor * load_some(gain + i, n), n));
}

typedef uint64_t u64x8 __attribute__((vector_size(64)));

INLINE lanes turn_pairs(lanes x, lanes turn) {
    const u64x8 first_signs = (u64x8){0} + (1u << 31);  // of each pair
    const lanes cosine = __builtin_shufflevector(turn, turn, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14);
    const lanes sine = __builtin_shufflevector(turn, turn, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15);
    const lanes other = __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return x * cosine + other * (lanes)((u64x8)sine ^ first_signs);
}

void NAME(rotate)(const float *values, const float *turns, uint32_t count, float *output) {
    FOR_LANES(count, i, n,
              store_some(output + i, turn_pairs(load_some(values + i, n), load_some(turns + i, n)), n));
}

INLINE lanes logistic_denominator(lanes x) { return lanes_exp(-x) + 1.0f; }

void NAME(swiglu)(const float *gate, const float *up, uint32_t count, float *output) {
    FOR_LANES(count, i, n, lanes x = load_some(gate + i, n);
              store_some(output + i, x / logistic_denominator(x) * load_some(up + i, n), n));
}

void NAME(sigmoid)(float *values, uint32_t count) {
    FOR_LANES(count, i, n, store_some(values + i, 1.0f / logistic_denominator(load_some(values + i, n)), n));
}

void NAME(accumulate)(float weight, const float *values, uint32_t count, float *sum) {
    const lanes factor = lanes_fill(weight);
    FOR_LANES(count, i, n,
              store_some(sum + i, lanes_fma(factor, load_some(values + i, n), load_some(sum + i, n)), n));
}

void NAME(accumulate_bf16)(float weight, const uint16_t *values, uint32_t count, float *sum) {
    FOR_LANES(
        count, i, n,
        store_some(sum + i, lanes_fma(lanes_fill(weight), load_halves(values + i, n), load_some(sum + i, n)), n));
}

void NAME(exponential)(const float *values, uint32_t count, float *output) {
    FOR_LANES(count, i, n, store_some(output + i, lanes_exp(load_some(values + i, n)), n));
}

void NAME(softmax)(float *values, uint32_t count) {
    float maximum = -__builtin_inff();
    for (uint32_t i = 0; i < count; i++) maximum = values[i] > maximum ? values[i] : maximum;
    lanes sums = {0};
    FOR_LANES(count, i, n, store_some(values + i, lanes_exp(load_some(values + i, n) - maximum), n);
              sums += load_some(values + i, n));  // absent lanes add zero
    lanes total = lanes_fill(lanes_sum(sums));
    FOR_LANES(count, i, n, store_some(values + i, load_some(values + i, n) / total, n));
}

void NAME(narrow_bf16)(const float *values, uint32_t count, uint16_t *output) {
    FOR_LANES(count, i, n, const u16x16 halves = lanes_to_bf16(load_some(values + i, n));
              copy_some(output + i, &halves, sizeof *output, n));
}

void NAME(widen_bf16)(const uint16_t *values, uint32_t count, float *output) {
    FOR_LANES(count, i, n, store_some(output + i, load_halves(values + i, n), n));
}

// The bits of the largest finite magnitude.
INLINE uint32_t largest_magnitude(const float *values, uint32_t count) {
    u32x16 largest = {0};
    FOR_LANES(count, i, n, u32x16 bits = (u32x16)load_some(values + i, n) & 0x7fffffff;
              bits &= (u32x16)(bits < 0x7f800000); largest = __builtin_elementwise_max(bits, largest));
    return __builtin_reduce_max(largest);
}

INLINE lanes load_codes(const uint8_t *at, uint32_t count) {
    uint8_t padded[LANES] = {0};
    copy_some(padded, at, sizeof *at, count);
    return lanes_f8(padded);
}

void NAME(narrow_f8)(const float *values, uint32_t count, float *scales, uint8_t *codes) {
    FOR_BLOCKS(count, first, width) {
        uint32_t largest = largest_magnitude(values + first, width);
        // 448 is 1.75 * 2^8.
        int32_t exponent = (int32_t)(largest >> 23) - 8 + ((largest & 0x7fffff) > 0x600000);
        if (exponent < 1) exponent = 1;
        uint32_t scale = (uint32_t)exponent << 23, inverse = (uint32_t)(254 - exponent) << 23;
        __builtin_memcpy(scales + first / COHORT_ROW_BLOCK, &scale, sizeof scale);
        lanes factor = (lanes)((u32x16){0} + inverse);
        FOR_LANES(width, i, n,
                  const u8x16 narrow = __builtin_convertvector(
                      lanes_to_f8(load_some(values + first + i, n) * factor), u8x16);
                  copy_some(codes + first + i, &narrow, sizeof *codes, n));
    }
}

void NAME(widen_f8)(const float *scales, const uint8_t *codes, uint32_t count, float *output) {
    FOR_BLOCKS(count, first, width) {
        lanes scale = lanes_fill(scales[first / COHORT_ROW_BLOCK]);
        FOR_LANES(width, i, n, store_some(output + first + i, load_codes(codes + first + i, n) * scale, n));
    }
}

// The columns of a run, times its scale if there is one.
INLINE void widen_run_of_row(uint32_t dtype, const uint8_t *weights, struct run run, const float *scales,
                             float *output) {
    const lanes scale = lanes_fill(scales ? scales[scale_step(dtype) * run.block] : 1.0f);
    weights += offset_of(dtype, run.begin);
    output += run.begin;
    FOR_LANES(run.end - run.begin, i, n, const uint8_t *at = weights + offset_of(dtype, i);
              const lanes values = n < LANES ? load_weights_part(ORDER_LANES, dtype, at, n)
                                             : load_weights(ORDER_LANES, dtype, at);
              store_some(output + i, scales ? values * scale : values, n));
}

INLINE void widen_row_of(uint32_t dtype, const cohort_matrix *matrix, uint32_t row, float *output) {
    for (struct run run = first_run(matrix); run.begin < run.end; run = next_run(matrix, run))
        widen_run_of_row(dtype, weights_of_row(matrix, row), run, scales_of_row(matrix, row), output);
}

void NAME(widen_row)(const cohort_matrix *matrix, uint32_t row, float *output) {
    switch (matrix->dtype) {
        case COHORT_F32: return widen_row_of(COHORT_F32, matrix, row, output);
        case COHORT_F16: return widen_row_of(COHORT_F16, matrix, row, output);
        case COHORT_BF16: return widen_row_of(COHORT_BF16, matrix, row, output);
        case COHORT_I8: return widen_row_of(COHORT_I8, matrix, row, output);
        case COHORT_I4: return widen_row_of(COHORT_I4, matrix, row, output);
        default: return widen_row_of(COHORT_F8_E4M3, matrix, row, output);
    }
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
