// Products with many input rows: a panel of weights is widened once and then meets tile after tile of input rows.
#pragma once

#include "tile.h"

enum {
    PANEL_QUADS = 4,
    PANEL_ROWS = PANEL_QUADS * QUAD,
    PANEL_STRIPS = 16,  // with 16 rows 16 KiB: a third of a level-1 cache
    PANEL_STEPS = PANEL_STRIPS * STRIP_STEPS,
    PANEL_INPUTS = 128,  // their totals are 32 KiB
};

_Static_assert(PANEL_ROWS == COHORT_PRODUCT_ROWS, "callers cut matrices into whole panels");
_Static_assert(PANEL_QUADS % PANEL_TILE_QUADS == 0, "a panel is made of tiles");

// Memory that is fetched line by line while something else is in use.
struct fetch {
    const uint8_t *begin;
    size_t stride;            // bytes from one row, or four, to the next
    uint32_t shift;           // which has 1 << shift lines
    uint32_t position, step;  // lines fetched so far, and lines to fetch for each strip, times 65536
};

// Some columns of some rows, widened; the quads of a step stand side by side.
struct panel {
    lanes weights[PANEL_STEPS][PANEL_QUADS];
    lanes scales[PANEL_STRIPS][PANEL_QUADS];
    struct run runs[PANEL_STRIPS];
    uint32_t run_count, strip_count;
    bool usual;          // all runs have USUAL_COLUMNS
    struct fetch fetch;  // what the next panel is made of
};

// The rows that panels are made of: where they begin, and their scales.
struct panel_rows {
    const uint8_t *weights[PANEL_ROWS];
    const float *scales[PANEL_ROWS];
    bool share_scales;  // all rows have the same ones
};

static struct panel_rows rows_of(const cohort_matrix *matrix, uint32_t first, uint32_t count) {
    struct panel_rows rows;
    rows.share_scales = matrix->block_rows % PANEL_ROWS == 0 && (matrix->row_phase + first) % PANEL_ROWS == 0;
    for (uint32_t r = 0; r < PANEL_ROWS; r++) {
        const uint32_t row = first + row_at(matrix->dtype, r, count);
        rows.weights[r] = weights_of_row(matrix, row);
        rows.scales[r] = scales_of_row(matrix, row);
    }
    return rows;
}

// Says which columns come into the next panel, as many as fit; whole blocks if there are scales. Returns where the
// panel after it begins.
static struct run plan_panel(struct panel *panel, enum order order, const cohort_matrix *matrix, struct run run) {
    const uint32_t width = strip_columns(order);
    uint32_t strips = 0;
    panel->run_count = 0;
    panel->usual = true;
    while (run.begin < run.end) {
        uint32_t fitting = (PANEL_STRIPS - strips) * width;
        struct run piece = run;
        if (run.end - run.begin > fitting) {
            if (matrix->scales || strips) break;
            piece.end = run.begin + fitting;
        }
        panel->runs[panel->run_count++] = piece;
        panel->usual = panel->usual && piece.end - piece.begin == USUAL_COLUMNS;
        strips += (piece.end - piece.begin + width - 1) / width;
        if (matrix->scales) run = next_run(matrix, run);
        else run.begin = piece.end;
    }
    panel->strip_count = strips;
    return run;
}

INLINE void widen_strip(enum order order, uint32_t dtype, const uint8_t *const rows[QUAD], size_t offset,
                        lanes *output) {
    lanes strip[STRIP_STEPS];
    load_strip(order, dtype, rows, offset, strip);
#pragma clang loop unroll(full)
    for (uint32_t half = 0; half < 2; half++, output += 2 * PANEL_QUADS)
        steps_of(order, dtype, strip, half, output, output + PANEL_QUADS);
}

// Returns where the next run's weights go.
INLINE lanes *widen_run(enum order order, uint32_t dtype, const uint8_t *const rows[QUAD], struct run run,
                        lanes *output) {
    const uint32_t width = strip_columns(order);
    uint32_t column = run.begin;
    for (; column + width <= run.end; column += width, output += STRIP_STEPS * PANEL_QUADS)
        widen_strip(order, dtype, rows, offset_of(dtype, column), output);
    if (column == run.end) return output;
    uint8_t weights[QUAD][PADDED];
    const uint8_t *padded[QUAD] = {weights[0], weights[1], weights[2], weights[3]};
    pad_rows(rows, QUAD, offset_of(dtype, column), bytes_of(dtype, run.end - column), weights);
    widen_strip(order, dtype, padded, 0, output);
    return output + STRIP_STEPS * PANEL_QUADS;
}

