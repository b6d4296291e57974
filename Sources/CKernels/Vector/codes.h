// INT8 by INT8, 64 in a vector, for instruction sets without a product of bytes.
#pragma once

typedef int16_t i16x32 __attribute__((vector_size(64)));

enum { CODES_ARE_UNSIGNED = 0 };

// Codes of four rows.
INLINE lanes codes_weights(const void *at) { return lanes_load(at); }

// sum + the products of the four codes of each word. No two products of a weight and an activation, which is no less
// than -127, leave the 16 bits of a sum.
INLINE lanes codes_dot(lanes sum, lanes weights, lanes inputs) {
    i16x32 w = (i16x32)weights, x = (i16x32)inputs;
    i32x16 two = (i32x16)((w >> 8) * (x >> 8) + ((w << 8) >> 8) * ((x << 8) >> 8));
    return (lanes)((i32x16)sum + (two >> 16) + ((two << 16) >> 16));
}
