// INT8 by INT8 with VPMADDWD: the odd codes of each word, then the even ones.
#pragma once

#include <immintrin.h>

enum { CODES_ARE_UNSIGNED = 0 };

// Codes of four rows.
INLINE lanes codes_weights(const void *at) { return lanes_load(at); }

INLINE __m512i odd_codes(lanes codes) { return _mm512_srai_epi16((__m512i)codes, 8); }

INLINE __m512i even_codes(lanes codes) { return _mm512_srai_epi16(_mm512_slli_epi16((__m512i)codes, 8), 8); }

// sum + the products of the four codes of each word.
INLINE lanes codes_dot(lanes sum, lanes weights, lanes inputs) {
    __m512i odd = _mm512_madd_epi16(odd_codes(weights), odd_codes(inputs));
    __m512i even = _mm512_madd_epi16(even_codes(weights), even_codes(inputs));
    return (lanes)_mm512_add_epi32((__m512i)sum, _mm512_add_epi32(odd, even));
}
