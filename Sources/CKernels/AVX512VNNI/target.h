#pragma once

#define COHORT_TABLE avx512vnni
#define COHORT_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c"
#define COHORT_PAIRS "pairs.h"
#define COHORT_LOOKUP "../AVX512/lookup.h"
#define COHORT_CODES "../AVX512VNNI/codes.h"
#define COHORT_MODE "x86.h"

// The sums of a tile must fit the registers.
enum {
    PANEL_TILE_QUADS = 4, PANEL_TILE_INPUTS = 4,  // products: quads of matrix rows, and input rows
    FEW_TILE_QUADS = 2, FEW_TILE_INPUTS = 8, FEW_TILE_INPUTS_BF16 = 8, FEW_TILE_INPUTS_I4 = 8,
    CODES_TILE_QUADS = 4, CODES_TILE_INPUTS = 4,  // many input rows of INT8
    WORD_ROWS = 6, WORD_VECTORS = 4,              // attention: queries and vectors of a panel
};

// Up to here widening weights anew for each tile beats a panel.
enum { FEW_INPUTS = 8, FEW_INPUTS_SCALED = 8 };
