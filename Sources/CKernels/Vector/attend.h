// Attention over the latent cache in terms of lanes. For the scores a lane is a query, for the sums one of the latents.
#pragma once

#include "scores.h"

// `count` columns of a position, or of a pair of them.
INLINE void fill_columns(bool pairs, const uint8_t *even, const uint8_t *odd, uint32_t count, lanes *values) {
    const size_t size = pairs ? 2 : 4;
    if (pairs) pair_up(load_words(even, count * size), load_words(odd, count * size), values, values + 1);
    else *values = (lanes)load_words(even, count * size);
}

// Columns first ..< first + count of the block's positions.
INLINE void fill_values(bool pairs, const struct block *block, uint32_t first, uint32_t count, lanes *values) {
    const uint32_t width = pairs ? 2 * LANES : LANES;
    const size_t size = pairs ? 2 : 4;
    for (uint32_t p = 0; p < block->count; p += pairs ? 2 : 1, values += WORD_VECTORS) {
        const uint8_t *even = block->positions[p] + first * size, *odd = block->positions[p + 1] + first * size;
        if (count == PANEL_LANES) {
            for (uint32_t at = 0; at < PANEL_LANES; at += width)
                fill_columns(pairs, even + at * size, odd + at * size, width, values + at / LANES);
            continue;
        }
        for (uint32_t at = 0; at < count; at += width)
            fill_columns(pairs, even + at * size, odd + at * size, count - at < width ? count - at : width,
                         values + at / LANES);
    }
}

// What a query's sums so far, and the block's, are to be multiplied by.
struct factors {
    float old, new;
};

INLINE lanes load_latents(const float *at, uint32_t left) {
    return left < LANES ? lanes_load_part(at, left) : lanes_load(at);
}

INLINE void store_latents(float *at, lanes values, uint32_t left) {
    if (left < LANES) lanes_store_part(at, values, left);
    else lanes_store(at, values);
}

// latents = latents * factors.old + part * factors.new for up to LANES latents; those of no weight are not read.
INLINE void add_latents(struct factors factors, lanes part, float *latents, uint32_t left) {
    part += 0.0f;  // absent positions leave the sign of a zero open
    part = factors.old == 0.0f
               ? part * factors.new
               : lanes_fma(part, lanes_fill(factors.new), load_latents(latents, left) * factors.old);
    store_latents(latents, part, left);
}

// Adds up columns first ..< first + count for some queries, whose weights stand side by side.
INLINE void add_columns(bool pairs, uint32_t rows, const cohort_attention *attention, const cohort_queries *queries,
                        const struct block *block, struct room room, uint32_t query, uint32_t column,
                        const cohort_attention_sums *sums, struct ahead *ahead) {
    const uint32_t positions = count_of(queries, block, query + rows - 1);
    struct words operands = {
        .rows = (const uint8_t *)((const float *)room.scores + query),
        .row_stride = 4,
        .word_stride = room.vectors * sizeof(lanes),
        .panel = room.values,
        .count = pairs ? (positions + 1) / 2 : positions};
    lanes products[WORD_ROWS * WORD_VECTORS];
    fetch(attention, ahead, &operands);
    multiply_words(pairs, rows, WORD_VECTORS, operands, products);
    for (uint32_t r = 0; r < rows; r++) {
        const struct state *state = room.states + (query + r) / LANES;
        const struct factors factors = {state->old[(query + r) % LANES], state->new[(query + r) % LANES]};
        float *latents = sums->latents + sum_at(queries, sums, query + r) * attention->latent;
        for (uint32_t v = 0, at = column; v < WORD_VECTORS && at < attention->latent; v++, at += LANES)
            add_latents(factors, products[r * WORD_VECTORS + v], latents + at, attention->latent - at);
    }
}

