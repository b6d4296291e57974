// Weights of attention in terms of lanes: a lane is a query. The queries are brought into panels once, and a position's
// words are read where they are.
#pragma once

#include "../tables.h"
#include "words.h"

// A tile of scores is QUERY_VECTORS of queries or fewer, and as many positions as make up its size: with powers of two
// a tile seldom reaches over the end of a page. A panel of more queries would leave the first-level cache.
enum { BLOCK = COHORT_ATTENTION_BLOCK, SCORE_TILE = WORD_VECTORS == 4 ? 16 : 4, QUERY_VECTORS = 2 };
_Static_assert(SCORE_TILE <= WORD_ROWS * WORD_VECTORS, "the sums of a tile fit the registers");

struct block {
    uint32_t first, count;
    const uint8_t *positions[BLOCK + 1];  // where they stand, the last one twice
};

// What so many queries, a lane each, have seen so far and what of the block at hand.
struct state {
    lanes maximum, total;
    lanes old, new;  // factors of the sums so far, and of the block's
};

// The caller's scratch, cut up.
struct room {
    uint32_t vectors;      // of queries
    lanes *queries;        // a panel [words][vectors] for each QUERY_VECTORS of them
    lanes *scores;         // [BLOCK][vectors]; then the weights, words of one or two positions
    lanes *values;         // [words of the block's positions][WORD_VECTORS]
    struct state *states;  // [vectors]
    uint8_t *rows;         // [SCORE_TILE] positions
};

INLINE uint32_t width_of(const cohort_attention *attention) { return attention->latent + attention->rope; }
INLINE bool has_pairs(const cohort_attention *attention) { return attention->dtype == COHORT_BF16; }
INLINE size_t value_size(const cohort_attention *attention) { return has_pairs(attention) ? 2 : 4; }
INLINE size_t row_size(const cohort_attention *attention) { return width_of(attention) * value_size(attention); }
INLINE uint32_t words_of(const cohort_attention *attention) { return row_size(attention) / 4; }

INLINE struct room cut(const cohort_attention *attention, uint32_t queries, void *scratch) {
    struct room room = {.vectors = (queries + LANES - 1) / LANES, .queries = scratch};
    room.scores = room.queries + (size_t)room.vectors * words_of(attention);
    room.values = room.scores + (size_t)room.vectors * BLOCK;
    room.states = (struct state *)(room.values + BLOCK * WORD_VECTORS);
    room.rows = (uint8_t *)(room.states + room.vectors);
    return room;
}

INLINE const uint8_t *cached_at(const cohort_attention *attention, uint32_t position) {
    const size_t row = position % attention->page_positions;
    const uint8_t *page = attention->pages[position / attention->page_positions];
    return page + attention->page_offset + row * row_size(attention);
}

INLINE const uint8_t *query_at(const cohort_attention *attention, const cohort_queries *queries, uint32_t query) {
    const size_t offset =
        query / queries->heads * queries->token_stride + query % queries->heads * (size_t)width_of(attention);
    return (const uint8_t *)queries->values + offset * value_size(attention);
}

INLINE size_t sum_at(const cohort_queries *queries, const cohort_attention_sums *sums, uint32_t query) {
    return query / queries->heads * sums->token_stride + query % queries->heads;
}

static void find_positions(const cohort_attention *attention, struct block *block) {
    const size_t size = row_size(attention);
    const uint8_t *at = cached_at(attention, block->first);
    uint32_t left = attention->page_positions - block->first % attention->page_positions;
    for (uint32_t p = 0; p < block->count; p++, at += size, left--) {
        if (left == 0) {
            at = cached_at(attention, block->first + p);
            left = attention->page_positions;
        }
        block->positions[p] = at;
    }
    block->positions[block->count] = block->positions[block->count - 1];
}

// Vectors of queries that share a panel: of `left` that are still to come.
INLINE uint32_t panel_vectors(uint32_t left) { return left < QUERY_VECTORS ? left : QUERY_VECTORS; }

// 16 rows' words w ..< w + count become lanes of the panel.
INLINE void fill_words(const uint8_t *const rows[LANES], uint32_t w, uint32_t count, uint32_t vectors, lanes *panel) {
    u32x16 matrix[LANES];
#pragma clang loop unroll(full)
    for (int l = 0; l < LANES; l++) matrix[l] = load_words(rows[l] + w * 4, count * 4);
    transpose(matrix);
#pragma clang loop unroll(full)
    for (uint32_t i = 0; i < LANES; i++)
        if (i < count) panel[(w + i) * vectors] = (lanes)matrix[i];
}

