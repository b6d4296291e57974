// Pairs of bf16, 32 in a vector, for instruction sets without a dot product of them.
#pragma once

typedef int8_t i8x64 __attribute__((vector_size(64)));
typedef int16_t i16x32 __attribute__((vector_size(64)));

#include COHORT_LOOKUP

// sum + the products of the odd, then of the even elements of each pair. The caller has subnormals flushed.
INLINE lanes pairs_dot(lanes sum, lanes weights, lanes inputs) {
    u32x16 w = (u32x16)weights, x = (u32x16)inputs;
    sum = lanes_fma((lanes)(w & 0xffff0000u), (lanes)(x & 0xffff0000u), sum);
    return lanes_fma((lanes)(w << 16), (lanes)(x << 16), sum);
}

// Of two vectors' quarters (a, b, c, d) and (e, f, g, h): (a, c, e, g) and (b, d, f, h).
INLINE void part_quarters(lanes v, lanes w, lanes *first, lanes *second) {
    *first = __builtin_shufflevector(v, w, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    *second = __builtin_shufflevector(v, w, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

// 32 FP8 codes of four rows: the first 16 of each row, then the others.
INLINE void strip_of_f8(const uint8_t *const rows[4], size_t offset, lanes strip[4]) {
    f32x8 r[4];
    for (int i = 0; i < 4; i++) __builtin_memcpy(&r[i], rows[i] + offset, sizeof r[i]);
    lanes a = __builtin_shufflevector(r[0], r[1], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    lanes b = __builtin_shufflevector(r[2], r[3], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    part_quarters(a, b, &strip[0], &strip[1]);
}

// Whether any of 64 codes is 0, subnormal or NaN: then twice the code, which has no sign, and 2 is at most 16. Here
// all is 128 less: every instruction set compares signed bytes.
INLINE bool has_special_f8(i8x64 codes) { return __builtin_reduce_or((i8x64)(codes + codes - 126 < -111)) != 0; }

// The bf16 of codes that are not special. Their magnitude stands in bits 4 to 10, as its own does, the sign in bit 15;
// the exponents' biases differ by 120.
INLINE i16x32 words_of_f8(i16x32 moved) { return (moved & (int16_t)0x87f0) + 0x3c00; }

// Words of even and of odd elements as pairs: the first four of each row, then the others.
INLINE void join_words(i16x32 even, i16x32 odd, lanes *first, lanes *second) {
    *first = (lanes)__builtin_shufflevector(even, odd, 0, 32, 1, 33, 2, 34, 3, 35, 8, 40, 9, 41, 10, 42, 11, 43,  //
                                            16, 48, 17, 49, 18, 50, 19, 51, 24, 56, 25, 57, 26, 58, 27, 59);
    *second = (lanes)__builtin_shufflevector(even, odd, 4, 36, 5, 37, 6, 38, 7, 39, 12, 44, 13, 45, 14, 46, 15, 47,  //
                                             20, 52, 21, 53, 22, 54, 23, 55, 28, 60, 29, 61, 30, 62, 31, 63);
}

// 16 codes of four rows as pairs of bf16: the first 8 of each row, then the others.
INLINE void steps_of_usual_f8(i16x32 codes, lanes *first, lanes *second) {
    join_words(words_of_f8((codes << 8) >> 4), words_of_f8(codes >> 4), first, second);
}

// 32 codes as pairs of bf16, which holds each of them exactly.
INLINE lanes pairs_f8(i16x16 codes) {
    u32x16 odd = (u32x16)lanes_f8_words(codes >> 8), even = (u32x16)lanes_f8_words((codes << 8) >> 8);
    return (lanes)((odd & 0xffff0000u) | (even >> 16));
}

// As steps_of_usual_f8. Scales make the largest of a block of weights 448: where that is four standard deviations, one
// in 9,000 is special.
INLINE void steps_of_f8(lanes codes, lanes *first, lanes *second) {
    if (__builtin_expect(!has_special_f8((i8x64)codes), true))
        return steps_of_usual_f8((i16x32)codes, first, second);
    f32x8 low = __builtin_shufflevector(codes, codes, 0, 1, 2, 3, 4, 5, 6, 7);
    f32x8 high = __builtin_shufflevector(codes, codes, 8, 9, 10, 11, 12, 13, 14, 15);
    part_quarters(pairs_f8((i16x16)low), pairs_f8((i16x16)high), first, second);
}

// INT4 codes as bf16, which holds each of them exactly: 0 to 7, then -8 to -1.
static const uint8_t i4_low[16] = {0x00, 0x80, 0x00, 0x40, 0x80, 0xa0, 0xc0, 0xe0,
                                   0x00, 0xe0, 0xc0, 0xa0, 0x80, 0x40, 0x00, 0x80};
static const uint8_t i4_high[16] = {0x00, 0x3f, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40,
                                    0xc1, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xbf};

// The words that two vectors have the low and the high bytes of: the first eight of each quarter, then the others.
INLINE void words_of_bytes(i8x64 low, i8x64 high, i16x32 *first, i16x32 *second) {
    *first = (i16x32)__builtin_shufflevector(
        low, high, 0, 64, 1, 65, 2, 66, 3, 67, 4, 68, 5, 69, 6, 70, 7, 71,  //
        16, 80, 17, 81, 18, 82, 19, 83, 20, 84, 21, 85, 22, 86, 23, 87,  //
        32, 96, 33, 97, 34, 98, 35, 99, 36, 100, 37, 101, 38, 102, 39, 103,  //
        48, 112, 49, 113, 50, 114, 51, 115, 52, 116, 53, 117, 54, 118, 55, 119);
    *second = (i16x32)__builtin_shufflevector(
        low, high, 8, 72, 9, 73, 10, 74, 11, 75, 12, 76, 13, 77, 14, 78, 15, 79,  //
        24, 88, 25, 89, 26, 90, 27, 91, 28, 92, 29, 93, 30, 94, 31, 95,  //
        40, 104, 41, 105, 42, 106, 43, 107, 44, 108, 45, 109, 46, 110, 47, 111,  //
        56, 120, 57, 121, 58, 122, 59, 123, 60, 124, 61, 125, 62, 126, 63, 127);
}

// 32 INT4 codes of four rows as pairs of bf16.
INLINE void steps_of_i4(const uint8_t *const rows[4], size_t offset, lanes steps[4]) {
    f32x4 r[4];
    for (int i = 0; i < 4; i++) __builtin_memcpy(&r[i], rows[i] + offset, sizeof r[i]);
    f32x8 a = __builtin_shufflevector(r[0], r[1], 0, 1, 2, 3, 4, 5, 6, 7);
    f32x8 b = __builtin_shufflevector(r[2], r[3], 0, 1, 2, 3, 4, 5, 6, 7);
    i16x32 codes = (i16x32)__builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    i8x64 nibbles[2] = {(i8x64)(codes & 0x0f0f), (i8x64)((codes >> 4) & 0x0f0f)};
    i16x32 first[2], second[2];  // words of even and of odd codes
    for (int i = 0; i < 2; i++)
        words_of_bytes(
            bytes_lookup(i4_low, nibbles[i]), bytes_lookup(i4_high, nibbles[i]), &first[i], &second[i]);
    join_words(first[0], first[1], &steps[0], &steps[1]);
    join_words(second[0], second[1], &steps[2], &steps[3]);
}

// 32 codes of four rows.
INLINE void strip_of_codes(uint32_t dtype, const uint8_t *const rows[4], size_t offset, lanes strip[4]) {
    if (dtype == COHORT_I4) steps_of_i4(rows, offset, strip);
    else strip_of_f8(rows, offset, strip);
}

INLINE void steps_of_codes(uint32_t dtype, const lanes strip[4], uint32_t half, lanes *first, lanes *second) {
    if (dtype != COHORT_I4) return steps_of_f8(strip[half], first, second);
    *first = strip[2 * half];
    *second = strip[2 * half + 1];
}
