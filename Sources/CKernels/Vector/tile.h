// Steps, and tiles of them: a few matrix rows times a few input rows over one run, all sums in registers.
#pragma once

#include "runs.h"

enum order { ORDER_LANES, ORDER_WIDENED, ORDER_PAIRS };  // f32 input; bf16 input widened to f32; bf16 pairs

INLINE uint32_t step_columns(enum order order) { return order == ORDER_PAIRS ? 2 * LANES : LANES; }

INLINE size_t input_size(enum order order) { return order == ORDER_LANES ? 4 : 2; }

INLINE lanes load_weights(enum order order, uint32_t dtype, const void *at) {
    if (order == ORDER_PAIRS)
        return dtype == COHORT_BF16 ? lanes_load(at)
               : dtype == COHORT_I8 ? pairs_i8(at)
               : dtype == COHORT_I4 ? pairs_i4(at)
                                    : pairs_f8(at);
    return dtype == COHORT_F32    ? lanes_load(at)
           : dtype == COHORT_F16  ? lanes_f16(at)
           : dtype == COHORT_BF16 ? lanes_bf16(at)
           : dtype == COHORT_I8   ? lanes_i8(at)
           : dtype == COHORT_I4   ? lanes_i4(at)
                                  : lanes_f8(at);
}

// Two steps of bytes at once cost less than one and one.
INLINE void load_two_weights(enum order order, uint32_t dtype, const uint8_t *at, lanes *first, lanes *second) {
    if (order == ORDER_PAIRS && dtype == COHORT_F8_E4M3) return pairs_f8_two(at, first, second);
    if (order == ORDER_PAIRS && dtype == COHORT_I8) return pairs_i8_two(at, first, second);
    *first = load_weights(order, dtype, at);
    *second = load_weights(order, dtype, at + bytes_of(dtype, step_columns(order)));
}

// A step of which only `columns` are there.
INLINE lanes load_weights_part(enum order order, uint32_t dtype, const void *at, uint32_t columns) {
    uint8_t padded[64] = {0};
    __builtin_memcpy(padded, at, bytes_of(dtype, columns));
    return load_weights(order, dtype, padded);
}

INLINE lanes load_input(enum order order, const void *at) {
    return order == ORDER_WIDENED ? lanes_bf16(at) : lanes_load(at);
}

INLINE lanes load_input_part(enum order order, const void *at, uint32_t columns) {
    uint8_t padded[64] = {0};
    __builtin_memcpy(padded, at, columns * input_size(order));
    return load_input(order, padded);
}

INLINE lanes step(enum order order, lanes sum, lanes weights, lanes input) {
    return order == ORDER_PAIRS ? pairs_dot(sum, weights, input) : lanes_fma(weights, input, sum);
}

// The bus stands still while rows of a new group are being found: fetch them ahead.
INLINE void prefetch(const uint8_t *at, size_t count) {
    for (size_t line = 0; line < count; line += 64) __builtin_prefetch(at + line, 0, 3);
}

// What a tile multiplies: matrix rows and input rows, at the first column of a run.
struct tile {
    const uint8_t *rows[GROUP_ROWS];
    const uint8_t *input;
    size_t input_stride;   // in bytes
    const uint8_t *ahead;  // what is to be fetched meanwhile, as many bytes as the tile reads
};

// sums[t][r] += input row t * weights[r], one step.
INLINE void add_step(enum order order, uint32_t inputs, const lanes weights[GROUP_ROWS], const uint8_t *input,
                     size_t input_stride, uint32_t columns, lanes sums[TILE_INPUTS][GROUP_ROWS]) {
    for (uint32_t t = 0; t < inputs; t++) {
        const uint8_t *at = input + t * input_stride;
        lanes x = columns < step_columns(order) ? load_input_part(order, at, columns) : load_input(order, at);
        for (uint32_t r = 0; r < GROUP_ROWS; r++) sums[t][r] = step(order, sums[t][r], weights[r], x);
    }
}

// sums[t][r] += input row t * matrix row r over one run of `columns`. The compiler knows order, dtype and inputs.
INLINE void add_run(enum order order, uint32_t dtype, uint32_t inputs, struct tile tile, uint32_t columns,
                    lanes sums[TILE_INPUTS][GROUP_ROWS]) {
    const uint32_t width = step_columns(order);
    const size_t in_size = input_size(order);
    uint32_t column = 0;
    for (; has_scales(dtype) && column + 2 * width <= columns; column += 2 * width) {
        lanes first[GROUP_ROWS], second[GROUP_ROWS];
        for (uint32_t r = 0; r < GROUP_ROWS; r++) {
            prefetch(tile.ahead + bytes_of(dtype, column * GROUP_ROWS + 2 * width * r), bytes_of(dtype, 2 * width));
            load_two_weights(order, dtype, tile.rows[r] + bytes_of(dtype, column), &first[r], &second[r]);
        }
        const uint8_t *input = tile.input + column * in_size;
        add_step(order, inputs, first, input, tile.input_stride, width, sums);
        add_step(order, inputs, second, input + width * in_size, tile.input_stride, width, sums);
    }
    for (; column + width <= columns; column += width) {
        lanes w[GROUP_ROWS];
        for (uint32_t r = 0; r < GROUP_ROWS; r++) {
            prefetch(tile.ahead + bytes_of(dtype, column * GROUP_ROWS + width * r), bytes_of(dtype, width));
            w[r] = load_weights(order, dtype, tile.rows[r] + bytes_of(dtype, column));
        }
        add_step(order, inputs, w, tile.input + column * in_size, tile.input_stride, width, sums);
    }
    if (column < columns) {
        lanes w[GROUP_ROWS];
        for (uint32_t r = 0; r < GROUP_ROWS; r++)
            w[r] = load_weights_part(
                order, dtype, tile.rows[r] + bytes_of(dtype, column), columns - column);
        add_step(order, inputs, w, tile.input + column * in_size, tile.input_stride, columns - column, sums);
    }
}

// How many of the `left` input rows make the next tile: 4 are 2 + 2, else as many as there is room for.
INLINE uint32_t tile_inputs(uint32_t left) {
    if (left == 4 || left == 2) return 2;
    return left < TILE_INPUTS ? left : TILE_INPUTS;
}
