// FP8, INT8 and INT4 of f32 numbers, number by number.
#include "../tables.h"
#include "numbers.h"

static float nearest(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

static float bounded(float x, float least, float most) { return x > most ? most : x < least ? least : x; }

static float i4_code(float x) { return bounded(nearest(x), -8.0f, 7.0f); }

static float largest_magnitude(const float *values, uint32_t count) {
    float largest = 0.0f;
    for (uint32_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) return NAN;
        if (fabsf(values[i]) > fabsf(largest)) largest = values[i];
        if (values[i] == -fabsf(largest)) largest = values[i];
    }
    return largest;
}

static float i4_scale(const float *values, uint32_t count, float top) {
    float inverse = 1.0f / top, best = 0.0f, ratio = 0.0f;
    for (float end = -6.5f; end >= -9.5f; end -= 0.5f) {
        float products[LANES] = {0}, squares[LANES] = {0};
        for (uint32_t i = 0; i < count; i++) {
            float x = values[i] * inverse, code = i4_code(x * end);
            products[i % LANES] = fmaf(x, code, products[i % LANES]);
            squares[i % LANES] = fmaf(code, code, squares[i % LANES]);
        }
        float product = tree(products), square = tree(squares), gain = product * product / square;
        if (gain > best) {
            best = gain;
            ratio = product / square;
        }
    }
    return ratio * top;
}

static float scale_of(uint32_t dtype, const float *values, uint32_t count) {
    float top = largest_magnitude(values, count);
    if (isnan(top)) return top;
    if (fabsf(top) < 0x1p-100f) return 0.0f;
    return dtype == COHORT_I4   ? i4_scale(values, count, top)
           : dtype == COHORT_I8 ? fabsf(top) / 127.0f
                                : fabsf(top) / 448.0f;
}

void cohort_scalar_quantize(const float *values, uint32_t count, uint32_t dtype, uint32_t group, void *codes,
                            float *scales) {
    uint8_t *bytes = codes;
    for (uint32_t i = 0; i < count; i++) {
        float *scale = &scales[i / group];
        if (i % group == 0) *scale = scale_of(dtype, values + i, count - i < group ? count - i : group);
        bool is_zero = isnan(*scale) || *scale == 0.0f;
        float x = is_zero ? 0.0f : values[i] * (1.0f / *scale);
        if (dtype == COHORT_I4) {
            uint8_t nibble = (uint8_t)((int)i4_code(x) & 15);
            bytes[i / 2] = i % 2 == 0 ? nibble : (uint8_t)(bytes[i / 2] | nibble << 4);
        } else {
            bytes[i] = dtype == COHORT_I8 ? (uint8_t)(int)nearest(x) : f8_of_float(x);
        }
    }
}

void cohort_scalar_narrow_i8(const float *values, uint32_t count, cohort_code_block *blocks) {
    for (uint32_t i = 0; i < count; i++) {
        cohort_code_block *block = &blocks[i / COHORT_ROW_BLOCK];
        uint32_t at = i % COHORT_ROW_BLOCK, left = count - i;
        if (at == 0) {
            memset(block, 0, sizeof *block);
            block->scale = scale_of(COHORT_I8, values + i, left < COHORT_ROW_BLOCK ? left : COHORT_ROW_BLOCK);
        }
        if (isnan(block->scale) || block->scale == 0.0f) continue;
        block->codes[at] = (int8_t)nearest(values[i] * (1.0f / block->scale));
        block->starts[at / 4 % 4] -= 128 * block->codes[at];
    }
}
