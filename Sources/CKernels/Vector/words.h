// Products of rows of 32-bit words: pairs of bf16, or single f32 numbers. One operand is a panel, in which the words
// that meet the same word of the other operand stand side by side, so that every lane has a sum of its own.
#pragma once

#include "lanes.h"

enum { PANEL_LANES = WORD_VECTORS * LANES };

// A tile's operands: rows of words, and a panel [count][vectors].
struct words {
    const uint8_t *rows;
    size_t row_stride, word_stride;  // bytes from one row to the next, and from one word of a row to the next
    const lanes *panel;
    uint32_t count;
    // The bus stands still while products run: each word fetches the next line from here on, or the same if none.
    const uint8_t *ahead;
    size_t line;
};

// sums[r * vectors + v] = row r * vector v of the panel. The compiler knows pairs, rows and vectors.
INLINE void multiply_words(bool pairs, uint32_t rows, uint32_t vectors, struct words words, lanes *sums) {
    lanes own[WORD_ROWS * WORD_VECTORS] = {0};
    const uint8_t *row = words.rows;
    for (size_t w = 0; w < words.count; w++, row += words.word_stride) {
        lanes columns[WORD_VECTORS];
        prefetch_line(words.ahead + w * words.line);
        for (uint32_t v = 0; v < vectors; v++) columns[v] = words.panel[w * vectors + v];
        for (uint32_t r = 0; r < rows; r++) {
            uint32_t bits;
            __builtin_memcpy(&bits, row + r * words.row_stride, sizeof bits);
            lanes word = (lanes)((u32x16){0} + bits);
            for (uint32_t v = 0; v < vectors; v++) {
                lanes *sum = own + r * vectors + v;
                // The word comes last: as that operand it may stay in memory.
                *sum = pairs ? pairs_dot(*sum, columns[v], word) : lanes_fma(word, columns[v], *sum);
            }
        }
    }
    __builtin_memcpy(sums, own, rows * vectors * sizeof *sums);
}

INLINE u32x16 load_words(const void *at, size_t byte_count) {
    u32x16 words = {0};
    if (byte_count >= sizeof words) __builtin_memcpy(&words, at, sizeof words);
    else __builtin_memcpy(&words, at, byte_count);
    return words;
}

// Row r, word c becomes row c, word r: each round turns the eight bits of (r, c) left by one.
INLINE void transpose(u32x16 matrix[LANES]) {
#pragma clang loop unroll(full)
    for (int round = 0; round < 4; round++) {
        u32x16 turned[LANES];
#pragma clang loop unroll(full)
        for (int i = 0; i < LANES / 2; i++) {
            u32x16 a = matrix[i], b = matrix[i + LANES / 2];
            turned[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            turned[2 * i + 1] =
                __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
        __builtin_memcpy(matrix, turned, sizeof turned);
    }
}

typedef uint16_t u16x32 __attribute__((vector_size(64)));

// Two rows of 32 halves become pairs: columns 0 ..< 16, then 16 ..< 32.
INLINE void pair_up(u32x16 even, u32x16 odd, lanes *first, lanes *second) {
    u16x32 a = (u16x32)even, b = (u16x32)odd;
    *first = (lanes)__builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9,
                                            41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47);
    *second = (lanes)__builtin_shufflevector(a, b, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24,
                                             56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63);
}
