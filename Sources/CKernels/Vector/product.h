// The product in terms of lanes. One input row: widened weights go straight into the sums, a group of matrix rows side
// by side. More: a panel of weights is widened once and then meets tile after tile of input rows.
#pragma once

#include "../tables.h"
#include "lanes.h"

enum order { ORDER_LANES, ORDER_WIDENED, ORDER_PAIRS };  // f32 input; bf16 input widened to f32; bf16 pairs

enum {
    PANEL_ROWS = 8,
    PANEL_STEPS = 32,   // with 8 rows 16 KiB: half of a level-1 cache
    PANEL_INPUTS = 64,  // their totals are 32 KiB
};
_Static_assert(PANEL_ROWS % GROUP_ROWS == 0, "a panel is made of groups");

// Columns that end with the matrix or with a block of scales.
struct run {
    uint32_t begin, end, block;
};

struct panel {
    lanes weights[PANEL_ROWS][PANEL_STEPS];
    float scales[PANEL_ROWS][PANEL_STEPS];
    struct run runs[PANEL_STEPS];
    uint32_t run_count;
};

INLINE size_t byte_size(uint32_t dtype) { return dtype == COHORT_F32 ? 4 : dtype == COHORT_F8_E4M3 ? 1 : 2; }

INLINE uint32_t step_columns(enum order order) { return order == ORDER_PAIRS ? 2 * LANES : LANES; }

INLINE size_t input_size(enum order order) { return order == ORDER_LANES ? 4 : 2; }

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

INLINE const uint8_t *weights_of_row(const cohort_matrix *matrix, uint32_t row) {
    return (const uint8_t *)matrix->weights + (size_t)row * matrix->row_stride * byte_size(matrix->dtype);
}

INLINE const float *scales_of_row(const cohort_matrix *matrix, uint32_t row) {
    if (!matrix->scales) return NULL;
    return matrix->scales + (size_t)((matrix->row_phase + row) / matrix->block_rows) * matrix->scale_stride;
}

INLINE lanes load_weights(enum order order, uint32_t dtype, const void *at) {
    if (order == ORDER_PAIRS) return dtype == COHORT_BF16 ? lanes_load(at) : pairs_f8(at);
    return dtype == COHORT_F32    ? lanes_load(at)
           : dtype == COHORT_F16  ? lanes_f16(at)
           : dtype == COHORT_BF16 ? lanes_bf16(at)
                                  : lanes_f8(at);
}

INLINE lanes load_input(enum order order, const void *at) {
    return order == ORDER_WIDENED ? lanes_bf16(at) : lanes_load(at);
}

// A step of which only `columns` are there.
INLINE lanes load_weights_part(enum order order, uint32_t dtype, const void *at, uint32_t columns) {
    uint8_t padded[64] = {0};
    __builtin_memcpy(padded, at, columns * byte_size(dtype));
    return load_weights(order, dtype, padded);
}

INLINE lanes load_input_part(enum order order, const void *at, uint32_t columns) {
    uint8_t padded[64] = {0};
    __builtin_memcpy(padded, at, columns * input_size(order));
    return load_input(order, padded);
}

INLINE lanes step(enum order order, lanes sum, lanes weights, lanes input) {
    return order == ORDER_PAIRS ? pairs_dot(sum, weights, input) : lanes_fma(weights, input, sum);
}

// output[r] = one input row * matrix row (first + r), r < count <= GROUP_ROWS.
INLINE void one_input(enum order order, uint32_t dtype, const cohort_matrix *matrix, uint32_t first, uint32_t count,
                      const uint8_t *input, float *output) {
    const bool scaled = dtype == COHORT_F8_E4M3;
    const uint32_t width = step_columns(order);
    const uint8_t *rows[GROUP_ROWS];
    const float *scales[GROUP_ROWS];
    lanes totals[GROUP_ROWS] = {0};
    for (uint32_t r = 0; r < GROUP_ROWS; r++) {
        uint32_t row = first + (r < count ? r : count - 1);
        rows[r] = weights_of_row(matrix, row);
        scales[r] = scales_of_row(matrix, row);
    }
    for (struct run run = first_run(matrix); run.begin < run.end; run = next_run(matrix, run)) {
        lanes sums[GROUP_ROWS] = {0};
        uint32_t column = run.begin;
        for (; column + width <= run.end; column += width) {
            lanes x = load_input(order, input + column * input_size(order));
            for (uint32_t r = 0; r < GROUP_ROWS; r++)
                sums[r] = step(order, sums[r], load_weights(order, dtype, rows[r] + column * byte_size(dtype)), x);
        }
        if (column < run.end) {
            uint32_t left = run.end - column;
            lanes x = load_input_part(order, input + column * input_size(order), left);
            for (uint32_t r = 0; r < GROUP_ROWS; r++) {
                lanes w = load_weights_part(order, dtype, rows[r] + column * byte_size(dtype), left);
                sums[r] = step(order, sums[r], w, x);
            }
        }
        for (uint32_t r = 0; r < GROUP_ROWS; r++)
            totals[r] = scaled ? lanes_fma(sums[r], lanes_fill(scales[r][run.block]), totals[r]) : sums[r];
        if (!scaled) break;
    }
    for (uint32_t r = 0; r < count; r++) output[r] = lanes_sum(totals[r]);
}

