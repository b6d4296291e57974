// Strips and steps, and tiles of them: quads of matrix rows times a few input rows over one run, all sums in registers.
#pragma once

#include "runs.h"

// f32 input; bf16 input widened to f32; bf16 pairs; INT8 by INT8, whose sums stand in lanes as whole numbers
enum order { ORDER_LANES, ORDER_WIDENED, ORDER_PAIRS, ORDER_CODES };

// A vector holds words of four rows side by side, as many of each as a sum has lanes. A strip is four such vectors.
enum { QUAD = 4, STRIP_STEPS = 4, MOST_QUADS = 4, MOST_INPUTS = 8 };

INLINE uint32_t strip_columns(enum order order) {
    return order == ORDER_PAIRS ? 2 * LANES : order == ORDER_CODES ? 4 * LANES : LANES;
}

INLINE size_t input_size(enum order order) { return order == ORDER_LANES ? 4 : order == ORDER_CODES ? 1 : 2; }

// Bytes from the first number of a run to that of a later one.
INLINE size_t input_bytes(enum order order, size_t columns) {
    if (order == ORDER_CODES) return columns / COHORT_ROW_BLOCK * sizeof(cohort_code_block);
    return columns * input_size(order);
}

// The first number of an input row.
INLINE const uint8_t *input_row(enum order order, const cohort_rows *input, uint32_t row) {
    const size_t begin = order == ORDER_CODES ? offsetof(cohort_code_block, codes) : 0;
    return (const uint8_t *)input->values + begin + row * input_bytes(order, input->stride);
}

INLINE size_t step_input_size(enum order order) { return order == ORDER_WIDENED ? 8 : 16; }

// Codes of pairs may stay codes until they are used.
INLINE bool has_codes(enum order order, uint32_t dtype) { return order == ORDER_PAIRS && dtype != COHORT_BF16; }

// A strip of one row.
INLINE lanes load_weights(enum order order, uint32_t dtype, const void *at) {
    if (order == ORDER_PAIRS) return lanes_load(at);
    return dtype == COHORT_F32    ? lanes_load(at)
           : dtype == COHORT_F16  ? lanes_f16(at)
           : dtype == COHORT_BF16 ? lanes_bf16(at)
           : dtype == COHORT_I8   ? lanes_i8(at)
           : dtype == COHORT_I4   ? lanes_i4(at)
                                  : lanes_f8(at);
}

// A place for strips of which only some columns are there.
enum { PADDED = 64 };

// A strip of which only `columns` are there.
INLINE lanes load_weights_part(enum order order, uint32_t dtype, const void *at, uint32_t columns) {
    uint8_t padded[PADDED] = {0};
    __builtin_memcpy(padded, at, bytes_of(dtype, columns));
    return load_weights(order, dtype, padded);
}

// A strip of four rows, `offset` bytes behind their begin.
INLINE void load_strip(enum order order, uint32_t dtype, const uint8_t *const rows[QUAD], size_t offset,
                       lanes strip[STRIP_STEPS]) {
    if (has_codes(order, dtype)) return strip_of_codes(dtype, rows, offset, strip);
    // INT8 stands in memory as it is read.
    for (uint32_t s = 0; s < STRIP_STEPS && order == ORDER_CODES; s++)
        strip[s] = codes_weights(rows[0] + offset + s * sizeof(lanes));
    if (order == ORDER_CODES) return;
    for (uint32_t r = 0; r < QUAD; r++) strip[r] = load_weights(order, dtype, rows[r] + offset);
    turn_quarters(strip);
}

// Steps 2 * half and 2 * half + 1 of a strip.
INLINE void steps_of(enum order order, uint32_t dtype, const lanes strip[STRIP_STEPS], uint32_t half, lanes *first,
                     lanes *second) {
    if (has_codes(order, dtype)) return steps_of_codes(dtype, strip, half, first, second);
    *first = strip[2 * half];
    *second = strip[2 * half + 1];
}

