// The functions of the library: each calls that of a set of instructions, a level.
#include "interface.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define DECLARE(level)                                                               \
    extern "C" void run_##level(const Program &, int64_t examples, float *planes);   \
    extern "C" void near_##level(const Annulus &);                                   \
    extern "C" int group_##level();
#define FUNCTIONS(level) run_##level, near_##level, group_##level

DECLARE(portable)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
#endif

namespace {

struct Level {
    void (*run)(const Program &, int64_t, float *);
    void (*near)(const Annulus &);
    int (*group)();
};

// Ascending: a processor with one has those before it.
const Level LEVELS[] = {
    {FUNCTIONS(portable)},
#if defined(__x86_64__)
    {FUNCTIONS(avx2)},
    {FUNCTIONS(avx512)},
#endif
};

}  // namespace

EXPORT int anomvae_interface() { return INTERFACE; }

// The number of the best level of this processor, from 0.
EXPORT int anomvae_level() {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    return wide ? 2 : 1;
#else
    return 0;
#endif
}

// Examples of a group.
EXPORT int anomvae_group(int level) { return LEVELS[level].group(); }

// Runs a program; `planes` has room for those of a group, and begins at a multiple of 64.
EXPORT void anomvae_run(const Program *program, int64_t examples, float *planes, int level) {
    LEVELS[level].run(*program, examples, planes);
}

// Fills `near` of an annulus.
EXPORT void anomvae_near(const Annulus *of, int level) { LEVELS[level].near(*of); }

namespace {

// Sums of integers over squares of side 2 half + 1 around the pixels of a row, row after row.
struct Squares {
    const uint64_t *values;
    int64_t rows, cols, half;
    uint64_t *column;   // (cols,): sums of the rows in the square
    uint64_t *running;  // (cols + 2 half + 2,): of these, those of the first i - half

    void enter(int64_t row) {
        const uint64_t *enters = values + (row + half) * cols, *leaves = values + (row - half - 1) * cols;
        for (int64_t col = 0; col < cols && row + half < rows; col++) column[col] += enters[col];
        for (int64_t col = 0; col < cols && row > half; col++) column[col] -= leaves[col];
        uint64_t *next = running + half + 1, sum = 0;
        for (int64_t col = 0; col < cols; col++) *next++ = sum += column[col];
        for (int64_t col = 0; col <= half; col++) *next++ = sum;
    }
    uint64_t at(int64_t col) const { return running[col + 2 * half + 1] - running[col]; }
};

}  // namespace

// Sums integers (row, col) over the annulus of each pixel, 0 outside; sums may wrap around.  The
// halves are those of the sides of both windows; `room` has 4 (cols + outer + 1) numbers.
EXPORT void anomvae_annulus_sums(const uint64_t *values, uint64_t *out, uint64_t *room,
                                 int64_t rows, int64_t cols, int64_t outer, int64_t guard) {
    for (int64_t i = 0; i < 4 * (cols + outer + 1); i++) room[i] = 0;
    Squares large = {values, rows, cols, outer, room, room + cols};
    room += 2 * (cols + outer + 1);
    Squares small = {values, rows, cols, guard, room, room + cols};
    for (int64_t row = -outer; row < rows; row++) {
        large.enter(row);
        if (row >= -guard) small.enter(row);
        for (int64_t col = 0; col < cols && row >= 0; col++)
            out[row * cols + col] = large.at(col) - small.at(col);
    }
}

// Rounds values to whole numbers of steps after clipping; 0 where they are not valid.
EXPORT void anomvae_in_steps(const double *values, int64_t stride, const uint8_t *valid, int64_t *out,
                             int64_t count, double most, double per_unit) {
    const double round = 6755399441055744.;  // 1.5 2^52: whole numbers lie in the last bits
    int64_t zero, whole;
    __builtin_memcpy(&zero, &round, sizeof zero);
    for (int64_t i = 0; i < count; i++) {
        double x = valid[i] ? values[i * stride] : 0;
        x = x < -most ? -most : x > most ? most : x;
        x = x * per_unit + round;
        __builtin_memcpy(&whole, &x, sizeof whole);
        out[i] = whole - zero;
    }
}
