// Bytes out of a table of 16, with VPSHUFB.
#pragma once

#include <immintrin.h>

// Entry i of 16 for each byte i, 0 to 15.
INLINE i8x64 bytes_lookup(const uint8_t table[16], i8x64 indices) {
    const __m512i entries = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
    return (i8x64)_mm512_shuffle_epi8(entries, (__m512i)indices);
}
