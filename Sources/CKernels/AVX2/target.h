#pragma once

#define COHORT_TABLE avx2
#define COHORT_TARGET "avx2,fma,f16c"
#define COHORT_PAIRS "pairs.h"
#define COHORT_MODE "x86.h"

// The sums of a tile must fit the registers.
enum {
    TILE_QUADS = 1, TILE_INPUTS = 4,      // products: quads of matrix rows, and input rows, that meet in a panel
    FLAT_QUADS = 2, FLAT_INPUTS = 1,      // ... that meet without one
    TALL_QUADS = 1, TALL_INPUTS = 4,      // ... if there are more input rows
    WORD_ROWS = 3, WORD_VECTORS = 2,     // attention: queries and vectors of a panel
};

// Up to here widening weights anew for each tile beats a panel.
enum { FEW_INPUTS = 16, FEW_INPUTS_SCALED = 4 };