// The last query fills what lanes are left.
static void fill_queries(const cohort_attention *attention, const cohort_queries *queries, struct room room) {
    const uint32_t words = words_of(attention), count = queries->tokens * queries->heads;
    for (uint32_t first = 0, vectors; first < room.vectors; first += vectors) {
        vectors = panel_vectors(room.vectors - first);
        for (uint32_t v = first; v < first + vectors; v++) {
            lanes *panel = room.queries + (size_t)first * words + (v - first);
            const uint8_t *rows[LANES];
            uint32_t w = 0;
            for (uint32_t l = 0, q = v * LANES; l < LANES; l++, q++)
                rows[l] = query_at(attention, queries, q < count ? q : count - 1);
            for (; w + LANES <= words; w += LANES) fill_words(rows, w, LANES, vectors, panel);
            if (w < words) fill_words(rows, w, words - w, vectors, panel);
        }
    }
}

// Positions that are still to be fetched into the second-level cache.
struct ahead {
    uint32_t position, end;
    size_t offset;  // bytes of the position's page that have been fetched, from the position on
};

// Lets a product fetch what it has the time for.
INLINE void fetch(const cohort_attention *attention, struct ahead *ahead, struct words *words) {
    words->ahead = (const uint8_t *)words->panel;
    words->line = 0;
    if (ahead->position >= ahead->end) return;
    const uint32_t rest = attention->page_positions - ahead->position % attention->page_positions;
    const uint32_t wanted = ahead->end - ahead->position, positions = rest < wanted ? rest : wanted;
    const size_t end = positions * row_size(attention), bytes = end - ahead->offset;
    words->ahead = cached_at(attention, ahead->position) + ahead->offset;
    words->line = bytes < words->count * (size_t)LINE ? bytes / words->count : LINE;
    ahead->offset += words->count * (size_t)LINE;
    if (ahead->offset < end) return;
    ahead->position += positions;
    ahead->offset = 0;
}

// A tile's positions where they are if they stand side by side, else copied.
INLINE const uint8_t *rows_at(const struct block *block, uint32_t p, uint32_t rows, size_t size, uint8_t *copies) {
    const uint32_t count = block->count - p < rows ? block->count - p : rows;
    const uint8_t *first = block->positions[p];
    if (count == rows && block->positions[p + rows - 1] == first + (rows - 1) * size) return first;
    for (uint32_t r = 0; r < rows; r++)
        __builtin_memcpy(copies + r * size, block->positions[r < count ? p + r : block->count - 1], size);
    return copies;
}

// Scores of all positions of the block and the queries of one panel.
INLINE void score_panel(bool pairs, uint32_t vectors, const cohort_attention *attention, const struct block *block,
                        struct room room, uint32_t first, struct ahead *ahead) {
    const uint32_t rows = SCORE_TILE / vectors, words = words_of(attention);
    const size_t size = row_size(attention);
    struct words operands = {
        .panel = room.queries + (size_t)first * words, .count = words, .row_stride = size, .word_stride = 4};
    for (uint32_t p = 0; p < block->count; p += rows) {
        lanes sums[SCORE_TILE];
        operands.rows = rows_at(block, p, rows, size, room.rows);
        fetch(attention, ahead, &operands);
        multiply_words(pairs, rows, vectors, operands, sums);
        for (uint32_t r = 0; r < rows; r++)
            for (uint32_t v = 0; v < vectors; v++)
                room.scores[(p + r) * room.vectors + first + v] = sums[r * vectors + v] * attention->scale;
    }
}

static void score(const cohort_attention *attention, const struct block *block, struct room room,
                  struct ahead *ahead) {
    for (uint32_t first = 0, vectors; first < room.vectors; first += vectors) {
        vectors = panel_vectors(room.vectors - first);
#define PANEL(n)                                                                                      \
    if (vectors == n) {                                                         \
        if (has_pairs(attention)) score_panel(true, n, attention, block, room, first, ahead);         \
        else score_panel(false, n, attention, block, room, first, ahead);                             \
    }
        PANEL(1) PANEL(2)
#undef PANEL
    }
}
_Static_assert(QUERY_VECTORS == 2, "every count of vectors has its case");

