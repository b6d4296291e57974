// The functions behind every table.
#pragma once

#include "CKernels.h"

#define COHORT_DECLARE_TABLE(table)                                                                                   \
    void cohort_##table##_product(const cohort_matrix *matrix, uint32_t first_row, uint32_t row_count,                \
                                  const cohort_rows *input, float *output, size_t output_stride);                     \
    void cohort_##table##_attend(const cohort_attention *attention, const cohort_queries *queries, uint32_t first,    \
                                 uint32_t end, void *scratch, const cohort_attention_sums *sums);                     \
    void cohort_##table##_attend_join(const cohort_attention *attention, uint32_t queries,                            \
                                      const cohort_attention_sums *part, const cohort_attention_sums *sums);          \
    void cohort_##table##_attend_end(const cohort_attention *attention, uint32_t queries,                             \
                                     const cohort_attention_sums *sums);                                              \
    void cohort_##table##_rms_norm(const float *input, const float *gain, float epsilon, uint32_t count,              \
                                   float *output);                                                                    \
    void cohort_##table##_rotate(const float *values, const float *turns, uint32_t count, float *output);             \
    void cohort_##table##_swiglu(const float *gate, const float *up, uint32_t count, float *output);                  \
    void cohort_##table##_accumulate(float weight, const float *values, uint32_t count, float *sum);                  \
    void cohort_##table##_accumulate_bf16(float weight, const uint16_t *values, uint32_t count, float *sum);          \
    void cohort_##table##_sigmoid(float *values, uint32_t count);                                                     \
    void cohort_##table##_softmax(float *values, uint32_t count);                                                     \
    void cohort_##table##_exponential(const float *values, uint32_t count, float *output);                            \
    void cohort_##table##_narrow_bf16(const float *values, uint32_t count, uint16_t *output);                         \
    void cohort_##table##_widen_bf16(const uint16_t *values, uint32_t count, float *output);                          \
    void cohort_##table##_narrow_f8(const float *values, uint32_t count, float *scales, uint8_t *codes);              \
    void cohort_##table##_widen_f8(const float *scales, const uint8_t *codes, uint32_t count, float *output);         \
    void cohort_##table##_narrow_i8(const float *values, uint32_t count, cohort_code_block *blocks);                  \
    void cohort_##table##_widen_row(const cohort_matrix *matrix, uint32_t row, float *output);                        \
    void cohort_##table##_quantize(const float *values, uint32_t count, uint32_t dtype, uint32_t group, void *codes,  \
                                   float *scales);                                                                    \
    uint64_t cohort_##table##_read(const void *bytes, size_t byte_count);                                             \
    uint64_t cohort_##table##_peak_f32(uint64_t rounds, float *values);                                               \
    uint64_t cohort_##table##_peak_bf16(uint64_t rounds, float *values);                                              \
    uint64_t cohort_##table##_peak_i8(uint64_t rounds, float *values);

#define COHORT_TABLE_OF(table)                                                                                        \
    {                                                                                                                 \
        .name = #table, .product = cohort_##table##_product, .attend = cohort_##table##_attend,                       \
        .attend_join = cohort_##table##_attend_join, .attend_end = cohort_##table##_attend_end,                       \
        .rms_norm = cohort_##table##_rms_norm, .rotate = cohort_##table##_rotate,                                     \
        .swiglu = cohort_##table##_swiglu, .accumulate = cohort_##table##_accumulate,                                 \
        .accumulate_bf16 = cohort_##table##_accumulate_bf16, .sigmoid = cohort_##table##_sigmoid,                     \
        .softmax = cohort_##table##_softmax, .exponential = cohort_##table##_exponential,                             \
        .narrow_bf16 = cohort_##table##_narrow_bf16, .widen_bf16 = cohort_##table##_widen_bf16,                       \
        .narrow_f8 = cohort_##table##_narrow_f8, .widen_f8 = cohort_##table##_widen_f8,                               \
        .narrow_i8 = cohort_##table##_narrow_i8, .widen_row = cohort_##table##_widen_row,                             \
        .quantize = cohort_##table##_quantize, .read = cohort_##table##_read,                                         \
        .peak_f32 = cohort_##table##_peak_f32, .peak_bf16 = cohort_##table##_peak_bf16,                               \
        .peak_i8 = cohort_##table##_peak_i8,                                                                          \
    }

#if defined(__x86_64__)
COHORT_DECLARE_TABLE(avx512bf16)
COHORT_DECLARE_TABLE(avx512vnni)
COHORT_DECLARE_TABLE(avx512)
COHORT_DECLARE_TABLE(avx2)
#elif defined(__aarch64__)
COHORT_DECLARE_TABLE(neon)
#endif
COHORT_DECLARE_TABLE(scalar)
