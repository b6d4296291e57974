// Products with many input rows: a panel of weights is widened once and then meets tile after tile of input rows.
#pragma once

#include "tile.h"

enum {
    PANEL_ROWS = LANES,
    PANEL_STEPS = 16,     // with 16 rows 16 KiB: a third of a level-1 cache
    PANEL_INPUTS = 48,    // their totals are 48 KiB
};
_Static_assert(PANEL_ROWS % GROUP_ROWS == 0, "a panel is made of groups");

// Some columns of some rows, widened; the rows of a step stand side by side.
struct panel {
    lanes weights[PANEL_STEPS][PANEL_ROWS];
    float scales[PANEL_STEPS][PANEL_ROWS];
    struct run runs[PANEL_STEPS];
    uint32_t run_count;
    bool usual;  // all runs have USUAL_COLUMNS
};

// The rows that panels are made of: where they begin, and their scales. The last one stands in for rows that a matrix
// does not have.
struct panel_rows {
    const uint8_t *weights[PANEL_ROWS];
    const float *scales[PANEL_ROWS];
};

static struct panel_rows rows_of(const cohort_matrix *matrix, uint32_t first, uint32_t count) {
    struct panel_rows rows;
    for (uint32_t r = 0; r < PANEL_ROWS; r++) {
        rows.weights[r] = weights_of_row(matrix, first + (r < count ? r : count - 1));
        rows.scales[r] = scales_of_row(matrix, first + (r < count ? r : count - 1));
    }
    return rows;
}

// Says which columns come into the next panel, as many as fit; whole blocks if there are scales. Returns where the
// panel after it begins.
static struct run plan_panel(struct panel *panel, enum order order, const cohort_matrix *matrix, struct run run) {
    const uint32_t width = step_columns(order);
    uint32_t steps = 0;
    panel->run_count = 0;
    panel->usual = true;
    while (run.begin < run.end) {
        uint32_t fitting = (PANEL_STEPS - steps) * width;
        struct run piece = run;
        if (run.end - run.begin > fitting) {
            if (matrix->scales || steps) break;
            piece.end = run.begin + fitting;
        }
        panel->runs[panel->run_count++] = piece;
        panel->usual = panel->usual && piece.end - piece.begin == USUAL_COLUMNS;
        steps += (piece.end - piece.begin + width - 1) / width;
        if (matrix->scales) run = next_run(matrix, run);
        else run.begin = piece.end;
    }
    return run;
}

INLINE lanes *widen_run(enum order order, uint32_t dtype, const uint8_t *row, struct run run, lanes *output) {
    const uint32_t width = step_columns(order);
    uint32_t column = run.begin;
    for (; column + 2 * width <= run.end; column += 2 * width, output += 2 * PANEL_ROWS)
        load_two_weights(order, dtype, row + bytes_of(dtype, column), output, output + PANEL_ROWS);
    for (; column + width <= run.end; column += width, output += PANEL_ROWS)
        *output = load_weights(order, dtype, row + bytes_of(dtype, column));
    if (column == run.end) return output;
    *output = load_weights_part(order, dtype, row + bytes_of(dtype, column), run.end - column);
    return output + PANEL_ROWS;
}

INLINE void widen_rows(struct panel *panel, enum order order, uint32_t dtype, const struct panel_rows *rows) {
    const struct run all = {panel->runs[0].begin, panel->runs[panel->run_count - 1].end, 0};
    for (uint32_t r = 0; r < PANEL_ROWS; r++) {
        lanes *output = &panel->weights[0][r];
        // Runs of whole steps lie side by side as one long run does.
        if (panel->usual) {
            widen_run(order, dtype, rows->weights[r], all, output);
        } else {
            for (uint32_t i = 0; i < panel->run_count; i++)
                output = widen_run(order, dtype, rows->weights[r], panel->runs[i], output);
        }
        if (!has_scales(dtype)) continue;
        for (uint32_t i = 0; i < panel->run_count; i++) panel->scales[i][r] = rows->scales[r][panel->runs[i].block];
    }
}

