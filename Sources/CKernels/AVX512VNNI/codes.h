// INT8 by INT8 with VPDPBUSD, whose weights are unsigned: codes + 128, made up for by what sums begin with.
#pragma once

#include <immintrin.h>

enum { CODES_ARE_UNSIGNED = 1 };

// Codes of four rows.
INLINE lanes codes_weights(const void *at) { return (lanes)((u32x16)lanes_load(at) ^ 0x80808080u); }

// sum + the products of the four codes of each word.
INLINE lanes codes_dot(lanes sum, lanes weights, lanes inputs) {
    return (lanes)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, (__m512i)inputs);
}
