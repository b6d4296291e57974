// Sixteen f32 lanes as one vector; the compiler maps it to 1, 2 or 4 registers of the table's instruction set.
// A table's target.h says COHORT_TABLE (its name), COHORT_TARGET (its features), COHORT_PAIRS, COHORT_CODES and
// COHORT_MODE (its ways with pairs of bf16, with INT8 and with subnormals), COHORT_LOOKUP where its pairs take one, and
// the sizes of its tiles.
#pragma once

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic ignored "-Wpsabi"  // vectors wider than a register are passed to inlined functions alone

#define COHORT_JOIN_(table, name) cohort_##table##_##name
#define COHORT_JOIN(table, name) COHORT_JOIN_(table, name)
#define NAME(name) COHORT_JOIN(COHORT_TABLE, name)
#define INLINE static inline __attribute__((always_inline))

#ifdef COHORT_TARGET
#pragma clang attribute push(__attribute__((target(COHORT_TARGET))), apply_to = function)
#endif

enum { LANES = 16 };

typedef float lanes __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef uint16_t u16x16 __attribute__((vector_size(32)));
typedef int16_t i16x16 __attribute__((vector_size(32)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef int8_t i8x8 __attribute__((vector_size(8)));
typedef _Float16 f16x16 __attribute__((vector_size(32)));

enum { LINE = 64 };  // bytes that memory gives at a time

// To the second-level cache: a core can wait for more lines there than in its first. One of Zen 4 reads 19 GB/s so, and
// 13 otherwise.
INLINE void prefetch_line(const uint8_t *at) { __builtin_prefetch(at, 0, 2); }

INLINE lanes lanes_fill(float value) {
    return (lanes){value, value, value, value, value, value, value, value,
                   value, value, value, value, value, value, value, value};
}

INLINE lanes lanes_load(const void *at) {
    lanes values;
    __builtin_memcpy(&values, at, sizeof values);
    return values;
}

INLINE void lanes_store(void *at, lanes values) { __builtin_memcpy(at, &values, sizeof values); }

// Copies no more than LANES elements. A copy of a number that the compiler knows is an instruction, another is a call.
INLINE void copy_some(void *to, const void *from, size_t size, uint32_t count) {
    if (count == LANES) __builtin_memcpy(to, from, LANES * size);
    else __builtin_memcpy(to, from, count * size);
}

// The first `count` values, zeros after them.
INLINE lanes lanes_load_part(const float *at, size_t count) {
    float padded[LANES] = {0};
    __builtin_memcpy(padded, at, count * sizeof *at);
    return lanes_load(padded);
}

INLINE void lanes_store_part(float *at, lanes values, size_t count) {
    __builtin_memcpy(at, &values, count * sizeof *at);
}

INLINE lanes lanes_fma(lanes a, lanes b, lanes c) { return __builtin_elementwise_fma(a, b, c); }

INLINE lanes lanes_select(i32x16 mask, lanes yes, lanes no) {
    return (lanes)((mask & (i32x16)yes) | (~mask & (i32x16)no));
}

INLINE lanes lanes_greater(lanes a, lanes b) { return lanes_select(a > b, a, b); }

typedef float f32x8 __attribute__((vector_size(32)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint16_t u16x4 __attribute__((vector_size(8)));

INLINE f32x4 lanes_quarters(lanes v) {
    f32x8 eight = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                  __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    return __builtin_shufflevector(eight, eight, 0, 1, 2, 3) + __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
}

INLINE float lanes_sum(lanes v) {
    f32x4 four = lanes_quarters(v);
    f32x4 two = four + __builtin_shufflevector(four, four, 2, 3, 2, 3);
    return two[0] + two[1];
}

// Quarter q of vector r becomes quarter r of vector q.
INLINE void turn_quarters(lanes v[4]) {
    lanes a = __builtin_shufflevector(v[0], v[1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    lanes b = __builtin_shufflevector(v[2], v[3], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    lanes c = __builtin_shufflevector(v[0], v[1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    lanes d = __builtin_shufflevector(v[2], v[3], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    v[0] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    v[1] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    v[2] = __builtin_shufflevector(c, d, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    v[3] = __builtin_shufflevector(c, d, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

// Of two vectors' quarters (a, b, c, d) and (e, f, g, h): (a + c, b + d, e + g, f + h).
INLINE lanes lanes_add_halves(lanes v, lanes w) {
    return __builtin_shufflevector(v, w, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
           __builtin_shufflevector(v, w, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}

// The trees of all quarters of up to four vectors, the first `count` of them in order.
INLINE void store_quads(uint32_t quads, const lanes sums[4], float *output, uint32_t count) {
    lanes v = lanes_add_halves(sums[0], sums[quads > 1 ? 1 : 0]);
    lanes w = quads > 2 ? lanes_add_halves(sums[2], sums[3]) : v;
    lanes trees = __builtin_shufflevector(v, w, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
                  __builtin_shufflevector(v, w, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
    trees = __builtin_shufflevector(trees, trees, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    if (count == LANES) lanes_store(output, trees);
    else lanes_store_part(output, trees, count);
}

INLINE lanes lanes_f16(const void *at) {
    f16x16 values;
    __builtin_memcpy(&values, at, sizeof values);
    return __builtin_convertvector(values, lanes);
}

INLINE lanes lanes_bf16(const void *at) {
    u16x16 values;
    __builtin_memcpy(&values, at, sizeof values);
    return (lanes)(__builtin_convertvector(values, u32x16) << 16);
}

INLINE f32x4 quarter_bf16(const void *at) {
    u16x4 values;
    __builtin_memcpy(&values, at, sizeof values);
    return (f32x4)(__builtin_convertvector(values, u32x4) << 16);
}

// Rounded to nearest even; NaN stays NaN.
INLINE u16x16 lanes_to_bf16(lanes x) {
    u32x16 bits = (u32x16)x;
    u32x16 rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    u32x16 quiet = (bits >> 16) | 0x40;
    u32x16 nan = (u32x16)(x != x);
    return __builtin_convertvector((nan & quiet) | (~nan & rounded), u16x16);
}

// E4M3 bits, moved to where F16 has them, are the value / 256, subnormals included; only NaN needs care.
INLINE lanes lanes_f8_words(i16x16 codes) {
    i16x16 nan = (codes & 0x7f) == 0x7f;
    i16x16 moved = ((codes << 7) & (int16_t)0xbf80) | (nan & 0x7c00);
    return __builtin_convertvector((f16x16)moved, lanes) * 256.0f;
}

INLINE lanes lanes_f8(const void *at) {
    i8x16 codes;
    __builtin_memcpy(&codes, at, sizeof codes);
    return lanes_f8_words(__builtin_convertvector(codes, i16x16));
}

// The E4M3 codes of numbers up to 448, each rounded to nearest even; NaN for what is not finite.
INLINE u32x16 lanes_to_f8(lanes x) {
    u32x16 bits = (u32x16)x, magnitude = bits & 0x7fffffff;
    u32x16 normal = ((magnitude + 0x7ffff + ((magnitude >> 20) & 1)) >> 20) - (120 << 3);
    u32x16 subnormal = (u32x16)((lanes)magnitude + 0x1p14f) - 0x46800000;  // the sum's low bits count 2^-9
    u32x16 small = (u32x16)(magnitude < 0x3c800000), finite = (u32x16)(magnitude < 0x7f800000);
    u32x16 code = (small & subnormal) | (~small & normal);
    return (finite & code) | (~finite & 0x7f) | (bits >> 24 & 0x80);
}

// 16 INT8 codes.
INLINE lanes lanes_i8(const void *at) {
    i8x16 codes;
    __builtin_memcpy(&codes, at, sizeof codes);
    return __builtin_convertvector(__builtin_convertvector(codes, i32x16), lanes);
}

// 16 INT4 codes.
INLINE lanes lanes_i4(const void *at) {
    i8x8 bytes;
    __builtin_memcpy(&bytes, at, sizeof bytes);
    i8x16 twice = __builtin_shufflevector(bytes, bytes, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    i32x16 left = {28, 24, 28, 24, 28, 24, 28, 24, 28, 24, 28, 24, 28, 24, 28, 24};
    return __builtin_convertvector((__builtin_convertvector(twice, i32x16) << left) >> 28, lanes);
}

// exp(x) = 2^n exp(r), x = n ln 2 + r; 1 + r + r^2 q(r) with q fitted to the least relative error on |r| <= ln 2 / 2.
INLINE lanes lanes_exp(lanes x) {
    const lanes rounder = lanes_fill(0x1.8p23f);  // adding it leaves n in the low bits
    lanes bounded = lanes_select(x > 89.0f, lanes_fill(89.0f), lanes_select(x < -88.0f, lanes_fill(-88.0f), x));
    lanes shifted = lanes_fma(bounded, lanes_fill(0x1.715476p+0f), rounder);
    lanes n = shifted - rounder;
    lanes r = lanes_fma(n, lanes_fill(-0x1.62e4p-1f), bounded);
    r = lanes_fma(n, lanes_fill(-0x1.7f7d1cp-20f), r);
    lanes y = lanes_fma(lanes_fill(0x1.6a2352p-10f), r, lanes_fill(0x1.123a6cp-7f));
    y = lanes_fma(y, r, lanes_fill(0x1.5558f4p-5f));
    y = lanes_fma(y, r, lanes_fill(0x1.55549p-3f));
    y = lanes_fma(y, r, lanes_fill(0x1.fffffcp-2f));
    y = lanes_fma(y, r, lanes_fill(1.0f));
    y = lanes_fma(y, r, lanes_fill(1.0f));
    i32x16 exponent = (i32x16)shifted - 0x4b400000;
    i32x16 half = exponent >> 1;  // 2^128 is no f32: two factors
    y = y * (lanes)((half + 127) << 23) * (lanes)((exponent - half + 127) << 23);
    return lanes_select(x < -87.0f, lanes_fill(0.0f), y);
}

#include COHORT_PAIRS
#include COHORT_CODES
#include COHORT_MODE
