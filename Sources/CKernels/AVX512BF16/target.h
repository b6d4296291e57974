#pragma once

#define COHORT_TABLE avx512bf16
#define COHORT_TARGET "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vbmi,fma,f16c"
#define COHORT_PAIRS "../AVX512BF16/pairs.h"
#define COHORT_MODE "x86.h"

// The sums of a tile must fit the registers.
enum {
    GROUP_ROWS = 4, TILE_INPUTS = 3,       // products: matrix rows and input rows side by side
    WORD_ROWS = 6, WORD_VECTORS = 4,       // attention: queries and vectors of a panel
};

// Up to here widening weights anew for each tile beats a panel.
enum { FEW_INPUTS = 16, FEW_INPUTS_F8 = 9 };
