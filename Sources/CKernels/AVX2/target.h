#pragma once

#define COHORT_TABLE avx2
#define COHORT_TARGET "avx2,fma,f16c"
#define COHORT_PAIRS "pairs.h"
#define COHORT_LOOKUP "../AVX2/lookup.h"
#define COHORT_CODES "../AVX2/codes.h"
#define COHORT_MODE "x86.h"

// The sums of a tile must fit the registers.
enum {
    PANEL_TILE_QUADS = 1, PANEL_TILE_INPUTS = 4,  // products: quads of matrix rows, and input rows
    FEW_TILE_QUADS = 1, FEW_TILE_INPUTS = 4, FEW_TILE_INPUTS_BF16 = 3, FEW_TILE_INPUTS_I4 = 2,
    CODES_TILE_QUADS = 1, CODES_TILE_INPUTS = 4,  // many input rows of INT8
    WORD_ROWS = 3, WORD_VECTORS = 2,              // attention: queries and vectors of a panel
};

// Up to here widening weights anew for each tile beats a panel.
enum { FEW_INPUTS = 16, FEW_INPUTS_SCALED = 4 };