static void one_input_of_any_dtype(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t count,
                                   const uint8_t *input, float *output) {
#define CASE(order_, dtype_)                                                      \
    if (order == order_ && matrix->dtype == dtype_) {                             \
        one_input(order_, dtype_, matrix, first, count, input, output);           \
        return;                                                                   \
    }
    CASE(ORDER_PAIRS, COHORT_F8_E4M3)
    CASE(ORDER_PAIRS, COHORT_BF16)
    CASE(ORDER_LANES, COHORT_F8_E4M3)
    CASE(ORDER_LANES, COHORT_BF16)
    CASE(ORDER_LANES, COHORT_F32)
    CASE(ORDER_LANES, COHORT_F16)
    CASE(ORDER_WIDENED, COHORT_F32)
    CASE(ORDER_WIDENED, COHORT_F16)
#undef CASE
}

INLINE void widen_run(enum order order, uint32_t dtype, const uint8_t *row, struct run run, lanes *output) {
    const uint32_t width = step_columns(order);
    uint32_t column = run.begin;
    for (; column + width <= run.end; column += width)
        *output++ = load_weights(order, dtype, row + column * byte_size(dtype));
    if (column < run.end)
        *output = load_weights_part(order, dtype, row + column * byte_size(dtype), run.end - column);
}

static void widen_run_of_any_dtype(enum order order, uint32_t dtype, const uint8_t *row, struct run run, lanes *output) {
    if (order == ORDER_PAIRS) {
        if (dtype == COHORT_BF16) return widen_run(ORDER_PAIRS, COHORT_BF16, row, run, output);
        return widen_run(ORDER_PAIRS, COHORT_F8_E4M3, row, run, output);
    }
    if (dtype == COHORT_F32) return widen_run(ORDER_LANES, COHORT_F32, row, run, output);
    if (dtype == COHORT_F16) return widen_run(ORDER_LANES, COHORT_F16, row, run, output);
    if (dtype == COHORT_BF16) return widen_run(ORDER_LANES, COHORT_BF16, row, run, output);
    return widen_run(ORDER_LANES, COHORT_F8_E4M3, row, run, output);
}

// Widens the next columns of `count` rows, as many as fit; whole blocks if there are scales. Returns where the next
// panel begins.
static struct run fill_panel(struct panel *panel, enum order order, const cohort_matrix *matrix, uint32_t first,
                             uint32_t count, struct run run) {
    const uint32_t width = step_columns(order);
    uint32_t steps = 0;
    panel->run_count = 0;
    while (run.begin < run.end) {
        uint32_t fitting = (PANEL_STEPS - steps) * width;
        struct run piece = run;
        if (run.end - run.begin > fitting) {
            if (matrix->scales || steps) break;
            piece.end = run.begin + fitting;
        }
        for (uint32_t r = 0; r < PANEL_ROWS; r++) {
            uint32_t row = first + (r < count ? r : count - 1);
            widen_run_of_any_dtype(
                order, matrix->dtype, weights_of_row(matrix, row), piece, &panel->weights[r][steps]);
            if (matrix->scales) panel->scales[r][panel->run_count] = scales_of_row(matrix, row)[piece.block];
        }
        panel->runs[panel->run_count++] = piece;
        steps += (piece.end - piece.begin + width - 1) / width;
        if (matrix->scales) run = next_run(matrix, run);
        else run.begin = piece.end;
    }
    return run;
}

// totals[t][r] += input row t * panel row (first + r), for a tile of input rows and a group of panel rows.
INLINE void tile(enum order order, bool scaled, uint32_t inputs, const struct panel *panel, uint32_t first,
                 const uint8_t *input, size_t input_stride, lanes (*totals)[PANEL_ROWS]) {
    const uint32_t width = step_columns(order);
    const lanes(*weights)[PANEL_STEPS] = panel->weights + first;
    lanes kept[TILE_INPUTS][GROUP_ROWS];
    for (uint32_t t = 0; t < inputs; t++)
        for (uint32_t r = 0; r < GROUP_ROWS; r++) kept[t][r] = totals[t][first + r];
    uint32_t at = 0;
    for (uint32_t i = 0; i < panel->run_count; i++) {
        struct run run = panel->runs[i];
        lanes sums[TILE_INPUTS][GROUP_ROWS];
        for (uint32_t t = 0; t < inputs; t++)
            for (uint32_t r = 0; r < GROUP_ROWS; r++) sums[t][r] = scaled ? (lanes){0} : kept[t][r];
        uint32_t column = run.begin;
        for (; column + width <= run.end; column += width, at++)
            for (uint32_t t = 0; t < inputs; t++) {
                lanes x = load_input(order, input + t * input_stride + column * input_size(order));
                for (uint32_t r = 0; r < GROUP_ROWS; r++) sums[t][r] = step(order, sums[t][r], weights[r][at], x);
            }
        if (column < run.end) {
            for (uint32_t t = 0; t < inputs; t++) {
                lanes x = load_input_part(
                    order, input + t * input_stride + column * input_size(order), run.end - column);
                for (uint32_t r = 0; r < GROUP_ROWS; r++) sums[t][r] = step(order, sums[t][r], weights[r][at], x);
            }
            at++;
        }
        for (uint32_t t = 0; t < inputs; t++)
            for (uint32_t r = 0; r < GROUP_ROWS; r++)
                kept[t][r] =
                    scaled ? lanes_fma(sums[t][r], lanes_fill(panel->scales[first + r][i]), kept[t][r]) : sums[t][r];
    }
    for (uint32_t t = 0; t < inputs; t++)
        for (uint32_t r = 0; r < GROUP_ROWS; r++) totals[t][first + r] = kept[t][r];
}

