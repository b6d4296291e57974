// Products with many input rows: a panel of weights is widened once and then meets tile after tile of input rows.
#pragma once

#include "tile.h"

enum {
    PANEL_ROWS = 8,
    PANEL_STEPS = 32,   // with 8 rows 16 KiB: half of a level-1 cache
    PANEL_INPUTS = 64,  // their totals are 32 KiB
};
_Static_assert(PANEL_ROWS % GROUP_ROWS == 0, "a panel is made of groups");

struct panel {
    lanes weights[PANEL_ROWS][PANEL_STEPS];
    float scales[PANEL_ROWS][PANEL_STEPS];
    struct run runs[PANEL_STEPS];
    uint32_t run_count;
};

INLINE void widen_run(enum order order, uint32_t dtype, const uint8_t *row, struct run run, lanes *output) {
    const uint32_t width = step_columns(order);
    uint32_t column = run.begin;
    for (; column + 2 * width <= run.end; column += 2 * width, output += 2)
        load_two_weights(order, dtype, row + bytes_of(dtype, column), output, output + 1);
    for (; column + width <= run.end; column += width)
        *output++ = load_weights(order, dtype, row + bytes_of(dtype, column));
    if (column < run.end)
        *output = load_weights_part(order, dtype, row + bytes_of(dtype, column), run.end - column);
}

static void widen_run_of_any_dtype(enum order order, uint32_t dtype, const uint8_t *row, struct run run,
                                   lanes *output) {
    if (order == ORDER_PAIRS) {
        if (dtype == COHORT_BF16) return widen_run(ORDER_PAIRS, COHORT_BF16, row, run, output);
        if (dtype == COHORT_I8) return widen_run(ORDER_PAIRS, COHORT_I8, row, run, output);
        if (dtype == COHORT_I4) return widen_run(ORDER_PAIRS, COHORT_I4, row, run, output);
        return widen_run(ORDER_PAIRS, COHORT_F8_E4M3, row, run, output);
    }
    if (dtype == COHORT_F32) return widen_run(ORDER_LANES, COHORT_F32, row, run, output);
    if (dtype == COHORT_F16) return widen_run(ORDER_LANES, COHORT_F16, row, run, output);
    if (dtype == COHORT_BF16) return widen_run(ORDER_LANES, COHORT_BF16, row, run, output);
    if (dtype == COHORT_I8) return widen_run(ORDER_LANES, COHORT_I8, row, run, output);
    if (dtype == COHORT_I4) return widen_run(ORDER_LANES, COHORT_I4, row, run, output);
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
            widen_run_of_any_dtype(order, matrix->dtype, weights_of_row(matrix, row), piece, &panel->weights[r][steps]);
            if (matrix->scales) panel->scales[r][panel->run_count] = scales_of_row(matrix, row)[piece.block];
        }
        panel->runs[panel->run_count++] = piece;
        steps += (piece.end - piece.begin + width - 1) / width;
        if (matrix->scales) run = next_run(matrix, run);
        else run.begin = piece.end;
    }
    return run;
}

// Fetches what the next panel is made of while this one is in use: further columns from `run` on, or the next rows.
static void prefetch_panel(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t rows,
                           struct run run) {
    const uint32_t most = PANEL_STEPS * step_columns(order);
    const bool row_ends = run.begin == run.end;
    const uint32_t begin = row_ends ? 0 : run.begin;
    const uint32_t left = matrix->columns - begin;
    if (row_ends && rows < PANEL_ROWS) return;
    for (uint32_t r = 0; r < rows; r++)
        prefetch(weights_of_row(matrix, first + r + (row_ends ? PANEL_ROWS : 0)) + bytes_of(matrix->dtype, begin),
                 bytes_of(matrix->dtype, left < most ? left : most));
}

