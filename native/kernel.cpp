// Runs a program on groups of examples, and compares pixels; compiled once for each set of instructions, see lanes.h.
//
// All values of a group stay in the first two caches from the first layer to the score.
#include "interface.h"
#include "lanes.h"

namespace {

constexpr int VECTORS = 3;  // of a plane: with TILE outputs, sums of a dense layer fill the registers
constexpr int GROUP = VECTORS * LANES;

inline V *plane(float *planes, int number) { return (V *)(planes + (int64_t)number * GROUP); }

// ------------------------------------------------------------------------------------ inputs

typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

// Copies values that lie side by side in an example into planes: 4 values of 4 examples at once.
void transpose(const float *stored, int64_t stride, int values, float *planes) {
    for (int lane = 0; lane < GROUP; lane += 4, stored += 4 * stride)
        for (int value = 0; value < values; value += 4) {
            const float *from = stored + value;
            Four a = *(Four *)from, b = *(Four *)(from + stride), c = *(Four *)(from + 2 * stride),
                 d = *(Four *)(from + 3 * stride);
            Four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), AB = __builtin_shufflevector(a, b, 2, 6, 3, 7);
            Four cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
            float *to = planes + value * GROUP + lane;
            *(Four *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
            *(Four *)(to + GROUP) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
            *(Four *)(to + 2 * GROUP) = __builtin_shufflevector(AB, CD, 0, 1, 4, 5);
            *(Four *)(to + 3 * GROUP) = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
        }
}

template <class Stored>
int transposed(const Stored *, const Input &, int, float *) { return 0; }

// Returns how many values are copied.
template <>
int transposed(const float *data, const Input &in, int count, float *planes) {
    if (count < GROUP || in.value_stride != 1) return 0;
    transpose(data, in.example_stride, in.values / 4 * 4, planes);
    return in.values / 4 * 4;
}

template <class Stored>
void copy(const Stored *stored, int64_t stride, int count, float *x) {
    if (stride == 1)
        for (int lane = 0; lane < count; lane++) x[lane] = stored[lane];
    else
        for (int lane = 0; lane < count; lane++) x[lane] = stored[lane * stride];
    for (int lane = count; lane < GROUP; lane++) x[lane] = 0;
}

template <class Stored>
void load(const Input &in, int64_t first, int count, float *planes, I *valid) {
    constexpr float EXTREME = .999f * 3.4028235e38f;  // as in anomvae/raster/values.py
    const Stored *data = (const Stored *)in.data + first * in.example_stride;
    planes += (int64_t)in.plane * GROUP;
    int copied = transposed(data, in, count, planes);
    for (int value = 0; value < in.values; value++) {
        float *plane = planes + (int64_t)value * GROUP;
        if (value >= copied) copy(data + value * in.value_stride, in.example_stride, count, plane);
        V *x = (V *)plane;
        if (in.nodata && in.nodata[value] == in.nodata[value])
            for (int v = 0; v < VECTORS; v++) valid[v] &= x[v] != (float)in.nodata[value];
        if (in.scale)
            for (int lane = 0; lane < GROUP; lane++)
                plane[lane] = (float)(plane[lane] * in.scale[value] + in.offset[value]);
        for (int v = 0; v < VECTORS; v++) {
            I fine = absolute(x[v]) < EXTREME;
            valid[v] &= fine;
            x[v] = (V)((I)x[v] & fine);
            if (in.centre) {
                V far = all(in.farthest[value]);
                x[v] = larger(smaller(x[v] - in.centre[value], far), -far);
            }
        }
    }
}

void load_all(const Program &program, int64_t first, int count, float *planes, I *valid) {
    for (int v = 0; v < VECTORS; v++) valid[v] = I{} - 1;
    for (int i = 0; i < program.input_count; i++) {
        const Input &in = program.inputs[i];
        if (in.type == FLOAT32) load<float>(in, first, count, planes, valid);
        if (in.type == UINT16) load<uint16_t>(in, first, count, planes, valid);
        if (in.type == INT16) load<int16_t>(in, first, count, planes, valid);
    }
}

// ------------------------------------------------------------------------------------ layers

// `OUT` outputs of a layer; the weights of an input lie side by side.
template <int OUT>
inline __attribute__((always_inline)) void tile(
    const V *in, int inputs, const float *weight, const float *bias, V *out) {
    V sum[OUT][VECTORS];
#pragma GCC unroll 8
    for (int o = 0; o < OUT; o++)
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) sum[o][v] = bias ? all(bias[o]) : out[o * VECTORS + v];
    for (int i = 0; i < inputs; i++, in += VECTORS, weight += OUT) {
#pragma GCC unroll 8
        for (int o = 0; o < OUT; o++) {
            V w = all(weight[o]);
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++) sum[o][v] = fma(w, in[v], sum[o][v]);
        }
    }