static void fill_panel(struct panel *panel, enum order order, uint32_t dtype, const struct panel_rows *rows) {
    if (order == ORDER_PAIRS) {
        if (dtype == COHORT_BF16) return widen_rows(panel, ORDER_PAIRS, COHORT_BF16, rows);
        if (dtype == COHORT_I8) return widen_rows(panel, ORDER_PAIRS, COHORT_I8, rows);
        if (dtype == COHORT_I4) return widen_rows(panel, ORDER_PAIRS, COHORT_I4, rows);
        return widen_rows(panel, ORDER_PAIRS, COHORT_F8_E4M3, rows);
    }
    if (dtype == COHORT_F32) return widen_rows(panel, ORDER_LANES, COHORT_F32, rows);
    if (dtype == COHORT_F16) return widen_rows(panel, ORDER_LANES, COHORT_F16, rows);
    if (dtype == COHORT_BF16) return widen_rows(panel, ORDER_LANES, COHORT_BF16, rows);
    if (dtype == COHORT_I8) return widen_rows(panel, ORDER_LANES, COHORT_I8, rows);
    if (dtype == COHORT_I4) return widen_rows(panel, ORDER_LANES, COHORT_I4, rows);
    return widen_rows(panel, ORDER_LANES, COHORT_F8_E4M3, rows);
}

// Fetches some rows of what the next panel is made of while this one is in use: further columns from `run` on, or the
// next rows.
static void prefetch_panel(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t begin, uint32_t end,
                           struct run run) {
    const uint32_t most = PANEL_STEPS * step_columns(order);
    const bool row_ends = run.begin == run.end;
    const uint32_t column = row_ends ? 0 : run.begin;
    const uint32_t left = matrix->columns - column;
    for (uint32_t r = begin; r < end; r++)
        prefetch(weights_of_row(matrix, first + r + (row_ends ? PANEL_ROWS : 0)) + bytes_of(matrix->dtype, column),
                 bytes_of(matrix->dtype, left < most ? left : most));
}

// totals[t][r] += input row t * panel row (first + r) for a tile of input rows and a group of panel rows.
INLINE void add_panel(enum order order, bool scaled, bool usual, uint32_t inputs, const struct panel *panel,
                      uint32_t first, const uint8_t *input, size_t input_stride, lanes (*totals)[PANEL_ROWS]) {
    const uint32_t width = step_columns(order);
    const lanes *weights = &panel->weights[0][first];
    lanes kept[TILE_INPUTS][GROUP_ROWS];
    const bool begins = panel->runs[0].begin == 0;
    for (uint32_t t = 0; t < inputs; t++)
        for (uint32_t r = 0; r < GROUP_ROWS; r++) kept[t][r] = begins ? (lanes){0} : totals[t][first + r];
    input += panel->runs[0].begin * input_size(order);
    for (uint32_t i = 0; i < panel->run_count; i++) {
        const uint32_t columns = usual ? USUAL_COLUMNS : panel->runs[i].end - panel->runs[i].begin;
        lanes sums[TILE_INPUTS][GROUP_ROWS];
        for (uint32_t t = 0; t < inputs; t++)
            for (uint32_t r = 0; r < GROUP_ROWS; r++) sums[t][r] = scaled ? (lanes){0} : kept[t][r];
        for (uint32_t whole = columns / width; whole > 0; whole--) {
            add_step(order, inputs, weights, input, input_stride, width, sums);
            weights += PANEL_ROWS;
            input += width * input_size(order);
        }
        if (columns % width) {
            add_step(order, inputs, weights, input, input_stride, columns % width, sums);
            weights += PANEL_ROWS;
            input += columns % width * input_size(order);
        }
        for (uint32_t r = 0; r < GROUP_ROWS; r++) {
            lanes scale = lanes_fill(scaled ? panel->scales[i][first + r] : 1.0f);
            for (uint32_t t = 0; t < inputs; t++)
                kept[t][r] = scaled ? lanes_fma(sums[t][r], scale, kept[t][r]) : sums[t][r];
        }
    }
    for (uint32_t t = 0; t < inputs; t++)
        for (uint32_t r = 0; r < GROUP_ROWS; r++) totals[t][first + r] = kept[t][r];
}

