// A vector of floats, one example in each lane, for each set of instructions.
//
// Products are added by fma() alone: the compiler may not contract others, so that its version
// changes no bit.  phi(h) is 2 Phi(2 h) - 1 for h >= 0, see tables.py.
#pragma once
#include <cstdint>

#include "tables.h"

#if defined(LEVEL_AVX512)
#include <immintrin.h>
#define LEVEL(name) name##_avx512
static constexpr int LANES = 16;
#elif defined(LEVEL_AVX2)
#include <immintrin.h>
#define LEVEL(name) name##_avx2
static constexpr int LANES = 8;
#else
#if defined(__ARM_NEON)
#include <arm_neon.h>
#endif
#define LEVEL(name) name##_portable
static constexpr int LANES = 4;
#endif

namespace {

typedef float V __attribute__((vector_size(4 * LANES), may_alias));
typedef int32_t I __attribute__((vector_size(4 * LANES), may_alias));
typedef double D __attribute__((vector_size(8 * LANES)));

constexpr float ROUND = 12582912.f;  // 1.5 2^23: a number below 2^22 beside it is rounded

inline V all(float x) { return x - V{}; }
inline V absolute(V x) { return (V)((I)x & 0x7fffffff); }

#if defined(LEVEL_AVX512) || defined(LEVEL_AVX2)
inline __m128 four(const float *x) { return _mm_loadu_ps(x); }
inline __m128 four(const uint16_t *x) {
    return _mm_cvtepi32_ps(_mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)x)));
}
inline __m128 four(const int16_t *x) {
    return _mm_cvtepi32_ps(_mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)x)));
}
#endif

#if defined(LEVEL_AVX512)
inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
inline V smaller(V a, V b) { return _mm512_min_ps(a, b); }
inline V larger(V a, V b) { return _mm512_max_ps(a, b); }

// Values 0 to 3 of examples 0, 4, 8 and 12.
template <class Number>
inline V quarter(const Number *x, int64_t stride) {
    V v = _mm512_castps128_ps512(four(x));
    v = _mm512_insertf32x4(v, four(x + 4 * stride), 1);
    v = _mm512_insertf32x4(v, four(x + 8 * stride), 2);
    return _mm512_insertf32x4(v, four(x + 12 * stride), 3);
}
inline V low_pairs(V a, V b) { return _mm512_unpacklo_ps(a, b); }
inline V high_pairs(V a, V b) { return _mm512_unpackhi_ps(a, b); }
inline V low_halves(V a, V b) { return _mm512_shuffle_ps(a, b, 0x44); }
inline V high_halves(V a, V b) { return _mm512_shuffle_ps(a, b, 0xee); }

struct Phi {
    V low[4], high[4];
    Phi() {
        for (int d = 0; d < 4; d++) {
            low[d] = _mm512_loadu_ps(PHI32[d]);
            high[d] = _mm512_loadu_ps(PHI32[d] + 16);
        }
    }
    V at(int d, I k) const { return _mm512_permutex2var_ps(low[d], (__m512i)k, high[d]); }
    V operator()(V h) const {
        h = smaller(h, all(LAST));
        I k = (I)fma(h, all(1 / STEP32), all(ROUND));
        V p = fma(at(3, k), h, at(2, k));
        p = fma(p, h, at(1, k));
        return fma(p, h, at(0, k));
    }
};
#elif defined(LEVEL_AVX2)
inline V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
inline V smaller(V a, V b) { return _mm256_min_ps(a, b); }
inline V larger(V a, V b) { return _mm256_max_ps(a, b); }

// Values 0 to 3 of examples 0 and 4.
template <class Number>
inline V quarter(const Number *x, int64_t stride) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(four(x)), four(x + 4 * stride), 1);
}
inline V low_pairs(V a, V b) { return _mm256_unpacklo_ps(a, b); }
inline V high_pairs(V a, V b) { return _mm256_unpackhi_ps(a, b); }
inline V low_halves(V a, V b) { return _mm256_shuffle_ps(a, b, 0x44); }
inline V high_halves(V a, V b) { return _mm256_shuffle_ps(a, b, 0xee); }

struct Phi {
    V at(int d, I k) const { return _mm256_permutevar8x32_ps(_mm256_loadu_ps(PHI8[d]), (__m256i)k); }
    V operator()(V h) const {
        h = smaller(h, all(LAST));
        V k = fma(h, all(1 / STEP8), all(ROUND));
        V rest = fma(k - ROUND, all(-STEP8), h);
        V p = at(5, (I)k);
        for (int d = 4; d >= 0; d--) p = fma(p, rest, at(d, (I)k));
        return p;
    }
};
#else
#if defined(__ARM_NEON)
inline V fma(V a, V b, V c) { return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#else
inline V fma(V a, V b, V c) { return a * b + c; }
#endif
inline V smaller(V a, V b) { return a < b ? a : b; }
inline V larger(V a, V b) { return a > b ? a : b; }

// Values 0 to 3 of an example.
template <class Number>
inline V quarter(const Number *x, int64_t) {
    return V{(float)x[0], (float)x[1], (float)x[2], (float)x[3]};
}
inline V low_pairs(V a, V b) { return V{a[0], b[0], a[1], b[1]}; }
inline V high_pairs(V a, V b) { return V{a[2], b[2], a[3], b[3]}; }
inline V low_halves(V a, V b) { return V{a[0], a[1], b[0], b[1]}; }
inline V high_halves(V a, V b) { return V{a[2], a[3], b[2], b[3]}; }

struct Phi {
    V operator()(V h) const {
        h = smaller(h, all(LAST));
        V t = h * h * (1 / (LAST * LAST)), p = all(PHI_P[5]), q = all(PHI_Q[5]);
        for (int d = 4; d >= 0; d--) {
            p = fma(p, t, all(PHI_P[d]));
            q = fma(q, t, all(PHI_Q[d]));
        }
        return h * p / q;
    }
};
#endif

// The smaller of both; NaN stays.
inline V at_most(V x, float most) { return x > most ? all(most) : x; }

// exp(x) for -87 < x < 88: 2^n exp(r), |r| <= log(2) / 2, Taylor's series.
inline V exponential(V x) {
    V n = fma(x, all(1.44269504f), all(ROUND)) - ROUND;
    V r = fma(n, all(-0.693359375f), x);
    r = fma(n, all(2.12194440e-4f), r);
    constexpr float C[] = {1 / 720.f, 1 / 120.f, 1 / 24.f, 1 / 6.f, .5f, 1.f, 1.f};
    V p = all(1 / 5040.f);
    for (float c : C) p = fma(p, r, all(c));
    return (V)((I)p + (__builtin_convertvector(n, I) << 23));
}

// log(1 + x) = 2 artanh(x / (2 + x)) for sqrt(1/2) - 1 <= x <= sqrt(2) - 1.
inline V logarithm_beside_1(V x) {
    V s = x / (x + 2), t = s * s;
    constexpr float C[] = {2 / 9.f, 2 / 7.f, 2 / 5.f, 2 / 3.f, 2.f};
    V p = all(2 / 11.f);
    for (float c : C) p = fma(p, t, all(c));
    return p * s;
}

// log(x) = e log(2) + log(m) for a normal x > 0, with m in [sqrt(1/2), sqrt(2)).
inline V logarithm(V x) {
    I shift = ((I)x - 0x3f3504f3) & (int32_t)0xff800000;
    V e = __builtin_convertvector(shift >> 23, V);
    return fma(e, all(.693147181f), logarithm_beside_1((V)((I)x - shift) - 1));
}

}  // namespace
