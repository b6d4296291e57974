// What a machine can do at best, in terms of lanes: reading alone, and arithmetic on registers alone.
#pragma once

#include "../tables.h"
#include "lanes.h"

enum { STREAMS = 8, CHAINS = PANEL_TILE_QUADS * PANEL_TILE_INPUTS };

_Static_assert((2 + CHAINS) * LANES <= COHORT_PEAK_VALUES, "the caller's values hold factors and sums");

uint64_t NAME(read)(const void *bytes, size_t byte_count) {
    u32x16 sums[STREAMS] = {0};
    for (const uint8_t *at = bytes, *end = at + byte_count; at < end; at += sizeof sums) {
        u32x16 values[STREAMS];
        __builtin_memcpy(values, at, sizeof values);
#pragma clang loop unroll(full)
        for (int stream = 0; stream < STREAMS; stream++) sums[stream] ^= values[stream];
    }
    for (int stream = 1; stream < STREAMS; stream++) sums[0] ^= sums[stream];
    uint64_t words[8], result = 0;
    __builtin_memcpy(words, sums, sizeof words);
    for (int word = 0; word < 8; word++) result ^= words[word];
    return result;
}

#define PEAK(dot, multiply_adds)                                                             \
    lanes sums[CHAINS], left = lanes_load(values), right = lanes_load(values + LANES);       \
    __builtin_memcpy(sums, values + 2 * LANES, sizeof sums);                                 \
    for (uint64_t round = 0; round < rounds; round++) {                                      \
        _Pragma("clang loop unroll(full)") for (int chain = 0; chain < CHAINS; chain++)      \
            sums[chain] = dot;                                                               \
    }                                                                                        \
    __builtin_memcpy(values + 2 * LANES, sums, sizeof sums);                                 \
    return rounds * CHAINS * (multiply_adds);

uint64_t NAME(peak_f32)(uint64_t rounds, float *values) {
    PEAK(lanes_fma(left, right, sums[chain]), LANES)
}

uint64_t NAME(peak_bf16)(uint64_t rounds, float *values) {
    PEAK(pairs_dot(sums[chain], left, right), 2 * LANES)
}

uint64_t NAME(peak_i8)(uint64_t rounds, float *values) {
    PEAK(codes_dot(sums[chain], left, right), 4 * LANES)
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
