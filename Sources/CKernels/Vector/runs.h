// Runs of columns and where a matrix's rows lie.
#pragma once

#include "lanes.h"

// Columns that end with the matrix or with a block of scales.
struct run {
    uint32_t begin, end, block;
};

INLINE bool has_scales(uint32_t dtype) {
    return dtype == COHORT_F8_E4M3 || dtype == COHORT_I8 || dtype == COHORT_I4;
}

// Bytes of some weights.
INLINE size_t bytes_of(uint32_t dtype, size_t count) {
    switch (dtype) {
        case COHORT_F32: return 4 * count;
        case COHORT_F16:
        case COHORT_BF16: return 2 * count;
        case COHORT_I4: return (count + 1) / 2;
        default: return count;
    }
}

INLINE struct run first_run(const cohort_matrix *matrix) {
    if (!matrix->scales) return (struct run){0, matrix->columns, 0};
    uint32_t rest = matrix->block_columns - matrix->column_phase % matrix->block_columns;
    uint32_t end = rest < matrix->columns ? rest : matrix->columns;
    return (struct run){0, end, matrix->column_phase / matrix->block_columns};
}

INLINE struct run next_run(const cohort_matrix *matrix, struct run run) {
    uint32_t left = matrix->columns - run.end;
    uint32_t width = left < matrix->block_columns ? left : matrix->block_columns;
    return (struct run){run.end, run.end + width, run.block + 1};
}

// Bytes from a row's first weight to that of a later column; of INT8 a whole piece's.
INLINE size_t offset_of(uint32_t dtype, uint32_t column) {
    return dtype == COHORT_I8 ? COHORT_FOUR * (size_t)column : bytes_of(dtype, column);
}

// Which row stands for row `r` of which a matrix may have only `count`: the last one, of INT8 one of the last four.
INLINE uint32_t row_at(uint32_t dtype, uint32_t r, uint32_t count) {
    if (r < count) return r;
    return dtype == COHORT_I8 ? (count - 1) / COHORT_FOUR * COHORT_FOUR + r % COHORT_FOUR : count - 1;
}

enum { USUAL_COLUMNS = 128 };  // of a run

// Whether all runs have USUAL_COLUMNS.
INLINE bool has_usual_runs(const cohort_matrix *matrix) {
    return matrix->scales && matrix->block_columns == USUAL_COLUMNS && matrix->column_phase % USUAL_COLUMNS == 0 &&
           matrix->columns % USUAL_COLUMNS == 0;
}

// Whether each four rows from `first` on share their scales.
INLINE bool quads_share_scales(const cohort_matrix *matrix, uint32_t first) {
    return matrix->block_rows % 4 == 0 && (matrix->row_phase + first) % 4 == 0;
}

INLINE const uint8_t *weights_of_row(const cohort_matrix *matrix, uint32_t row) {
    const uint32_t place = matrix->dtype == COHORT_I8 ? row % COHORT_FOUR : 0;
    return (const uint8_t *)matrix->weights + bytes_of(matrix->dtype, (size_t)(row - place) * matrix->row_stride) +
           place * COHORT_PIECE;
}

// Whether there is memory between the rows that is not of the matrix.
INLINE bool rows_lie_apart(const cohort_matrix *matrix) {
    return matrix->dtype != COHORT_I8 && matrix->row_stride != matrix->columns;
}

// Floats from a row's scale for a block to the one for the next.
INLINE uint32_t scale_step(uint32_t dtype) { return dtype == COHORT_I8 ? COHORT_FOUR : 1; }

INLINE const float *scales_of_row(const cohort_matrix *matrix, uint32_t row) {
    if (!matrix->scales) return NULL;
    row += matrix->row_phase;
    if (matrix->dtype == COHORT_I8)
        return matrix->scales + (size_t)(row - row % COHORT_FOUR) * matrix->scale_stride + row % COHORT_FOUR;
    return matrix->scales + (size_t)(row / matrix->block_rows) * matrix->scale_stride;
}