// All `count` inputs against one group of panel rows.
INLINE void tiles(enum order order, bool scaled, const struct panel *panel, uint32_t first, const uint8_t *input,
                  size_t input_stride, uint32_t count, lanes (*totals)[PANEL_ROWS]) {
    uint32_t t = 0;
    for (; t + TILE_INPUTS <= count; t += TILE_INPUTS)
        tile(order, scaled, TILE_INPUTS, panel, first, input + t * input_stride, input_stride, totals + t);
    for (; t < count; t++) tile(order, scaled, 1, panel, first, input + t * input_stride, input_stride, totals + t);
}

static void tiles_of_any_order(enum order order, const struct panel *panel, bool scaled, uint32_t first,
                               const uint8_t *input, size_t stride, uint32_t count, lanes (*totals)[PANEL_ROWS]) {
    if (order == ORDER_WIDENED) return tiles(ORDER_WIDENED, false, panel, first, input, stride, count, totals);
    if (order == ORDER_PAIRS) {
        if (scaled) return tiles(ORDER_PAIRS, true, panel, first, input, stride, count, totals);
        return tiles(ORDER_PAIRS, false, panel, first, input, stride, count, totals);
    }
    if (scaled) return tiles(ORDER_LANES, true, panel, first, input, stride, count, totals);
    return tiles(ORDER_LANES, false, panel, first, input, stride, count, totals);
}

// PANEL_ROWS rows of the matrix, at most PANEL_INPUTS input rows.
static void multiply_panels(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t rows,
                            const uint8_t *input, size_t input_stride, uint32_t count, float *output,
                            size_t output_stride) {
    struct panel panel;
    lanes totals[PANEL_INPUTS][PANEL_ROWS];
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t r = 0; r < PANEL_ROWS; r++) totals[t][r] = (lanes){0};
    for (struct run run = first_run(matrix); run.begin < run.end;) {
        run = fill_panel(&panel, order, matrix, first, rows, run);
        for (uint32_t r = 0; r < rows; r += GROUP_ROWS)
            tiles_of_any_order(order, &panel, matrix->scales != NULL, r, input, input_stride, count, totals);
    }
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t r = 0; r < rows; r++) output[t * output_stride + r] = lanes_sum(totals[t][r]);
}

static __attribute__((noinline)) void product_in_order(enum order order, const cohort_matrix *matrix, uint32_t first,
                                                       uint32_t row_count, const cohort_rows *input, float *output,
                                                       size_t output_stride) {
    const uint8_t *values = input->values;
    const size_t stride = input->stride * input_size(order);
    const bool blocks_fit = !matrix->scales || matrix->block_columns <= PANEL_STEPS * step_columns(order);
    if (input->count > 1 && blocks_fit) {
        for (uint32_t n = 0; n < row_count; n += PANEL_ROWS)
            for (uint32_t t = 0; t < input->count; t += PANEL_INPUTS) {
                uint32_t rows = row_count - n < PANEL_ROWS ? row_count - n : PANEL_ROWS;
                uint32_t count = input->count - t < PANEL_INPUTS ? input->count - t : PANEL_INPUTS;
                multiply_panels(order, matrix, first + n, rows, values + t * stride, stride, count,
                                output + t * output_stride + n, output_stride);
            }
        return;
    }
    for (uint32_t n = 0; n < row_count; n += GROUP_ROWS)
        for (uint32_t t = 0; t < input->count; t++) {
            uint32_t rows = row_count - n < GROUP_ROWS ? row_count - n : GROUP_ROWS;
            one_input_of_any_dtype(
                order, matrix, first + n, rows, values + t * stride, output + t * output_stride + n);
        }
}

void NAME(product)(const cohort_matrix *matrix, uint32_t first_row, uint32_t row_count, const cohort_rows *input,
                   float *output, size_t output_stride) {
    if (input->dtype == COHORT_F32)
        return product_in_order(ORDER_LANES, matrix, first_row, row_count, input, output, output_stride);
    if (matrix->dtype == COHORT_F32 || matrix->dtype == COHORT_F16)
        return product_in_order(ORDER_WIDENED, matrix, first_row, row_count, input, output, output_stride);
    uint64_t mode = flush_subnormals();
    product_in_order(ORDER_PAIRS, matrix, first_row, row_count, input, output, output_stride);
    restore_mode(mode);
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
