#include "CKernels.h"

#include "tables.h"

#if defined(__x86_64__)
static const cohort_kernels avx512bf16 = COHORT_TABLE_OF(avx512bf16);
static const cohort_kernels avx512vnni = COHORT_TABLE_OF(avx512vnni);
static const cohort_kernels avx512 = COHORT_TABLE_OF(avx512);
static const cohort_kernels avx2 = COHORT_TABLE_OF(avx2);
#elif defined(__aarch64__)
static const cohort_kernels neon = COHORT_TABLE_OF(neon);
#endif
static const cohort_kernels scalar = COHORT_TABLE_OF(scalar);

size_t cohort_kernels_available(const cohort_kernels **tables, size_t capacity) {
    const cohort_kernels *found[5];
    size_t count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    int has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    int has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    int has_codes = has_avx512 && __builtin_cpu_supports("avx512vnni");
    int has_pairs = has_codes && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vbmi");
    if (has_pairs) found[count++] = &avx512bf16;
    if (has_codes) found[count++] = &avx512vnni;
    if (has_avx512) found[count++] = &avx512;
    if (has_avx2) found[count++] = &avx2;
#elif defined(__aarch64__)
    found[count++] = &neon;
#endif
    found[count++] = &scalar;
    if (count > capacity) count = capacity;
    for (size_t i = 0; i < count; i++) tables[i] = found[i];
    return count;
}
