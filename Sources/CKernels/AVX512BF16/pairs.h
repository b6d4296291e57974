// Pairs of bf16 with VDPBF16PS and byte tables.
#pragma once

#include <immintrin.h>

INLINE lanes pairs_dot(lanes sum, lanes weights, lanes inputs) {
    return (lanes)_mm512_dpbf16_ps((__m512)sum, (__m512bh)weights, (__m512bh)inputs);
}

// The 128 magnitudes of E4M3 as bf16, low and high bytes. From 8 on the low byte is magnitude << 4.
#define LOW_BYTES 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0
static const uint8_t low_bytes[128] __attribute__((aligned(64))) = {
    0x00, 0x00, 0x80, 0xc0, 0x00, 0x20, 0x40, 0x60, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0,  //
    LOW_BYTES, 0xf0, LOW_BYTES, 0xf0, LOW_BYTES, 0xf0, LOW_BYTES, 0xf0, LOW_BYTES, 0xf0, LOW_BYTES, 0xf0,
    LOW_BYTES, 0xc0,  // NaN
};
static const uint8_t high_bytes[128] __attribute__((aligned(64))) = {
    [0] = 0x00,           [1 ... 3] = 0x3b,     [4 ... 15] = 0x3c,    [16 ... 31] = 0x3d,
    [32 ... 47] = 0x3e,   [48 ... 63] = 0x3f,   [64 ... 79] = 0x40,   [80 ... 95] = 0x41,
    [96 ... 111] = 0x42,  [112 ... 126] = 0x43, [127] = 0x7f,
};
#undef LOW_BYTES

// INT4 codes; twice, since the lookup takes five bits.
#define CODES_I4 0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0, \
                 0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80
static const uint16_t codes_i4[32] __attribute__((aligned(64))) = {CODES_I4, CODES_I4};
#undef CODES_I4

INLINE __m512i halves(const uint8_t *low, const uint8_t *high) {
    __m512i first = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)low));
    return _mm512_mask_broadcast_i64x4(first, 0xf0, _mm256_loadu_si256((const __m256i *)high));
}

// 32 FP8 codes of four rows: the first 16 of each row, then the others.
INLINE void strip_of_f8(const uint8_t *const rows[4], size_t offset, lanes strip[4]) {
    __m512i a = halves(rows[0] + offset, rows[1] + offset), b = halves(rows[2] + offset, rows[3] + offset);
    strip[0] = (lanes)_mm512_shuffle_i64x2(a, b, 0x88);
    strip[1] = (lanes)_mm512_shuffle_i64x2(a, b, 0xdd);
}

// 32 INT4 codes of four rows: the first 16 of each row twice, then the others.
INLINE void strip_of_i4(const uint8_t *const rows[4], size_t offset, lanes strip[4]) {
    __m512i codes = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(rows[0] + offset)));
    codes = _mm512_inserti32x4(codes, _mm_loadu_si128((const __m128i *)(rows[1] + offset)), 1);
    codes = _mm512_inserti32x4(codes, _mm_loadu_si128((const __m128i *)(rows[2] + offset)), 2);
    codes = _mm512_inserti32x4(codes, _mm_loadu_si128((const __m128i *)(rows[3] + offset)), 3);
    strip[0] = (lanes)_mm512_unpacklo_epi64(codes, codes);
    strip[1] = (lanes)_mm512_unpackhi_epi64(codes, codes);
}

INLINE void strip_of_codes(uint32_t dtype, const uint8_t *const rows[4], size_t offset, lanes strip[4]) {
    if (dtype == COHORT_I4) strip_of_i4(rows, offset, strip);
    else strip_of_f8(rows, offset, strip);
}

INLINE void steps_of_f8(__m512i codes, lanes *first, lanes *second) {
    __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(low_bytes), codes, _mm512_load_si512(low_bytes + 64));
    __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(high_bytes), codes, _mm512_load_si512(high_bytes + 64));
    high = _mm512_or_si512(high, _mm512_and_si512(codes, _mm512_set1_epi8((char)0x80)));
    *first = (lanes)_mm512_unpacklo_epi8(low, high);
    *second = (lanes)_mm512_unpackhi_epi8(low, high);
}

// Of 16 codes eight: each is brought to the low end of a word and looked up there. Shifts are those of four words: the
// bits that stand before a code.
INLINE lanes step_of_i4(__m512i codes, long long shifts_of_four, long long shifts_of_others) {
    __m512i shifts = _mm512_broadcast_i32x4(_mm_set_epi64x(shifts_of_others, shifts_of_four));
    return (lanes)_mm512_permutexvar_epi16(_mm512_multishift_epi64_epi8(shifts, codes), _mm512_load_si512(codes_i4));
}

INLINE void steps_of_i4(__m512i codes, lanes *first, lanes *second) {
    *first = step_of_i4(codes, 0x000c000800040000, 0x001c001800140010);
    *second = step_of_i4(codes, 0x002c002800240020, 0x003c003800340030);
}

// bf16 holds each code's number exactly.
INLINE void steps_of_codes(uint32_t dtype, const lanes strip[4], uint32_t half, lanes *first, lanes *second) {
    if (dtype == COHORT_I4) steps_of_i4((__m512i)strip[half], first, second);
    else steps_of_f8((__m512i)strip[half], first, second);
}
