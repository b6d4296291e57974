// INT8 by INT8 with VPMADDWD: the odd codes of each word, then the even ones.
#pragma once

#include <immintrin.h>

enum { CODES_ARE_UNSIGNED = 0 };

// A strip of one row.
INLINE lanes codes_weights(const void *at) { return lanes_load(at); }

INLINE __m256i half_dot(__m256i weights, __m256i inputs) {
    __m256i odd = _mm256_madd_epi16(_mm256_srai_epi16(weights, 8), _mm256_srai_epi16(inputs, 8));
    __m256i even = _mm256_madd_epi16(_mm256_srai_epi16(_mm256_slli_epi16(weights, 8), 8),
                                     _mm256_srai_epi16(_mm256_slli_epi16(inputs, 8), 8));
    return _mm256_add_epi32(odd, even);
}

// sum + the products of the four codes of each word.
INLINE lanes codes_dot(lanes sum, lanes weights, lanes inputs) {
    union {
        lanes all;
        __m256i halves[2];
    } s = {sum}, w = {weights}, x = {inputs};
    for (int h = 0; h < 2; h++) s.halves[h] = _mm256_add_epi32(s.halves[h], half_dot(w.halves[h], x.halves[h]));
    return s.all;
}
