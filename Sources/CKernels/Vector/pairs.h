// Pairs of bf16, 32 in a vector, for instruction sets without a dot product of them.
#pragma once

// sum + the products of the odd, then of the even elements of each pair. The caller has subnormals flushed.
INLINE lanes pairs_dot(lanes sum, lanes weights, lanes inputs) {
    u32x16 w = (u32x16)weights, x = (u32x16)inputs;
    sum = lanes_fma((lanes)(w & 0xffff0000u), (lanes)(x & 0xffff0000u), sum);
    return lanes_fma((lanes)(w << 16), (lanes)(x << 16), sum);
}

// 32 E4M3 codes as pairs of bf16, which holds each of them exactly.
INLINE lanes pairs_f8(const void *at) {
    i16x16 codes;
    __builtin_memcpy(&codes, at, sizeof codes);
    u32x16 odd = (u32x16)lanes_f8_words(codes >> 8);
    u32x16 even = (u32x16)lanes_f8_words((codes << 8) >> 8);
    return (lanes)((odd & 0xffff0000u) | (even >> 16));
}

// 32 INT4 codes likewise.
INLINE lanes pairs_i4(const void *at) {
    i8x16 bytes;
    __builtin_memcpy(&bytes, at, sizeof bytes);
    i32x16 codes = __builtin_convertvector(bytes, i32x16);
    u32x16 odd = (u32x16)__builtin_convertvector((codes << 24) >> 28, lanes);
    u32x16 even = (u32x16)__builtin_convertvector((codes << 28) >> 28, lanes);
    return (lanes)((odd & 0xffff0000u) | (even >> 16));
}

// 32 codes of four rows.
INLINE void strip_of_codes(uint32_t dtype, const uint8_t *const rows[4], size_t offset, lanes strip[4]) {
    for (int r = 0; r < 4; r++)
        strip[r] = dtype == COHORT_I4 ? pairs_i4(rows[r] + offset) : pairs_f8(rows[r] + offset);
    turn_quarters(strip);
}

INLINE void steps_of_codes(uint32_t dtype, const lanes strip[4], uint32_t half, lanes *first, lanes *second) {
    (void)dtype;
    *first = strip[2 * half];
    *second = strip[2 * half + 1];
}
