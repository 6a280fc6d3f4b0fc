// Runs a program on groups of examples, and compares pixels; compiled once for each set of instructions, see lanes.h.
//
// All values of a group stay in the first two caches from the first layer to the score.
#include "interface.h"
#include "lanes.h"

namespace {

constexpr int VECTORS = 3;  // of a plane
constexpr int GROUP = VECTORS * LANES;

inline V *plane(float *planes, int number) { return (V *)(planes + (int64_t)number * GROUP); }

// ------------------------------------------------------------------------------------ inputs

// Turns a number into the distance to the centre; `valid` loses lanes that are no data.
inline V prepared(const Input &in, int value, V x, I &valid) {
    constexpr float LARGEST = 3.4028235e38f, EXTREME = .999f * LARGEST;  // anomvae/raster/values.py
    if (in.stored) valid &= absolute(x) < EXTREME;
    if (in.nodata && in.nodata[value] == in.nodata[value]) valid &= x != (float)in.nodata[value];
    if (in.scale) {
        D exact = __builtin_convertvector(x, D) * in.scale[value] + in.offset[value];
        x = __builtin_convertvector(exact, V);
    }
    I finite = absolute(x) <= LARGEST;
    valid &= finite;
    x = (V)((I)x & finite);
    if (!in.centre) return x;
    V far = all(in.farthest[value]);
    return larger(smaller(x - in.centre[value], far), -far);
}

// Asks for numbers of the next group, which come while this one is computed.
template <class Number>
inline void fetch(const Number *from, int count) {
    for (int i = 0; i < count; i += 64 / sizeof(Number)) __builtin_prefetch(from + i);
}

// Prepares values that lie side by side in an example, 4 of each at once; returns how many.
template <class Number>
int transpose(const Input &in, const Number *data, V *planes, I *valid) {
    const int64_t stride = in.example_stride;
    int value = 0;
    for (; value + 4 <= in.values; value += 4)
        for (int v = 0; v < VECTORS; v++) {
            const Number *from = data + v * LANES * stride + value;
            fetch(data + GROUP * stride + (value * VECTORS + 4 * v) * LANES, 4 * LANES);
            V a = quarter(from, stride), b = quarter(from + stride, stride);
            V c = quarter(from + 2 * stride, stride), d = quarter(from + 3 * stride, stride);
            V ab = low_pairs(a, b), cd = low_pairs(c, d), AB = high_pairs(a, b), CD = high_pairs(c, d);
            V four[] = {low_halves(ab, cd), high_halves(ab, cd), low_halves(AB, CD), high_halves(AB, CD)};
            for (int i = 0; i < 4; i++)
                planes[(value + i) * VECTORS + v] = prepared(in, value + i, four[i], valid[v]);
        }
    return value;
}

template <class Number>
void load(const Input &in, int64_t first, int count, float *all_planes, I *valid) {
    const Number *data = (const Number *)in.data + first * in.example_stride;
    V *planes = plane(all_planes, in.plane);
    int value = in.value_stride == 1 && count == GROUP ? transpose(in, data, planes, valid) : 0;
    for (; value < in.values; value++) {
        const Number *from = data + value * in.value_stride;
        float x[GROUP] __attribute__((aligned(64))) = {};
        if (in.example_stride == 1) {
            for (int lane = 0; lane < count; lane++) x[lane] = from[lane];
            fetch(from + GROUP, GROUP);
        } else
            for (int lane = 0; lane < count; lane++) x[lane] = from[lane * in.example_stride];
        for (int v = 0; v < VECTORS; v++)
            planes[value * VECTORS + v] = prepared(in, value, ((V *)x)[v], valid[v]);
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

bool any(const I *valid) {
    int32_t found = 0;
    for (int lane = 0; lane < GROUP; lane++) found |= ((const int32_t *)valid)[lane];
    return found;
}

// ------------------------------------------------------------------------------------ layers

// x holds x / 2, exactly: a product less for each value.
inline V gelu(V x, const Phi &phi) {
    V h = absolute(x);
    return fma(h, phi(h), x);
}

// Four outputs of a layer, whose weights of an input lie side by side.  So many sums keep the
// processor busy; with more, too many results wait to be stored at once.
template <bool ACTIVATED>
inline void four_outputs(const V *in, int inputs, const float *weight, const float *bias, V *out) {
    V sum[4][VECTORS];
#pragma GCC unroll 4
    for (int o = 0; o < 4; o++)
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++) sum[o][v] = bias ? all(bias[o]) : out[o * VECTORS + v];
    for (int i = 0; i < inputs; i++, in += VECTORS, weight += 4) {
#pragma GCC unroll 4
        for (int o = 0; o < 4; o++) {
            V w = all(weight[o]);
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++) sum[o][v] = fma(w, in[v], sum[o][v]);
        }
    }
    const Phi phi;
#pragma GCC unroll 4
    for (int o = 0; o < 4; o++)
#pragma GCC unroll 3
        for (int v = 0; v < VECTORS; v++)
            out[o * VECTORS + v] = ACTIVATED ? gelu(sum[o][v], phi) : sum[o][v];
}

template <bool ACTIVATED>
void dense(const Step &step, float *planes, const float *bias) {
    const V *in = plane(planes, step.in);
    V *out = plane(planes, step.out);
    for (int o = 0; o < step.outputs; o += 4)
        four_outputs<ACTIVATED>(in, step.inputs, step.weight + (int64_t)o * step.inputs,
                                bias ? bias + o : bias, out + o * VECTORS);
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

// KL(N(shift, exp(log_ratio)^2) || N(0, 1)), which rounding can bring below 0.
inline V kl_of(V shift, V log_ratio) {
    V twice = fma(shift, shift, exponential(log_ratio + log_ratio)) - 1;
    V kl = fma(twice, all(.5f), -log_ratio);
    return kl < 0 ? V{} : kl;
}

void kl_normal(const Step &step, float *planes) {
    const int units = step.inputs / 2;
    const V *mean = plane(planes, step.in), *log_s = plane(planes, step.in + units);
    V *out = plane(planes, step.out);
    for (int v = 0; v < VECTORS; v++) {
        V sum = {};
        for (int i = v; i < units * VECTORS; i += VECTORS) sum += kl_of(mean[i], log_sigma(log_s[i]));
        out[v] = sum * step.number;
    }
}

// The log sigmas of `in` are those of a product, and clipped already.
void kl_between(const Step &step, float *planes) {
    const int units = step.inputs / 2;
    const V *mean = plane(planes, step.in), *log_s = plane(planes, step.in + units);
    const V *prior = plane(planes, step.other), *log_p = plane(planes, step.other + units);
    V *out = plane(planes, step.out);
    for (int v = 0; v < VECTORS; v++) {
        V sum = {};
        for (int i = v; i < units * VECTORS; i += VECTORS) {
            V s = log_sigma(log_p[i]);
            sum += kl_of((mean[i] - prior[i]) * exponential(-s), log_s[i] - s);
        }
        out[v] = fma(sum, all(step.number), out[v]);
    }
}

// Precisions add, and weight the means.
void times(const Step &step, float *planes) {
    const int units = step.inputs / 2;
    V *mean = plane(planes, step.in), *log_s = plane(planes, step.in + units);
    const V *other = plane(planes, step.other), *log_other = plane(planes, step.other + units);
    for (int i = 0; i < units * VECTORS; i++) {
        V s = log_sigma(log_s[i]), ratio = s - log_sigma(log_other[i]);
        V inverse = exponential(ratio + ratio) + 1;  // of the share of `in` in the precision
        mean[i] = other[i] + (mean[i] - other[i]) / inverse;
        log_s[i] = fma(logarithm(inverse), all(-.5f), s);
    }
}

void nearest(const Step &step, float *planes) {
    const int size = step.inputs;
    const V *in = plane(planes, step.in);
    V *out = plane(planes, step.out), *cost = plane(planes, step.other);
    for (int v = 0; v < VECTORS; v++) {
        V least = {};
        for (int code = 0; code < step.others; code++) {
            const float *vector = step.weight + code * size;
            V distance = {};
            for (int i = 0; i < size; i++) {
                V apart = in[i * VECTORS + v] - vector[i];
                distance = fma(apart, apart, distance);
            }
            I nearer = code ? distance < least : I{} - 1;  // the first of equally near ones
            least = nearer ? distance : least;
            cost[v] = nearer ? all(step.bias[code] * step.number) : cost[v];
            for (int i = 0; i < size; i++)
                out[i * VECTORS + v] = nearer ? all(vector[i]) : out[i * VECTORS + v];
        }
    }
}

// (n + 1) / 2 sum log(1 + u^2 / n), as the logarithm of a product: mantissas and exponents, and
// what exceeds 1, where that is little.
void student(const Step &step, float *planes) {
    const V *in = plane(planes, step.in);
    V *out = plane(planes, step.out);
    const float inverse = 1 / step.number;
    V product[VECTORS], excess[VECTORS] = {}, sum[VECTORS] = {};
    I exponents[VECTORS] = {};
    for (int v = 0; v < VECTORS; v++) product[v] = all(1.f);
    for (int i = 0; i < step.inputs; i++)
        for (int v = 0; v < VECTORS; v++) {  // side by side: each waits for its last band
            V u = in[i * VECTORS + v], more = u * u * inverse, factor = more + 1;
            excess[v] = fma(excess[v], more, excess[v] + more);
            sum[v] = fma(factor, all(1e-6f), sum[v]);
            exponents[v] += (I)factor >> 23;
            product[v] *= (V)(((I)factor & 0x007fffff) | 0x3f800000);
            if (i % 64 < 63) continue;
            exponents[v] += ((I)product[v] >> 23) - 127;
            product[v] = (V)(((I)product[v] & 0x007fffff) | 0x3f800000);
        }
    for (int v = 0; v < VECTORS; v++) {
        V whole = __builtin_convertvector(exponents[v] - 127 * step.inputs, V);
        V log = fma(whole, all(.693147181f), logarithm(product[v]));
        log = excess[v] < .4f ? logarithm_beside_1(excess[v]) : log;
        log = sum[v] < 3e38f ? log : sum[v];  // infinite, or NaN, which would be lost in its bits
        out[v] = log * ((step.number + 1) / 2);
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
        case DENSE: return dense<false>(step, planes, step.bias);
        case DENSE_ADD: return dense<false>(step, planes, nullptr);
        case DENSE_GELU: return dense<true>(step, planes, step.bias);
        case DENSE_ADD_GELU: return dense<true>(step, planes, nullptr);
        case SCALE_ADD: return scale_add(step, planes);
        case KL_NORMAL: return kl_normal(step, planes);
        case KL_BETWEEN: return kl_between(step, planes);
        case TIMES: return times(step, planes);
        case NEAREST: return nearest(step, planes);
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

inline V loaded(const float *x) {
    V v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}

// What two pixels are worth to each other.  Products and sums are those of numpy, to the bit:
// anomvae/stats/local_contrast.py.
inline V nearness(const Annulus &of, const float *here, const float *there, V both) {
    V apart = all(of.least);
    for (int unit = 0; unit < of.latent; unit++, here += of.plane, there += of.plane) {
        V step = loaded(here) - loaded(there);
        apart += step * step;
    }
    return both / apart;
}

// A few pixels of a row; those behind its end lie in the margin.
inline V sum_near(const Annulus &of, int64_t pixel) {
    const float *code = of.code + pixel, *valid = of.valid + pixel;
    V sum = {}, here = loaded(valid);
    for (int k = 0; k < of.offset_count; k++)
        for (int sign = 1; sign >= -1; sign -= 2) {
            const int64_t offset = sign * of.offsets[k];
            sum += nearness(of, code, code + offset, here * loaded(valid + offset));
        }
    return sum;
}

}  // namespace

extern "C" void LEVEL(near)(const Annulus &of) {
    for (int64_t row = 0; row < of.rows; row++)
        for (int64_t col = 0; col < of.cols; col += LANES) {
            V sum = sum_near(of, of.first + row * of.line + col);
            int64_t count = of.cols - col < LANES ? of.cols - col : LANES;
            __builtin_memcpy(of.near + row * of.cols + col, &sum, sizeof(float) * count);
        }
}

extern "C" int LEVEL(group)() { return GROUP; }

extern "C" void LEVEL(run)(const Program &program, int64_t examples, float *planes) {
    I valid[VECTORS];
    for (int64_t first = 0; first < examples; first += GROUP) {
        int count = examples - first < GROUP ? (int)(examples - first) : GROUP;
        load_all(program, first, count, planes, valid);
        const int steps = any(valid) ? program.step_count : 0;
        for (int i = 0; i < steps; i++) run_step(program.steps[i], planes);
        for (int i = 0; i < program.output_count; i++)
            store(program.outputs[i], first, count, planes, valid);
    }
}