#pragma GCC unroll 8
    for (int o = 0; o < OUT; o++)
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) out[o * VECTORS + v] = sum[o][v];
}

void dense(const Step &step, float *planes, const float *bias) {
    const V *in = plane(planes, step.in);
    V *out = plane(planes, step.out);
    const float *weight = step.weight;
    int o = 0;
    for (; o + TILE <= step.outputs; o += TILE, weight += TILE * step.inputs)
        tile<TILE>(in, step.inputs, weight, bias ? bias + o : bias, out + o * VECTORS);
    if (o < step.outputs) tile<4>(in, step.inputs, weight, bias ? bias + o : bias, out + o * VECTORS);
}

// x holds x / 2, exactly: a product less for each value.
void gelu(V *x, int count) {
    const Phi phi;
    for (int i = 0; i < count; i++) {
        V h = absolute(x[i]);
        x[i] = fma(h, phi(h), x[i]);
    }
}

void scale_add(const Step &step, float *planes) {
    const V *in = plane(planes, step.in);
    V *out = plane(planes, step.out);
    for (int i = 0; i < step.inputs; i++)
        for (int v = 0; v < VECTORS; v++)
            out[i * VECTORS + v] = fma(in[i * VECTORS + v], all(step.weight[i]), out[i * VECTORS + v]);
}

// ------------------------------------------------------------------------------------- terms

inline V log_sigma(V x) { return larger(smaller(x, all(5.f)), all(-7.f)); }

void kl_normal(const Step &step, float *planes) {
    int units = step.inputs / 2;
    const V *mean = plane(planes, step.in), *log_s = plane(planes, step.in + units);
    V *out = plane(planes, step.out);
    for (int v = 0; v < VECTORS; v++) {
        V sum = {};
        for (int i = 0; i < units; i++) {
            V m = mean[i * VECTORS + v], s = log_sigma(log_s[i * VECTORS + v]);
            V twice = fma(m, m, exponential(s + s)) - 1;
            V kl = fma(twice, all(.5f), -s);
            sum += kl < 0 ? V{} : kl;
        }
        out[v] = sum * step.number;
    }
}

// (n + 1) / 2 sum log(1 + u^2 / n), as the logarithm of a product of mantissas and a sum of exponents.
void student(const Step &step, float *planes) {
    const V *in = plane(planes, step.in);
    V *out = plane(planes, step.out);
    const float inverse = 1 / step.number;
    for (int v = 0; v < VECTORS; v++) {
        V product = all(1.f), infinite = {};
        I exponents = {}, missing = {};
        for (int i = 0; i < step.inputs; i++) {
            V u = in[i * VECTORS + v], factor = fma(u * u, all(inverse), all(1.f));
            infinite = larger(infinite, factor);
            missing |= u != u;  // NaN would be lost in its bits
            exponents += (I)factor >> 23;
            product *= (V)(((I)factor & 0x007fffff) | 0x3f800000);
            if (i % 64 == 63 || i + 1 == step.inputs) {
                exponents += ((I)product >> 23) - 127;
                product = (V)(((I)product & 0x007fffff) | 0x3f800000);
            }
        }
        V whole = __builtin_convertvector(exponents - 127 * step.inputs, V);
        V sum = fma(whole, all(.693147181f), logarithm(product));
        sum = infinite > 3e38f ? infinite : sum;
        sum = missing ? all(__builtin_nanf("")) : sum;
        out[v] = sum * ((step.number + 1) / 2);
    }
}