// The block's positions that a query attends to.
INLINE uint32_t count_of(const cohort_queries *queries, const struct block *block, uint32_t query) {
    const uint32_t positions = queries->positions + query / queries->heads;
    const uint32_t left = positions < block->first ? 0 : positions - block->first;
    return left < block->count ? left : block->count;
}

INLINE i32x16 counts_of(const cohort_queries *queries, const struct block *block, uint32_t first) {
    const uint32_t count = queries->tokens * queries->heads;
    i32x16 counts;
    for (uint32_t l = 0; l < LANES; l++)
        counts[l] = (int32_t)count_of(queries, block, first + l < count ? first + l : count - 1);
    return counts;
}

INLINE uint32_t whole_lanes(uint32_t count) { return (count + LANES - 1) / LANES * LANES; }

// Hides the positions that a query does not attend to, and gives the largest of the others' scores.
INLINE lanes mask(lanes *scores, uint32_t stride, uint32_t count, i32x16 counts) {
    const lanes none = lanes_fill(-__builtin_inff());
    lanes largest = none;
    for (uint32_t p = 0; p < count; p++) {
        lanes *score = scores + p * stride;
        *score = lanes_select(counts > (int32_t)p, *score, none);
        largest = lanes_greater(*score, largest);
    }
    for (uint32_t p = count; p < whole_lanes(count); p++) scores[p * stride] = none;
    return largest;
}

INLINE lanes tree(lanes sums[LANES]) {
    for (uint32_t half = LANES / 2; half > 0; half /= 2)
        for (uint32_t l = 0; l < half; l++) sums[l] += sums[l + half];
    return sums[0];
}

// Scores become weights relative to the largest, of bf16 two positions a word. Gives their total.
INLINE lanes weigh(bool pairs, lanes *scores, uint32_t stride, uint32_t count, lanes largest) {
    lanes sums[LANES] = {0};
    for (uint32_t first = 0; first < count; first += LANES)
        for (uint32_t l = 0; l < LANES; l += 2) {
            const uint32_t p = first + l;
            lanes even = lanes_exp(scores[p * stride] - largest), odd = lanes_exp(scores[(p + 1) * stride] - largest);
            if (pairs) {
                const u16x16 narrow_even = lanes_to_bf16(even), narrow_odd = lanes_to_bf16(odd);
                even = lanes_bf16(&narrow_even);
                odd = lanes_bf16(&narrow_odd);
                scores[p / 2 * stride] = (lanes)((u32x16)odd | (u32x16)even >> 16);
            } else {
                scores[p * stride] = even;
                scores[(p + 1) * stride] = odd;
            }
            sums[l] += even;
            sums[l + 1] += odd;
        }
    return tree(sums);
}

// Takes parts into maxima and totals; says how the latents are to be added up.
INLINE void join(lanes new_maximum, lanes new_total, struct state *state) {
    const i32x16 first = state->total == 0.0f;
    const lanes larger = lanes_select(first | (new_maximum > state->maximum), new_maximum, state->maximum);
    state->old = lanes_select(first, lanes_fill(0.0f), lanes_exp(state->maximum - larger));
    state->new = lanes_select(first, lanes_fill(1.0f), lanes_exp(new_maximum - larger));
    state->maximum = larger;
    state->total = lanes_select(first, new_total, lanes_fma(new_total, state->new, state->total * state->old));
}

// Lanes whose queries do not attend to the block keep their state.
INLINE void weigh_vector(bool pairs, lanes *scores, uint32_t stride, uint32_t count, i32x16 counts,
                         struct state *state) {
    const i32x16 none = counts == 0;
    const lanes largest = lanes_select(none, lanes_fill(0.0f), mask(scores, stride, count, counts));
    const lanes total = weigh(pairs, scores, stride, count, largest);
    struct state joined = *state;
    join(largest, total, &joined);
    state->maximum = lanes_select(none, state->maximum, joined.maximum);
    state->total = lanes_select(none, state->total, joined.total);
    state->old = joined.old;
    state->new = joined.new;
}

static void weigh_block(const cohort_attention *attention, const cohort_queries *queries, const struct block *block,
                        struct room room) {
    for (uint32_t v = 0; v < room.vectors; v++) {
        const i32x16 counts = counts_of(queries, block, v * LANES);
        lanes *scores = room.scores + v;
        if (has_pairs(attention)) weigh_vector(true, scores, room.vectors, block->count, counts, room.states + v);
        else weigh_vector(false, scores, room.vectors, block->count, counts, room.states + v);
    }
}
