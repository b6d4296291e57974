// Bytes out of a table of 16, with TBL.
#pragma once

#include <arm_neon.h>

// Entry i of 16 for each byte i, 0 to 15.
INLINE i8x64 bytes_lookup(const uint8_t table[16], i8x64 indices) {
    union {
        i8x64 all;
        uint8x16_t quarters[4];
    } v = {indices};
    for (int q = 0; q < 4; q++) v.quarters[q] = vqtbl1q_u8(vld1q_u8(table), v.quarters[q]);
    return v.all;
}