static void add_values(const cohort_attention *attention, const cohort_queries *queries, const struct block *block,
                       struct room room, const cohort_attention_sums *sums, struct ahead *ahead) {
    const uint32_t end = queries->tokens * queries->heads;
    const uint32_t skipped = queries->positions <= block->first ? block->first - queries->positions + 1 : 0;
    for (uint32_t c = 0; c < attention->latent; c += PANEL_LANES) {
        const uint32_t columns = attention->latent - c < PANEL_LANES ? attention->latent - c : PANEL_LANES;
        if (has_pairs(attention)) fill_values(true, block, c, columns, room.values);
        else fill_values(false, block, c, columns, room.values);
        for (uint32_t q = skipped * queries->heads; q < end; q += WORD_ROWS) {
            const uint32_t count = end - q < WORD_ROWS ? end - q : WORD_ROWS;
#define ROWS(n)                                                                                           \
    if (n <= WORD_ROWS && count == n) {                                                                   \
        if (has_pairs(attention)) add_columns(true, n, attention, queries, block, room, q, c, sums, ahead); \
        else add_columns(false, n, attention, queries, block, room, q, c, sums, ahead);                   \
    }
            ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#undef ROWS
        }
    }
}
_Static_assert(WORD_ROWS <= 6, "every count of rows has its case");

void NAME(attend)(const cohort_attention *attention, const cohort_queries *queries, uint32_t first, uint32_t end,
                  void *scratch, const cohort_attention_sums *sums) {
    const uint32_t count = queries->tokens * queries->heads;
    const struct room room = cut(attention, count, scratch);
    const uint32_t last = queries->positions + queries->tokens - 1;
    if (end > last) end = last;
    for (uint32_t v = 0; v < room.vectors; v++) room.states[v] = (struct state){0};
    const uint64_t mode = has_pairs(attention) ? flush_subnormals() : 0;
    struct ahead ahead = {.position = first + SCORE_TILE};  // the first tile is read before a product could fetch it
    fill_queries(attention, queries, room);
    for (uint32_t at = first; at < end; at += BLOCK) {
        struct block block = {.first = at, .count = end - at < BLOCK ? end - at : BLOCK};
        ahead.end = end - at < 2 * BLOCK ? end : at + 2 * BLOCK;
        find_positions(attention, &block);
        score(attention, &block, room, &ahead);
        weigh_block(attention, queries, &block, room);
        add_values(attention, queries, &block, room, sums, &ahead);
    }
    if (has_pairs(attention)) restore_mode(mode);
    for (uint32_t q = 0; q < count; q++) {
        const size_t at = sum_at(queries, sums, q);
        sums->maxima[at] = room.states[q / LANES].maximum[q % LANES];
        sums->totals[at] = room.states[q / LANES].total[q % LANES];
    }
}

void NAME(attend_join)(const cohort_attention *attention, uint32_t queries, const cohort_attention_sums *part,
                       const cohort_attention_sums *sums) {
    const uint64_t mode = has_pairs(attention) ? flush_subnormals() : 0;
    for (size_t q = 0; q < queries; q++) {
        if (part->totals[q] == 0.0f) continue;
        struct state state = {.maximum = lanes_fill(sums->maxima[q]), .total = lanes_fill(sums->totals[q])};
        join(lanes_fill(part->maxima[q]), lanes_fill(part->totals[q]), &state);
        sums->maxima[q] = state.maximum[0];
        sums->totals[q] = state.total[0];
        const struct factors factors = {state.old[0], state.new[0]};
        for (uint32_t c = 0; c < attention->latent; c += LANES) {
            const size_t at = q * attention->latent + c;
            const uint32_t left = attention->latent - c;
            add_latents(factors, load_latents(part->latents + at, left), sums->latents + at, left);
        }
    }
    if (has_pairs(attention)) restore_mode(mode);
}

void NAME(attend_end)(const cohort_attention *attention, uint32_t queries, const cohort_attention_sums *sums) {
    const uint64_t mode = has_pairs(attention) ? flush_subnormals() : 0;
    for (size_t q = 0; q < queries; q++) {
        const float factor = 1.0f / sums->totals[q];
        for (uint32_t c = 0; c < attention->latent; c += LANES) {
            float *latents = sums->latents + q * attention->latent + c;
            store_latents(latents, load_latents(latents, attention->latent - c) * factor, attention->latent - c);
        }
    }
    if (has_pairs(attention)) restore_mode(mode);
}

#ifdef COHORT_TARGET
#pragma clang attribute pop
#endif
