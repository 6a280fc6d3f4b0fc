// The functions of the library: sets of instructions, a program on threads, and annuli.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <new>
#include <thread>
#include <vector>

#include "interface.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define DECLARE(level)                                                              \
    extern "C" void run_##level(const Program &, int64_t first, int64_t last, float *planes); \
    extern "C" void near_rows_##level(const Annulus &, int64_t first, int64_t last);          \
    extern "C" int group_##level();                                                 \
    extern "C" int tile_##level();
#define FUNCTIONS(level) run_##level, near_rows_##level, group_##level, tile_##level

DECLARE(portable)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
#endif

namespace {

struct Level {  // a set of instructions
    void (*run)(const Program &, int64_t, int64_t, float *);
    void (*near_rows)(const Annulus &, int64_t, int64_t);
    int (*group)();
    int (*tile)();
    bool present;
};

// Ascending: a processor with one has those before it.
const Level LEVELS[] = {
    {FUNCTIONS(portable), true},
#if defined(__x86_64__)
    {FUNCTIONS(avx2), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
    {FUNCTIONS(avx512),
     __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")},
#endif
};

// Shares the pieces of 0 to `count` among threads; `work` takes them from `next` until none is left.
void share(int threads, int64_t pieces, const std::function<void()> &work) {
    std::vector<std::thread> others;
    try {
        for (int i = 1; i < threads && i < pieces; i++) others.emplace_back(work);
    } catch (const std::exception &) {  // no more threads: those that there are do it
    }
    work();
    for (auto &other : others) other.join();
}

}  // namespace

EXPORT int anomvae_interface() { return INTERFACE; }

// The number of the best level of this processor, from 0.
EXPORT int anomvae_level() {
    int best = 0;
    for (size_t i = 0; i < std::size(LEVELS); i++)
        if (LEVELS[i].present) best = (int)i;
    return best;
}

// Outputs of a dense layer whose weights lie together.
EXPORT int anomvae_tile(int level) { return LEVELS[level].tile(); }

// Runs a program on `count` examples; returns 0, or 1 without memory.
EXPORT int anomvae_run(const Program *program, int64_t count, int level, int threads) {
    const Level &chosen = LEVELS[level];
    const int group = chosen.group();
    const int64_t run = 64 * group;
    std::atomic<int64_t> next{0};
    std::atomic<int> failed{0};
    share(threads, (count + run - 1) / run, [&] {
        const size_t bytes = sizeof(float) * group * program->planes;
        void *planes = ::operator new(bytes, std::align_val_t(64), std::nothrow);
        if (!planes) {
            failed = 1;
            return;
        }
        for (int64_t first; (first = next.fetch_add(run)) < count;)
            chosen.run(*program, first, std::min(count, first + run), (float *)planes);
        ::operator delete(planes, std::align_val_t(64));
    });
    return next < count ? failed.load() : 0;
}

// Fills `near` of an annulus.
EXPORT void anomvae_near(const Annulus *of, int level, int threads) {
    std::fill_n(of->near, of->rows * of->cols, 0.f);
    std::atomic<int64_t> next{0};
    share(threads, of->rows, [&] {
        for (int64_t row; (row = next.fetch_add(1)) < of->rows;)
            LEVELS[level].near_rows(*of, row, row + 1);
    });
}

// Sums integers (row, col) over a square of side 2 half + 1 around each pixel, 0 outside; sums may
// wrap around.  `sums` has room for 2 cols + 1 numbers.
EXPORT void anomvae_box_sums(const uint64_t *values, uint64_t *out, uint64_t *sums, int64_t rows,
                             int64_t cols, int64_t half) {
    uint64_t *column = sums, *running = sums + cols;  // of the rows in the square; from the left
    std::fill_n(sums, 2 * cols + 1, 0);
    auto add = [&](int64_t row, uint64_t sign) {
        for (int64_t col = 0; col < cols; col++) column[col] += sign * values[row * cols + col];
    };
    for (int64_t row = 0; row < std::min(half, rows); row++) add(row, 1);
    for (int64_t row = 0; row < rows; row++) {
        if (row + half < rows) add(row + half, 1);
        if (row > half) add(row - half - 1, -1);
        for (int64_t col = 0; col < cols; col++) running[col + 1] = running[col] + column[col];
        for (int64_t col = 0; col < cols; col++)
            out[row * cols + col] = running[std::min(col + half + 1, cols)] -
                                    running[std::max<int64_t>(col - half, 0)];
    }
}