// totals[t][r] += input row t * panel row (first + r) for a tile of input rows and a group of panel rows.
INLINE void add_panel(enum order order, bool scaled, uint32_t inputs, const struct panel *panel, uint32_t first,
                      const uint8_t *input, size_t input_stride, lanes (*totals)[PANEL_ROWS]) {
    const uint32_t width = step_columns(order);
    lanes kept[TILE_INPUTS][GROUP_ROWS];
    for (uint32_t t = 0; t < inputs; t++)
        for (uint32_t r = 0; r < GROUP_ROWS; r++) kept[t][r] = totals[t][first + r];
    uint32_t at = 0;
    for (uint32_t i = 0; i < panel->run_count; i++) {
        const uint32_t columns = panel->runs[i].end - panel->runs[i].begin;
        struct tile tile = {
            .input = input + panel->runs[i].begin * input_size(order), .input_stride = input_stride};
        for (uint32_t r = 0; r < GROUP_ROWS; r++) tile.rows[r] = (const uint8_t *)&panel->weights[first + r][at];
        if (scaled) {
            lanes sums[TILE_INPUTS][GROUP_ROWS] = {0};
            add_run(order, WIDENED, inputs, tile, columns, sums);
            for (uint32_t r = 0; r < GROUP_ROWS; r++) {
                lanes scale = lanes_fill(panel->scales[first + r][i]);
                for (uint32_t t = 0; t < inputs; t++) kept[t][r] = lanes_fma(sums[t][r], scale, kept[t][r]);
            }
        } else {
            add_run(order, WIDENED, inputs, tile, columns, kept);
        }
        at += (columns + width - 1) / width;
    }
    for (uint32_t t = 0; t < inputs; t++)
        for (uint32_t r = 0; r < GROUP_ROWS; r++) totals[t][first + r] = kept[t][r];
}

// The same for all `count` input rows.
INLINE void add_panel_to_all(enum order order, bool scaled, const struct panel *panel, uint32_t first,
                             const uint8_t *input, size_t stride, uint32_t count, lanes (*totals)[PANEL_ROWS]) {
    for (uint32_t t = 0, n; t < count; t += n) {
        n = tile_inputs(count - t);
        const uint8_t *at = input + t * stride;
        if (n == TILE_INPUTS) add_panel(order, scaled, TILE_INPUTS, panel, first, at, stride, totals + t);
        else if (n == 2) add_panel(order, scaled, 2, panel, first, at, stride, totals + t);
        else add_panel(order, scaled, 1, panel, first, at, stride, totals + t);
    }
}

static void add_panel_in_order(enum order order, const struct panel *panel, bool scaled, uint32_t first,
                               const uint8_t *input, size_t stride, uint32_t count, lanes (*totals)[PANEL_ROWS]) {
    if (order == ORDER_WIDENED)
        return add_panel_to_all(ORDER_WIDENED, false, panel, first, input, stride, count, totals);
    if (order == ORDER_PAIRS) {
        if (scaled) return add_panel_to_all(ORDER_PAIRS, true, panel, first, input, stride, count, totals);
        return add_panel_to_all(ORDER_PAIRS, false, panel, first, input, stride, count, totals);
    }
    if (scaled) return add_panel_to_all(ORDER_LANES, true, panel, first, input, stride, count, totals);
    return add_panel_to_all(ORDER_LANES, false, panel, first, input, stride, count, totals);
}

// output[t][r] = input row t * matrix row (first + r) for r < rows <= PANEL_ROWS, t < count <= PANEL_INPUTS.
static void multiply_many(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t rows,
                          const uint8_t *input, size_t input_stride, uint32_t count, float *output,
                          size_t output_stride) {
    struct panel panel;
    lanes totals[PANEL_INPUTS][PANEL_ROWS];
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t r = 0; r < PANEL_ROWS; r++) totals[t][r] = (lanes){0};
    for (struct run run = first_run(matrix); run.begin < run.end;) {
        run = fill_panel(&panel, order, matrix, first, rows, run);
        prefetch_panel(order, matrix, first, rows, run);
        for (uint32_t r = 0; r < rows; r += GROUP_ROWS)
            add_panel_in_order(order, &panel, matrix->scales != NULL, r, input, input_stride, count, totals);
    }
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t r = 0; r < rows; r++) output[t * output_stride + r] = lanes_sum(totals[t][r]);
}
