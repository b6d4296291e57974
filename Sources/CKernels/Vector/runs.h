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

enum { USUAL_COLUMNS = 128 };  // of a run

// Whether all runs have USUAL_COLUMNS.
INLINE bool has_usual_runs(const cohort_matrix *matrix) {
    return matrix->scales && matrix->block_columns == USUAL_COLUMNS && matrix->column_phase % USUAL_COLUMNS == 0 &&
           matrix->columns % USUAL_COLUMNS == 0;
}

// Whether each four rows from `first` on share their scales.
INLINE bool has_usual_scales(const cohort_matrix *matrix, uint32_t first) {
    return matrix->block_rows % 4 == 0 && (matrix->row_phase + first) % 4 == 0;
}

INLINE const uint8_t *weights_of_row(const cohort_matrix *matrix, uint32_t row) {
    return (const uint8_t *)matrix->weights + bytes_of(matrix->dtype, (size_t)row * matrix->row_stride);
}

INLINE const float *scales_of_row(const cohort_matrix *matrix, uint32_t row) {
    if (!matrix->scales) return NULL;
    return matrix->scales + (size_t)((matrix->row_phase + row) / matrix->block_rows) * matrix->scale_stride;
}
