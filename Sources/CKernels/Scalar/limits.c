// What a machine can do at best, number by number.
#include "../tables.h"
#include "numbers.h"

enum { CHAINS = 8 };

uint64_t cohort_scalar_read(const void *bytes, size_t byte_count) {
    uint64_t result = 0;
    for (size_t at = 0; at < byte_count; at += sizeof result) {
        uint64_t word;
        __builtin_memcpy(&word, (const uint8_t *)bytes + at, sizeof word);
        result ^= word;
    }
    return result;
}

uint64_t cohort_scalar_peak_f32(uint64_t rounds, float *values) {
    float *sums = values + 2 * LANES;
    for (uint64_t round = 0; round < rounds; round++)
        for (int chain = 0; chain < CHAINS; chain++)
            sums[chain] = fmaf(values[chain], values[LANES + chain], sums[chain]);
    return rounds * CHAINS;
}

uint64_t cohort_scalar_peak_bf16(uint64_t rounds, float *values) {
    uint32_t left[CHAINS], right[CHAINS];
    float *sums = values + 2 * LANES;
    __builtin_memcpy(left, values, sizeof left);
    __builtin_memcpy(right, values + LANES, sizeof right);
    for (uint64_t round = 0; round < rounds; round++)
        for (int chain = 0; chain < CHAINS; chain++) {
            uint32_t a = left[chain], b = right[chain];
            sums[chain] = fmaf(float_of_bits(a & 0xffff0000u), float_of_bits(b & 0xffff0000u), sums[chain]);
            sums[chain] = fmaf(float_of_bits(a << 16), float_of_bits(b << 16), sums[chain]);
        }
    return rounds * CHAINS * 2;
}

uint64_t cohort_scalar_peak_i8(uint64_t rounds, float *values) {
    int8_t left[4 * CHAINS], right[4 * CHAINS];
    int32_t sums[CHAINS];
    __builtin_memcpy(left, values, sizeof left);
    __builtin_memcpy(right, values + LANES, sizeof right);
    __builtin_memcpy(sums, values + 2 * LANES, sizeof sums);
    for (uint64_t round = 0; round < rounds; round++)
        for (int i = 0; i < 4 * CHAINS; i++) sums[i / 4] += left[i] * right[i];
    __builtin_memcpy(values + 2 * LANES, sums, sizeof sums);
    return rounds * CHAINS * 4;
}
