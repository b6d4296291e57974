// Bytes out of a table of 16, with VPSHUFB.
#pragma once

#include <immintrin.h>

// Entry i of 16 for each byte i, 0 to 15.
INLINE i8x64 bytes_lookup(const uint8_t table[16], i8x64 indices) {
    union {
        i8x64 all;
        __m256i halves[2];
    } v = {indices};
    const __m256i entries = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    for (int h = 0; h < 2; h++) v.halves[h] = _mm256_shuffle_epi8(entries, v.halves[h]);
    return v.all;
}
