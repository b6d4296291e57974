// How Arm flushes subnormals. It looks before rounding where x86 looks after: an exact value less than 2^-151 below
// 2^-126, which x86 rounds up to 2^-126, becomes zero here. That is the one place where this table differs.
#pragma once

INLINE uint64_t flush_subnormals(void) {
    uint64_t mode = __builtin_arm_rsr64("FPCR");
    __builtin_arm_wsr64("FPCR", mode | 1 << 24);
    return mode;
}

INLINE void restore_mode(uint64_t mode) { __builtin_arm_wsr64("FPCR", mode); }
