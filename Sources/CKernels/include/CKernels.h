// The arithmetic of Cohort: one table of plain functions per instruction set, chosen at run time.
//
// All tables give the same bits (the payload of a NaN excepted), and an output depends on its own row of the matrix and
// its own row of the input alone: not on how many rows a call has, nor on which of them. So there is one order of
// reduction, written down here and followed by every table; "fma" rounds once.
//
// Products. A row's columns are runs: weights without scales are one run, those with scales have one for each block. A
// run is a row of words, which 4 lanes take by turns; each lane has one f32 sum, which starts at +0:
//   f32 input, or F32 and F16 weights: a word is a column, and a lane does sum = fma(weight, input, sum);
//   bf16 input and BF16, FP8 or INT4 weights: a word is a pair of columns, and a lane does
//     sum = fma(odd weight, odd input, sum), then the same with the even ones. The whole product reads subnormals as
//     zeros, and results that are subnormal after rounding become zeros, signs kept: this is what VDPBF16PS does;
//   INT8 input and INT8 weights: a word is four columns, and a lane's sum is a whole number, without rounding.
// A run is filled up to a multiple of 16 words with +0 weights and +0 inputs. With scales, lane by lane
// total = fma(sum, scale of the block, total), total starts at +0; without, the sums are the totals. Where the input
// has scales too, that of the block is the product of both. The output is (lane 0 + lane 2) + (lane 1 + lane 3).
//
// Other sums of a row of numbers have 16 lanes: lane l takes numbers l, l + 16, ..., and the lanes are added up as a
// tree: l and l + 8, then l and l + 4, l + 2, l + 1.
//
// Quantizing. Codes are the nearest to value * (1 / scale), halves to even. FP8 and INT8: the scale brings the number
// of the largest magnitude to the end of their range. INT4: scales are tried that bring it (if both signs have it the
// negative one) to -6.5, -7, ... -9.5, what is off the range stays at its end; of the scales that fit the codes of each
// try best that one is taken which leaves the least squared error, its sums being runs of lanes. A group with a number
// that is not finite has scale NaN, one that stays below 2^-100 has 0, and both have codes of zero.
//
// Attention. A score is scale times the sum, from +0, over the words of query and position: of bf16 a word is a pair
// as in products, its odd number first; of f32 one number. Each block of COHORT_ATTENTION_BLOCK positions, counted from
// position 0, is a part: its weights are exp(score - the block's largest), of bf16 rounded to bf16; lane l of 16 adds
// up weights l, l + 16, ... and the tree of the lanes is the block's total; a latent's sum runs from +0 over the
// positions, of bf16 in pairs, the odd one first, and a zero is made positive. Parts are joined in order: larger =
// max(maximum, part's), old = exp(maximum - larger), new = exp(part's - larger), total = fma(part's, new, total * old),
// latent = fma(part's, new, latent * old), which is part's * new where old is 0; before the first part old is 0 and new
// is 1. What touches scores and latents reads and writes subnormals as zeros if the cache is bf16.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    COHORT_F32 = 0,
    COHORT_F16 = 1,
    COHORT_BF16 = 2,
    COHORT_F8_E4M3 = 3,
    COHORT_I8 = 4,  // two's complement
    COHORT_I4 = 5,  // two's complement, two in a byte: the even column in the low half, the odd one in the high half
};

enum { COHORT_FOUR = 4, COHORT_PIECE = 16 };

// A weight matrix [rows, columns], row-major but for INT8, in its stored dtype; no alignment is assumed of `weights`.
// FP8, INT8 and INT4: element (r, c) is value * scales[i * scale_stride + j], i = (row_phase + r) / block_rows,
// j = (column_phase + c) / block_columns. The phases say where a slice of a bigger matrix begins in that matrix's first
// block. INT4: blocks and row_stride are even, and behind an odd last column stands a zero.
// INT8, which no checkpoint stores, stands as products read it: of each COHORT_FOUR rows COHORT_PIECE columns of each
// by turns, and by turns their scales for each block. Rows are filled up to whole fours, of which row_phase is some,
// and columns to row_stride, a multiple of COHORT_FOUR pieces as block_columns is, all with zeros; block_rows is 1,
// column_phase 0, and a product begins with the first row of four.
typedef struct cohort_matrix {
    const void *weights;
    const float *scales;    // NULL for F32, F16 and BF16
    size_t row_stride;      // elements from one row to the next
    uint32_t dtype;         // COHORT_*
    uint32_t columns;
    uint32_t scale_stride;  // scales from one row of blocks to the next
    uint32_t block_rows, block_columns;
    uint32_t row_phase, column_phase;
} cohort_matrix;

