// The arithmetic of Cohort: one table of plain functions per instruction set, chosen at run time.
//
// All tables give the same bits (the payload of a NaN excepted), and an output depends on its own row of the matrix and
// its own row of the input alone: not on how many rows a call has, nor on which of them. So there is one order of
// reduction, written down here and followed by every table; "fma" rounds once.
//
// Lanes. A run of columns is cut into steps. Each of 16 lanes has one f32 sum, which starts at +0:
//   f32 input, or F32 and F16 weights: a step is 16 columns, lane l does sum = fma(weight[l], input[l], sum);
//   bf16 input and BF16 or FP8 weights: a step is 32 columns, lane l does sum = fma(weight[2l+1], input[2l+1], sum),
//     then sum = fma(weight[2l], input[2l], sum). The whole product reads subnormals as zeros, and results that are
//     subnormal after rounding become zeros, signs kept: this is what VDPBF16PS does.
// A run's last step is filled up with columns of +0 weights and +0 inputs. Lanes are added up as a tree: l and l + 8,
// then l and l + 4, l + 2, l + 1.
//
// Runs. Weights without scales: the row is one run, its tree is the output. FP8: each block's columns are a run; lane
// by lane total = fma(sum, scale of the block, total), total starts at +0, and the tree of the totals is the output.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    COHORT_F32 = 0,
    COHORT_F16 = 1,
    COHORT_BF16 = 2,
    COHORT_F8_E4M3 = 3,
    COHORT_DTYPE_COUNT = 4,
};

// A weight matrix [rows, columns], row-major, in its stored dtype; no alignment is assumed of `weights`.
// FP8: element (r, c) is value * scales[i * scale_stride + j], i = (row_phase + r) / block_rows,
// j = (column_phase + c) / block_columns. The phases say where a slice of a bigger matrix begins in that matrix's first
// block.
typedef struct cohort_matrix {
    const void *weights;
    const float *scales;    // NULL unless FP8
    size_t row_stride;      // elements from one row to the next
    uint32_t dtype;         // COHORT_*
    uint32_t columns;
    uint32_t scale_stride;  // scales from one row of blocks to the next
    uint32_t block_rows, block_columns;
    uint32_t row_phase, column_phase;
} cohort_matrix;

// Rows of activations [rows, columns of the matrix], f32 or bf16.
typedef struct cohort_rows {
    const void *values;
    size_t stride;  // elements from one row to the next
    uint32_t count;
    uint32_t dtype;  // COHORT_F32 or COHORT_BF16
} cohort_rows;

// One token's causal attention over the latent cache.
typedef struct cohort_attention {
    const void *const *pages;  // pages[p]: [page_positions, latent + rope] values of this layer, no alignment assumed
    uint32_t dtype;            // of the pages: COHORT_F32 or COHORT_BF16
    uint32_t page_positions;   // a multiple of COHORT_ATTENTION_BLOCK
    uint32_t positions;        // attends to 0 ..< positions
    uint32_t latent, rope;
    float scale;
} cohort_attention;

enum { COHORT_ATTENTION_BLOCK = 32, COHORT_PEAK_VALUES = 256 };

typedef struct __attribute__((swift_attr("@Sendable"))) cohort_kernels {
    const char *name;

    // output[t * output_stride + n] = sum over c of input[t, c] * matrix[first_row + n, c], n < row_count.
    void (*product)(const cohort_matrix *matrix, uint32_t first_row, uint32_t row_count, const cohort_rows *input,
                    float *output, size_t output_stride);

    // For each of `heads` heads: scores over latent + rope, softmax, sum of the latents.
    // queries [heads, latent + rope] f32, outputs [heads, latent] f32. Blocks of COHORT_ATTENTION_BLOCK positions,
    // counted from position 0, in order, with a running maximum: a score is the product of query and position (f32
    // input) times scale; then for the block's weights p = exp(score - maximum), absent positions 0,
    // total = fma(total, exp(old maximum - maximum), tree(p[0..15] + p[16..31])) and
    // output = output * exp(old maximum - maximum), output = fma(p, latent, output) position by position; at the end
    // output / total.
    void (*attend)(const cohort_attention *attention, const float *queries, size_t query_stride, uint32_t heads,
                   float *outputs, size_t output_stride);

    // output = (input * (1 / sqrt(mean(input^2) + epsilon))) * gain; the squares are one run of lanes. May be in place.
    void (*rms_norm)(const float *input, const float *gain, float epsilon, uint32_t count, float *output);

    // output = gate / (1 + exp(-gate)) * up. May be in place.
    void (*swiglu)(const float *gate, const float *up, uint32_t count, float *output);

    // sum += weight * values, one fused multiply-add per element
    void (*accumulate)(float weight, const float *values, uint32_t count, float *sum);

    // values = 1 / (1 + exp(-values))
    void (*sigmoid)(float *values, uint32_t count);

    // values = exp(values - max) / sum; the sum is one run of lanes
    void (*softmax)(float *values, uint32_t count);

    // The exponential that all of the above use: below 2 units in the last place off; 0 below -87.
    void (*exponential)(const float *values, uint32_t count, float *output);

    // Round to nearest even; NaN stays NaN.
    void (*narrow_bf16)(const float *values, uint32_t count, uint16_t *output);
    void (*widen_bf16)(const uint16_t *values, uint32_t count, float *output);

    // One row of any dtype as f32: output[c] = matrix[row, c].
    void (*widen_row)(const cohort_matrix *matrix, uint32_t row, float *output);

    // For measuring a machine: the XOR of the 64-bit words of memory, whose size is a multiple of 512 bytes.
    uint64_t (*read)(const void *bytes, size_t byte_count);

    // For measuring a machine: rounds of multiply-adds on registers alone. Of the COHORT_PEAK_VALUES values the first
    // 16 words and the next 16 are the factors (f32, or pairs of bf16), the others are sums, as many as the
    // instruction set keeps in registers, to which the products are added. Returns how many multiply-adds it did.
    uint64_t (*peak_f32)(uint64_t rounds, float *values);
    uint64_t (*peak_bf16)(uint64_t rounds, float *values);
} cohort_kernels;

// The tables this machine can run, best first, the scalar twin last. Returns how many were written.
size_t cohort_kernels_available(const cohort_kernels **tables, size_t capacity);
