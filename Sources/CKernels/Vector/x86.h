// How x86 tables flush subnormals.
#pragma once

INLINE uint64_t flush_subnormals(void) {
    uint32_t mode = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(mode | 0x8040);  // flush to zero, denormals are zero
    return mode;
}

INLINE void restore_mode(uint64_t mode) { __builtin_ia32_ldmxcsr((uint32_t)mode); }