// Columns that share a scale in a row of FP8 or INT8 activations.
enum { COHORT_ROW_BLOCK = 128 };

// A block of INT8 activations: column c is codes[c] * scale. Behind a row's last column stand zeros.
typedef struct cohort_code_block {
    int32_t starts[4];  // -128 * the sum of the codes that each lane multiplies: what is added where weights are + 128
    float scale;
    uint32_t unused[3];  // 0: every 16 codes lie in one line of the cache
    int8_t codes[COHORT_ROW_BLOCK];  // -127 ... 127
} cohort_code_block;

// Rows of activations [rows, columns of the matrix]: f32, bf16, or code blocks. INT8 matrices meet f32 and code blocks,
// which meet nothing else; for these they have blocks of COHORT_ROW_BLOCK columns, the first of which begins with them.
typedef struct cohort_rows {
    const void *values;
    size_t stride;  // elements from one row to the next; of INT8 a multiple of COHORT_ROW_BLOCK
    uint32_t count;
    uint32_t dtype;  // COHORT_F32, COHORT_BF16 or COHORT_I8
} cohort_rows;

// The latent cache of one sequence in one layer.
typedef struct cohort_attention {
    const void *const *pages;  // pages[p] + page_offset: [page_positions, latent + rope] finite values, unaligned
    size_t page_offset;        // in bytes
    uint32_t dtype;            // of the pages and of the queries: COHORT_F32 or COHORT_BF16
    uint32_t page_positions;
    uint32_t latent, rope;     // together even if bf16
    float scale;
} cohort_attention;

// Queries of tokens at consecutive positions. Query i is that of token i / heads and head i % heads.
typedef struct cohort_queries {
    const void *values;   // [tokens, heads, latent + rope], of 4-byte alignment
    size_t token_stride;  // elements from one token to the next, even if bf16
    uint32_t tokens, heads;
    uint32_t positions;  // the first token attends to 0 ..< positions, the next to one more, and so on
} cohort_queries;

// What queries have attended to so far: their largest score and, relative to it, the sum of the weights (0 before the
// first position) and of the weighted latents.
typedef struct cohort_attention_sums {
    float *maxima, *totals;  // [tokens, heads]
    float *latents;          // [tokens, heads, latent]
    size_t token_stride;     // queries from one token to the next
} cohort_attention_sums;

// Columns that `quantize` gives one scale to at most.
enum { COHORT_LONGEST_GROUP = 256 };

// A matrix's rows go through `product` this many at a time.
enum { COHORT_PRODUCT_ROWS = 16 };

// The sums are the same for all callers if these call `attend` for the parts of one list and join them in order: behind
// the first COHORT_ATTENTION_SHORT positions spans of COHORT_ATTENTION_SPAN; before, single blocks, so that a short
// cache gives work to many. As blocks are joined in order too, one call may go through the first of them.
enum { COHORT_ATTENTION_BLOCK = 128, COHORT_ATTENTION_SPAN = 512, COHORT_ATTENTION_SHORT = 2048 };

// Bytes of scratch that `attend` wants for so many queries.
static inline size_t cohort_attention_scratch(uint32_t latent, uint32_t rope, uint32_t queries) {
    const size_t width = latent + rope, vectors = (queries + 15) / 16;
    return vectors * (width + COHORT_ATTENTION_BLOCK + 4) * 64 + COHORT_ATTENTION_BLOCK * 256 + width * 64;
}

// Numbers that `peak_f32` and `peak_bf16` work on.
enum { COHORT_PEAK_VALUES = 512 };