// A step of one input row, the same for each row of a quad.
INLINE lanes load_input(enum order order, const uint8_t *at) {
    f32x4 words;
    if (order == ORDER_WIDENED) words = quarter_bf16(at);
    else __builtin_memcpy(&words, at, sizeof words);
    return __builtin_shufflevector(words, words, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
}

INLINE lanes multiply_add(enum order order, lanes sum, lanes weights, lanes input) {
    if (order == ORDER_CODES) return codes_dot(sum, weights, input);
    return order == ORDER_PAIRS ? pairs_dot(sum, weights, input) : lanes_fma(weights, input, sum);
}

// What the sums of an input row begin with in the run that begins at `input`.
INLINE lanes first_sum(enum order order, const uint8_t *input) {
    if (order != ORDER_CODES || !CODES_ARE_UNSIGNED) return (lanes){0};
    const uint8_t *block = input - offsetof(cohort_code_block, codes);
    return load_input(order, block + offsetof(cohort_code_block, starts));
}

// total + the sum of a run that begins at `input`, times its scales.
INLINE lanes add_scaled(enum order order, lanes total, lanes sum, lanes scale, const uint8_t *input) {
    if (order != ORDER_CODES) return lanes_fma(sum, scale, total);
    const uint8_t *block = input - offsetof(cohort_code_block, codes);
    float own;
    __builtin_memcpy(&own, block + offsetof(cohort_code_block, scale), sizeof own);
    return lanes_fma(__builtin_convertvector((i32x16)sum, lanes), scale * own, total);
}

// sums[t][q] += input row t * weights[q], one step.
INLINE void add_step(enum order order, uint32_t quads, uint32_t inputs, const lanes *weights, const uint8_t *input,
                     size_t input_stride, lanes sums[MOST_INPUTS][MOST_QUADS]) {
    for (uint32_t t = 0; t < inputs; t++) {
        lanes x = load_input(order, input + t * input_stride);
        for (uint32_t q = 0; q < quads; q++) sums[t][q] = multiply_add(order, sums[t][q], weights[q], x);
    }
}

// The bus stands still while rows of a new group are being found: fetch them ahead.
INLINE void prefetch(const uint8_t *at, size_t count) {
    for (size_t line = 0; line < count; line += LINE) prefetch_line(at + line);
}

// What a tile multiplies: matrix rows and input rows, at the first column of a run.
struct tile {
    const uint8_t *rows[MOST_QUADS * QUAD];
    const uint8_t *input;
    size_t input_stride;   // in bytes
    const uint8_t *ahead;  // what is to be fetched meanwhile, as many bytes as the tile reads
};

// sums[t][q] += input row t * quad q of the matrix rows, one strip.
INLINE void add_strip(enum order order, uint32_t dtype, uint32_t quads, uint32_t inputs,
                      const uint8_t *const rows[MOST_QUADS * QUAD], size_t offset, const uint8_t *input,
                      size_t input_stride, lanes sums[MOST_INPUTS][MOST_QUADS]) {
    lanes strips[MOST_QUADS][STRIP_STEPS], first[MOST_QUADS], second[MOST_QUADS];
    for (uint32_t q = 0; q < quads; q++) load_strip(order, dtype, rows + q * QUAD, offset, strips[q]);
#pragma clang loop unroll(full)
    for (uint32_t half = 0; half < 2; half++) {
        const uint8_t *at = input + 2 * half * step_input_size(order);
        for (uint32_t q = 0; q < quads; q++) steps_of(order, dtype, strips[q], half, &first[q], &second[q]);
        add_step(order, quads, inputs, first, at, input_stride, sums);
        add_step(order, quads, inputs, second, at + step_input_size(order), input_stride, sums);
    }
}

// Copies the first `size` bytes of each row, zeros after them.
INLINE void pad_rows(const uint8_t *const *rows, size_t count, size_t offset, size_t size,
                     uint8_t padded[][PADDED]) {
    for (size_t r = 0; r < count; r++) {
        __builtin_memset(padded[r], 0, PADDED);
        __builtin_memcpy(padded[r], rows[r] + offset, size);
    }
}

INLINE void pad_inputs(const uint8_t *input, size_t input_stride, uint32_t count, size_t size,
                       uint8_t padded[][PADDED]) {
    for (uint32_t t = 0; t < count; t++) {
        __builtin_memset(padded[t], 0, PADDED);
        __builtin_memcpy(padded[t], input + t * input_stride, size);
    }
}

// sums[t][q] += input row t * quad q of the matrix rows over one run of `columns`. The compiler knows order, dtype,
// quads and inputs.
INLINE void add_run(enum order order, uint32_t dtype, uint32_t quads, uint32_t inputs, const struct tile *tile,
                    uint32_t columns, lanes sums[MOST_INPUTS][MOST_QUADS]) {
    const uint32_t width = strip_columns(order), rows = quads * QUAD;
    uint32_t column = 0;
    // Both sides of INT8 by INT8 are filled up.
    if (order == ORDER_CODES) columns = (columns + width - 1) / width * width;
    for (; column + width <= columns; column += width) {
        prefetch(tile->ahead + bytes_of(dtype, column * rows), bytes_of(dtype, width * rows));
        add_strip(order, dtype, quads, inputs, tile->rows, offset_of(dtype, column),
                  tile->input + column * input_size(order), tile->input_stride, sums);
    }
    if (column == columns) return;
    uint8_t weights[MOST_QUADS * QUAD][PADDED], input[MOST_INPUTS][PADDED];
    const uint8_t *padded[MOST_QUADS * QUAD];
    for (uint32_t r = 0; r < rows; r++) padded[r] = weights[r];
    pad_rows(tile->rows, rows, offset_of(dtype, column), bytes_of(dtype, columns - column), weights);
    pad_inputs(tile->input + column * input_size(order), tile->input_stride, inputs,
               (columns - column) * input_size(order), input);
    add_strip(order, dtype, quads, inputs, padded, 0, input[0], PADDED, sums);
}

// The scales of a quad's rows; they may share one.
INLINE lanes scales_of_quad(uint32_t dtype, bool share, const float *const rows[QUAD], uint32_t block) {
    if (share) return lanes_fill(rows[0][block]);
    f32x4 scales = {0};
    if (dtype == COHORT_I8) __builtin_memcpy(&scales, rows[0] + scale_step(dtype) * block, sizeof scales);
    else scales = (f32x4){rows[0][block], rows[1][block], rows[2][block], rows[3][block]};
    return __builtin_shufflevector(scales, scales, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
}

// How many of the `left` input rows make the next tile: tiles are as even as can be.
INLINE uint32_t tile_inputs(uint32_t left, uint32_t most) {
    const uint32_t tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}