INLINE void widen_rows(struct panel *panel, enum order order, uint32_t dtype, const struct panel_rows *rows) {
    const struct run all = {panel->runs[0].begin, panel->runs[panel->run_count - 1].end, 0};
    for (uint32_t q = 0; q < PANEL_QUADS; q++) {
        const uint8_t *const *quad = rows->weights + q * QUAD;
        lanes *output = &panel->weights[0][q];
        // Runs of whole strips lie side by side as one long run does.
        if (panel->usual) widen_run(order, dtype, quad, all, output);
        else
            for (uint32_t i = 0; i < panel->run_count; i++)
                output = widen_run(order, dtype, quad, panel->runs[i], output);
        if (!has_scales(dtype)) continue;
        for (uint32_t i = 0; i < panel->run_count; i++)
            panel->scales[i][q] =
                scales_of_quad(dtype, rows->share_scales, rows->scales + q * QUAD, panel->runs[i].block);
    }
}

static void fill_panel(struct panel *panel, enum order order, uint32_t dtype, const struct panel_rows *rows) {
    if (order == ORDER_PAIRS) {
        if (dtype == COHORT_BF16) return widen_rows(panel, ORDER_PAIRS, COHORT_BF16, rows);
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

// What the next panel is made of: further columns of `rows` rows from `first` on, or the first ones of `following`
// rows behind them. It comes evenly, since a burst of lines would wait for each other.
static struct fetch plan_fetch(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t rows,
                               uint32_t following, struct run run, uint32_t strips) {
    const bool row_ends = run.begin == run.end;
    const uint32_t line_count = bytes_of(matrix->dtype, PANEL_STRIPS * strip_columns(order)) / LINE;
    const uint32_t lines = (row_ends ? following : rows) * line_count;
    const uint32_t together = matrix->dtype == COHORT_I8 ? COHORT_FOUR : 1;
    return (struct fetch){
        .begin = weights_of_row(matrix, first + (row_ends ? rows : 0)) +
                 offset_of(matrix->dtype, row_ends ? 0 : run.begin),
        .stride = together * bytes_of(matrix->dtype, matrix->row_stride),
        .shift = (uint32_t)__builtin_ctz(together * line_count),
        .step = lines ? (lines << 16) / strips + 1 : 0,
    };
}

INLINE void fetch_lines(struct fetch *fetch) {
    const uint32_t begin = fetch->position >> 16, end = (fetch->position += fetch->step) >> 16;
    for (uint32_t line = begin; line < end; line++) {
        const uint32_t row = line >> fetch->shift, line_of_row = line - (row << fetch->shift);
        prefetch_line(fetch->begin + row * fetch->stride + line_of_row * LINE);
    }
}

// sums[t][q] += input row t * quad q of the panel over one run. Returns the next run's weights.
INLINE const lanes *add_panel_run(enum order order, uint32_t inputs, uint32_t columns, const lanes *weights,
                                  const uint8_t *input, size_t input_stride, struct fetch *fetch,
                                  lanes sums[MOST_INPUTS][MOST_QUADS]) {
    const uint32_t width = strip_columns(order);
    for (uint32_t strip = 0; strip < columns / width; strip++) {
        fetch_lines(fetch);
#pragma clang loop unroll(full)
        for (uint32_t s = 0; s < STRIP_STEPS; s++, weights += PANEL_QUADS, input += step_input_size(order))
            add_step(order, PANEL_TILE_QUADS, inputs, weights, input, input_stride, sums);
    }
    if (columns % width == 0) return weights;
    fetch_lines(fetch);
    uint8_t padded[MOST_INPUTS][PADDED];
    pad_inputs(input, input_stride, inputs, columns % width * input_size(order), padded);
    for (uint32_t s = 0; s < STRIP_STEPS; s++, weights += PANEL_QUADS)
        add_step(order, PANEL_TILE_QUADS, inputs, weights, padded[0] + s * step_input_size(order), PADDED, sums);
    return weights;
}

// totals[t][q] += input row t * panel quad (first + q) for a tile of input rows and quads. Where there are scales the
// totals stay in memory: together with the sums they would not fit the registers.
INLINE void add_panel(enum order order, bool scaled, bool usual, uint32_t inputs, struct panel *panel,
                      uint32_t first, const uint8_t *input, size_t input_stride, lanes (*totals)[PANEL_QUADS]) {
    const lanes *weights = &panel->weights[0][first];
    lanes sums[MOST_INPUTS][MOST_QUADS];
    for (uint32_t t = 0; t < inputs && !scaled; t++)
        for (uint32_t q = 0; q < PANEL_TILE_QUADS; q++) sums[t][q] = totals[t][first + q];
    for (uint32_t i = 0; i < panel->run_count; i++) {
        const uint32_t columns = usual ? USUAL_COLUMNS : panel->runs[i].end - panel->runs[i].begin;
        const uint8_t *at = input + input_bytes(order, panel->runs[i].begin);
        for (uint32_t t = 0; t < inputs && scaled; t++)
            for (uint32_t q = 0; q < PANEL_TILE_QUADS; q++) sums[t][q] = first_sum(order, at + t * input_stride);
        weights = add_panel_run(order, inputs, columns, weights, at, input_stride, &panel->fetch, sums);
        for (uint32_t q = 0; q < PANEL_TILE_QUADS && scaled; q++) {
            const lanes scale = panel->scales[i][first + q];
            for (uint32_t t = 0; t < inputs; t++)
                totals[t][first + q] =
                    add_scaled(order, totals[t][first + q], sums[t][q], scale, at + t * input_stride);
        }
    }
    if (scaled) return;
    for (uint32_t t = 0; t < inputs; t++)
        for (uint32_t q = 0; q < PANEL_TILE_QUADS; q++) totals[t][first + q] = sums[t][q];
}

// The same for all quads of the panel.
INLINE void add_panel_tile(enum order order, bool scaled, uint32_t inputs, struct panel *panel,
                           const uint8_t *input, size_t stride, lanes (*totals)[PANEL_QUADS]) {
    for (uint32_t q = 0; q < PANEL_QUADS; q += PANEL_TILE_QUADS) {
        if (scaled && panel->usual) add_panel(order, scaled, true, inputs, panel, q, input, stride, totals);
        else add_panel(order, scaled, false, inputs, panel, q, input, stride, totals);
    }
}

INLINE void add_panel_inputs(enum order order, bool scaled, uint32_t inputs, struct panel *panel,
                             const uint8_t *input, size_t stride, lanes (*totals)[PANEL_QUADS]) {
    switch (inputs) {
#define CASE(n)                                                                               \
    case n:                                                                                   \
        if (n <= PANEL_TILE_INPUTS) add_panel_tile(order, scaled, n, panel, input, stride, totals); \
        break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#undef CASE
    }
}
_Static_assert(PANEL_TILE_INPUTS <= 6, "every count of inputs has its case");

static void add_panel_in_order(enum order order, struct panel *panel, bool scaled, uint32_t inputs,
                               const uint8_t *input, size_t stride, lanes (*totals)[PANEL_QUADS]) {
    if (order == ORDER_WIDENED) return add_panel_inputs(ORDER_WIDENED, false, inputs, panel, input, stride, totals);
    if (order == ORDER_PAIRS) {
        if (scaled) return add_panel_inputs(ORDER_PAIRS, true, inputs, panel, input, stride, totals);
        return add_panel_inputs(ORDER_PAIRS, false, inputs, panel, input, stride, totals);
    }
    if (scaled) return add_panel_inputs(ORDER_LANES, true, inputs, panel, input, stride, totals);
    return add_panel_inputs(ORDER_LANES, false, inputs, panel, input, stride, totals);
}

// output[t][r] = input row t * matrix row (first + r) for r < rows <= PANEL_ROWS, t < count <= PANEL_INPUTS. The caller
// goes on with `following` rows.
static void multiply_many(enum order order, const cohort_matrix *matrix, uint32_t first, uint32_t rows,
                          uint32_t following, const uint8_t *input, size_t input_stride, uint32_t count, float *output,
                          size_t output_stride) {
    const struct panel_rows sources = rows_of(matrix, first, rows);
    const uint32_t tiles = (count + PANEL_TILE_INPUTS - 1) / PANEL_TILE_INPUTS * (PANEL_QUADS / PANEL_TILE_QUADS);
    struct panel panel;
    lanes totals[PANEL_INPUTS][PANEL_QUADS];
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t q = 0; q < PANEL_QUADS; q++) totals[t][q] = (lanes){0};
    for (struct run run = first_run(matrix); run.begin < run.end;) {
        run = plan_panel(&panel, order, matrix, run);
        panel.fetch = plan_fetch(order, matrix, first, rows, following, run, panel.strip_count * tiles);
        fill_panel(&panel, order, matrix->dtype, &sources);
        for (uint32_t t = 0, n; t < count; t += n) {
            n = tile_inputs(count - t, PANEL_TILE_INPUTS);
            add_panel_in_order(
                order, &panel, matrix->scales != NULL, n, input + t * input_stride, input_stride, totals + t);
        }
    }
    for (uint32_t t = 0; t < count; t++) store_quads(PANEL_QUADS, totals[t], output + t * output_stride, rows);
}