typedef struct __attribute__((swift_attr("@Sendable"))) cohort_kernels {
    const char *name;

    // output[t * output_stride + n] = sum over c of input[t, c] * matrix[first_row + n, c], n < row_count.
    void (*product)(const cohort_matrix *matrix, uint32_t first_row, uint32_t row_count, const cohort_rows *input,
                    float *output, size_t output_stride);

    // Attention to the positions first ..< end alone: writes the sums. `first` is a multiple of COHORT_ATTENTION_BLOCK.
    // scratch: cohort_attention_scratch bytes at a 64-byte boundary.
    void (*attend)(const cohort_attention *attention, const cohort_queries *queries, uint32_t first, uint32_t end,
                   void *scratch, const cohort_attention_sums *sums);

    // Joins one more part to the sums of queries that stand side by side.
    void (*attend_join)(const cohort_attention *attention, uint32_t queries, const cohort_attention_sums *part,
                        const cohort_attention_sums *sums);

    // latent *= 1 / total, for queries that stand side by side.
    void (*attend_end)(const cohort_attention *attention, uint32_t queries, const cohort_attention_sums *sums);

    // output = (input * (1 / sqrt(mean(input^2) + epsilon))) * gain; the squares are one run of lanes. May be in place.
    void (*rms_norm)(const float *input, const float *gain, float epsilon, uint32_t count, float *output);

    // Turns pairs: output = (a * cosine - b * sine, a * sine + b * cosine) for each (a, b) of the values and (cosine,
    // sine) of the turns, every product rounded. `count` is even. May be in place.
    void (*rotate)(const float *values, const float *turns, uint32_t count, float *output);

    // output = gate / (1 + exp(-gate)) * up. May be in place.
    void (*swiglu)(const float *gate, const float *up, uint32_t count, float *output);

    // sum += weight * values, one fused multiply-add per element
    void (*accumulate)(float weight, const float *values, uint32_t count, float *sum);
    void (*accumulate_bf16)(float weight, const uint16_t *values, uint32_t count, float *sum);

    // values = 1 / (1 + exp(-values))
    void (*sigmoid)(float *values, uint32_t count);

    // values = exp(values - max) / sum; the sum is one run of lanes
    void (*softmax)(float *values, uint32_t count);

    // The exponential that all of the above use: below 2 units in the last place off; 0 below -87.
    void (*exponential)(const float *values, uint32_t count, float *output);

    // Round to nearest even; NaN stays NaN.
    void (*narrow_bf16)(const float *values, uint32_t count, uint16_t *output);
    void (*widen_bf16)(const uint16_t *values, uint32_t count, float *output);

    // A row as E4M3 codes with one scale for each COHORT_ROW_BLOCK columns: the least power of two, no less than
    // 2^-126, with which the largest number is at most 448. So a number comes back exactly as its code has it. Rounds
    // to nearest even; what is not finite becomes NaN.
    void (*narrow_f8)(const float *values, uint32_t count, float *scales, uint8_t *codes);
    void (*widen_f8)(const float *scales, const uint8_t *codes, uint32_t count, float *output);

    // A row as INT8 code blocks, quantized as `quantize` does.
    void (*narrow_i8)(const float *values, uint32_t count, cohort_code_block *blocks);

    // One row of any dtype as f32: output[c] = matrix[row, c].
    void (*widen_row)(const cohort_matrix *matrix, uint32_t row, float *output);

    // Makes FP8, INT8 or INT4 of a row: codes, and a scale for each `group` columns, an even number.
    void (*quantize)(const float *values, uint32_t count, uint32_t dtype, uint32_t group, void *codes, float *scales);

    // For measuring a machine: the XOR of the 64-bit words of memory, whose size is a multiple of 512 bytes.
    uint64_t (*read)(const void *bytes, size_t byte_count);

    // For measuring a machine: rounds of multiply-adds on registers alone. Of the COHORT_PEAK_VALUES values the first
    // 16 words and the next 16 are the factors (f32, pairs of bf16, or four INT8 as products read them), the others are
    // sums (of INT8 whole numbers), as many as the instruction set keeps in registers, to which the products are added.
    // Returns how many multiply-adds it did.
    uint64_t (*peak_f32)(uint64_t rounds, float *values);
    uint64_t (*peak_bf16)(uint64_t rounds, float *values);
    uint64_t (*peak_i8)(uint64_t rounds, float *values);
} cohort_kernels;

// The tables this machine can run, best first, the scalar twin last. Returns how many were written.
size_t cohort_kernels_available(const cohort_kernels **tables, size_t capacity);