void squares(const Step &step, float *planes) {
    const V *in = plane(planes, step.in);
    V *out = plane(planes, step.out);
    for (int v = 0; v < VECTORS; v++) {
        V sum = {};
        for (int i = 0; i < step.inputs; i++)
            sum = fma(in[i * VECTORS + v], in[i * VECTORS + v], sum);
        out[v] = sum * step.number;
    }
}

void run_step(const Step &step, float *planes) {
    switch (step.operation) {
        case DENSE: return dense(step, planes, step.bias);
        case DENSE_GELU:
            dense(step, planes, step.bias);
            return gelu(plane(planes, step.out), step.outputs * VECTORS);
        case DENSE_ADD: return dense(step, planes, nullptr);
        case SCALE_ADD: return scale_add(step, planes);
        case KL_NORMAL: return kl_normal(step, planes);
        case STUDENT: return student(step, planes);
        case SQUARES: return squares(step, planes);
    }
}

// ----------------------------------------------------------------------------------- outputs

void store(const Output &out, int64_t first, int count, float *planes, const I *valid) {
    for (int value = 0; value < out.values; value++) {
        float *data = out.data + first * out.example_stride + value * out.value_stride;
        V *x = plane(planes, out.plane + value);
        float kept[GROUP] __attribute__((aligned(64)));
        for (int v = 0; v < VECTORS; v++) {
            V missing = all(__builtin_nanf(""));
            ((V *)kept)[v] = valid[v] ? at_most(x[v], out.most) : missing;
        }
        if (out.example_stride == 1)
            __builtin_memcpy(data, kept, sizeof(float) * count);
        else
            for (int lane = 0; lane < count; lane++) data[lane * out.example_stride] = kept[lane];
    }
}

// ----------------------------------------------------------------------------------- annuli

constexpr int RUN = 256;  // columns at once

// Adds what `there`, `count` neighbours of the pixels `here`, are worth; sums are those of numpy,
// to the bit: anomvae/stats/local_contrast.py.
void add_near(const Annulus &of, int64_t here, int64_t there, int count) {
    const int64_t pixels = of.rows * of.cols;
    float apart[RUN];
    for (int i = 0; i < count; i++) apart[i] = of.least;
    for (int unit = 0; unit < of.latent; unit++) {
        const float *a = of.code + unit * pixels + here, *b = of.code + unit * pixels + there;
        for (int i = 0; i < count; i++) apart[i] += (a[i] - b[i]) * (a[i] - b[i]);
    }
    const float *a = of.valid + here, *b = of.valid + there;
    float *near = of.near + here;
    for (int i = 0; i < count; i++) near[i] += a[i] * b[i] / apart[i];
}

void near_row(const Annulus &of, int64_t row) {
    for (int64_t col = 0; col < of.cols; col += RUN)
        for (int k = 0; k < 2 * of.offset_count; k++) {
            const int sign = k % 2 ? -1 : 1;
            const int64_t down = sign * of.offsets[k / 2 * 2], right = sign * of.offsets[k / 2 * 2 + 1];
            int64_t first = col > -right ? col : -right, last = col + RUN;
            if (last > of.cols) last = of.cols;
            if (last > of.cols - right) last = of.cols - right;
            if (row + down < 0 || row + down >= of.rows || first >= last) continue;
            int64_t here = row * of.cols + first;
            add_near(of, here, here + down * of.cols + right, (int)(last - first));
        }
}

}  // namespace

extern "C" void LEVEL(near_rows)(const Annulus &of, int64_t first, int64_t last) {
    for (; first < last; first++) near_row(of, first);
}

extern "C" int LEVEL(group)() { return GROUP; }
extern "C" int LEVEL(tile)() { return TILE; }

extern "C" void LEVEL(run)(const Program &program, int64_t first, int64_t last, float *planes) {
    I valid[VECTORS];
    for (; first < last; first += GROUP) {
        int count = last - first < GROUP ? (int)(last - first) : GROUP;
        load_all(program, first, count, planes, valid);
        for (int i = 0; i < program.step_count; i++) run_step(program.steps[i], planes);
        for (int i = 0; i < program.output_count; i++)
            store(program.outputs[i], first, count, planes, valid);
    }
}
