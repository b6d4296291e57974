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

// 64 E4M3 codes as pairs of bf16, which holds each of them exactly: the first 32, then the others.
INLINE void pairs_f8_two(const void *at, lanes *first, lanes *second) {
    // Bytes are interleaved in quarters of a register, so quarter q gets codes 8q ..< 8q + 8 and 32 + 8q ..< 40 + 8q.
    __m512i codes = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), _mm512_loadu_si512(at));
    __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(low_bytes), codes, _mm512_load_si512(low_bytes + 64));
    __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(high_bytes), codes, _mm512_load_si512(high_bytes + 64));
    high = _mm512_or_si512(high, _mm512_and_si512(codes, _mm512_set1_epi8((char)0x80)));
    *first = (lanes)_mm512_unpacklo_epi8(low, high);
    *second = (lanes)_mm512_unpackhi_epi8(low, high);
}

INLINE lanes pairs_f8(const void *at) {
    uint8_t padded[64] = {0};
    lanes first, second;
    __builtin_memcpy(padded, at, 32);
    pairs_f8_two(padded, &first, &second);
    return first;
}