// The same for `rows` panel rows.
INLINE void add_panel_groups(enum order order, bool scaled, uint32_t inputs, const struct panel *panel, uint32_t rows,
                             const uint8_t *input, size_t input_stride, lanes (*totals)[PANEL_ROWS]) {
    const bool usual = scaled && panel->usual;
    for (uint32_t r = 0; r < rows; r += GROUP_ROWS) {
        if (usual) add_panel(order, scaled, true, inputs, panel, r, input, input_stride, totals);
        else add_panel(order, scaled, false, inputs, panel, r, input, input_stride, totals);
    }
}

INLINE void add_panel_to_tile(enum order order, bool scaled, uint32_t inputs, const struct panel *panel, uint32_t rows,
                              const uint8_t *input, size_t stride, lanes (*totals)[PANEL_ROWS]) {
    if (inputs == TILE_INPUTS) add_panel_groups(order, scaled, TILE_INPUTS, panel, rows, input, stride, totals);
    else if (inputs == 2) add_panel_groups(order, scaled, 2, panel, rows, input, stride, totals);
    else add_panel_groups(order, scaled, 1, panel, rows, input, stride, totals);
}

static void add_panel_in_order(enum order order, const struct panel *panel, bool scaled, uint32_t inputs,
                               uint32_t rows, const uint8_t *input, size_t stride, lanes (*totals)[PANEL_ROWS]) {
    if (order == ORDER_WIDENED)
        return add_panel_to_tile(ORDER_WIDENED, false, inputs, panel, rows, input, stride, totals);
    if (order == ORDER_PAIRS) {
        if (scaled) return add_panel_to_tile(ORDER_PAIRS, true, inputs, panel, rows, input, stride, totals);
        return add_panel_to_tile(ORDER_PAIRS, false, inputs, panel, rows, input, stride, totals);
    }
    if (scaled) return add_panel_to_tile(ORDER_LANES, true, inputs, panel, rows, input, stride, totals);
    return add_panel_to_tile(ORDER_LANES, false, inputs, panel, rows, input, stride, totals);
}

// output[t][r] = input row t * matrix row (first + r) for r < rows <= PANEL_ROWS, t < count <= PANEL_INPUTS.
static void multiply_many(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t rows,
                          const uint8_t *input, size_t input_stride, uint32_t count, float *output,
                          size_t output_stride) {
    const struct panel_rows sources = rows_of(matrix, first, rows);
    struct panel panel;
    lanes totals[PANEL_INPUTS][PANEL_ROWS];
    for (struct run run = first_run(matrix); run.begin < run.end;) {
        run = plan_panel(&panel, order, matrix, run);
        fill_panel(&panel, order, matrix->dtype, &sources);
        uint32_t fetched = 0;
        for (uint32_t t = 0, n; t < count; t += n) {
            n = tile_inputs(count - t);
            uint32_t end = rows * (t + n) / count;
            prefetch_panel(order, matrix, first, fetched, end, run);
            fetched = end;
            add_panel_in_order(order, &panel, matrix->scales != NULL, n, rows, input + t * input_stride, input_stride,
                               totals + t);
        }
    }
    for (uint32_t t = 0; t < count; t++) {
        lanes sums = lanes_sums(totals[t]);
        if (rows == LANES) lanes_store(output + t * output_stride, sums);
        else lanes_store_part(output + t * output_stride, sums, rows);
    }
}
