// FP8, INT8 and INT4 of f32 numbers, in terms of lanes.
#pragma once

#include "../tables.h"
#include "runs.h"

// Nearest integers, halves to even, of numbers below 2^22; what adding 1.5 * 2^23 leaves in the low bits.
INLINE i32x16 nearest(lanes x) { return (i32x16)(x + 0x1.8p23f) - 0x4b400000; }

INLINE lanes bounded(lanes x, float least, float most) {
    lanes below = lanes_select(x > most, lanes_fill(most), x);
    return lanes_select(below < least, lanes_fill(least), below);
}

INLINE lanes i4_codes(lanes x) { return bounded((x + 0x1.8p23f) - 0x1.8p23f, -8.0f, 7.0f); }

INLINE i32x16 code_bits(uint32_t dtype, lanes x) {
    return dtype == COHORT_I4   ? (i32x16)(__builtin_convertvector(i4_codes(x), i32x16) & 15)
           : dtype == COHORT_I8 ? nearest(x)
                                : (i32x16)lanes_to_f8(bounded(x, -448.0f, 448.0f));
}

typedef uint8_t u8x8 __attribute__((vector_size(8)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));

INLINE void store_codes(uint32_t dtype, i32x16 bits, uint32_t count, uint8_t *at) {
    u8x16 bytes = __builtin_convertvector(bits, u8x16);
    if (dtype == COHORT_I4) {
        u16x8 two = (u16x8)bytes;
        u8x8 halves = __builtin_convertvector(two | two >> 4, u8x8);
        __builtin_memcpy(at, &halves, (count + 1) / 2);
    } else {
        copy_some(at, &bytes, 1, count);
    }
}

enum { MOST_GROUP_STEPS = COHORT_LONGEST_GROUP / LANES };

// A group's numbers, zeros after them.
struct group {
    lanes values[MOST_GROUP_STEPS];
    uint32_t steps;
};

INLINE void load_group(const float *values, uint32_t count, struct group *group) {
    group->steps = (count + LANES - 1) / LANES;
    for (uint32_t s = 0; s < group->steps; s++) {
        uint32_t left = count - s * LANES;
        group->values[s] =
            left < LANES ? lanes_load_part(values + s * LANES, left) : lanes_load(values + s * LANES);
    }
}

INLINE int32_t largest_of(i32x16 v) { return __builtin_reduce_max(v); }

// The scale for INT4 of numbers whose largest magnitude is `top`, signed.
INLINE float i4_scale(const struct group *group, float top) {
    const lanes inverse = lanes_fill(1.0f / top);
    float best = 0.0f, ratio = 0.0f;
    for (float end = -6.5f; end >= -9.5f; end -= 0.5f) {
        lanes products = {0}, squares = {0};
        for (uint32_t s = 0; s < group->steps; s++) {
            lanes x = group->values[s] * inverse;
            lanes code = i4_codes(x * end);
            products = lanes_fma(x, code, products);
            squares = lanes_fma(code, code, squares);
        }
        float product = lanes_sum(products), square = lanes_sum(squares), gain = product * product / square;
        if (gain > best) {
            best = gain;
            ratio = product / square;
        }
    }
    return ratio * top;
}

// The scale of a group; 0 or NaN if its codes are zeros.
INLINE float scale_of(uint32_t dtype, const struct group *group) {
    i32x16 magnitudes = {0};
    for (uint32_t s = 0; s < group->steps; s++) {
        i32x16 magnitude = (i32x16)group->values[s] & 0x7fffffff, more = magnitude > magnitudes;
        magnitudes = (more & magnitude) | (~more & magnitudes);
    }
    union {
        int32_t bits;
        float value;
    } largest = {.bits = largest_of(magnitudes)};
    if (largest.bits >= 0x7f800000) return __builtin_nanf("");
    if (largest.value < 0x1p-100f) return 0.0f;
    if (dtype == COHORT_F8_E4M3) return largest.value / 448.0f;
    if (dtype == COHORT_I8) return largest.value / 127.0f;
    i32x16 negative = {0};
    for (uint32_t s = 0; s < group->steps; s++)
        negative |= (i32x16)group->values[s] == (largest.bits | (int32_t)0x80000000);
    return i4_scale(group, largest_of(negative & 1) ? -largest.value : largest.value);
}

INLINE void quantize_row(uint32_t dtype, const float *values, uint32_t count, uint32_t size, uint8_t *codes,
                         float *scales) {
    for (uint32_t begin = 0; begin < count; begin += size, scales++) {
        const uint32_t length = count - begin < size ? count - begin : size;
        struct group group;
        load_group(values + begin, length, &group);
        *scales = scale_of(dtype, &group);
        const bool is_zero = !(*scales > 0.0f || *scales < 0.0f);
        const lanes inverse = lanes_fill(1.0f / *scales);
        for (uint32_t s = 0; s < group.steps; s++) {
            const uint32_t left = length - s * LANES;
            i32x16 bits = is_zero ? (i32x16){0} : code_bits(dtype, group.values[s] * inverse);
            uint8_t *at = codes + bytes_of(dtype, begin + s * LANES);
            if (left < LANES) store_codes(dtype, bits, left, at);
            else store_codes(dtype, bits, LANES, at);
        }
    }
}

void NAME(quantize)(const float *values, uint32_t count, uint32_t dtype, uint32_t group, void *codes, float *scales) {
    if (dtype == COHORT_I4) return quantize_row(COHORT_I4, values, count, group, codes, scales);
    if (dtype == COHORT_I8) return quantize_row(COHORT_I8, values, count, group, codes, scales);
    quantize_row(COHORT_F8_E4M3, values, count, group, codes, scales);
}

// Sums of the four numbers of each quarter.
INLINE i32x4 sums_of_quarters(i32x16 v) {
    i32x4 sums;
    for (int q = 0; q < 4; q++) sums[q] = v[4 * q] + v[4 * q + 1] + v[4 * q + 2] + v[4 * q + 3];
    return sums;
}

void NAME(narrow_i8)(const float *values, uint32_t count, cohort_code_block *blocks) {
    for (uint32_t begin = 0; begin < count; begin += COHORT_ROW_BLOCK, blocks++) {
        const uint32_t length = count - begin < COHORT_ROW_BLOCK ? count - begin : COHORT_ROW_BLOCK;
        cohort_code_block block = {0};
        struct group group;
        load_group(values + begin, length, &group);
        block.scale = scale_of(COHORT_I8, &group);
        const lanes inverse = lanes_fill(1.0f / block.scale);
        i32x16 sums = {0};
        for (uint32_t s = 0; block.scale > 0.0f && s < group.steps; s++) {
            i32x16 codes = nearest(group.values[s] * inverse);
            sums += codes;
            store_codes(COHORT_I8, codes, LANES, (uint8_t *)block.codes + s * LANES);
        }
        i32x4 starts = sums_of_quarters(sums) * -128;
        __builtin_memcpy(block.starts, &starts, sizeof starts);
        __builtin_memcpy(blocks, &block, sizeof block);
    }
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
