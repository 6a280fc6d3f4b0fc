// What anomvae/native.py passes to the compiled kernel.  INTERFACE in both rises with any change.
#pragma once
#include <cstdint>

#define INTERFACE 1

// A group of examples lies in planes: a plane holds one value of each, an example in each lane.
// Whatever else is in its group, an example meets the same operations in the same order.

enum Type : int32_t { FLOAT32, UINT16, INT16 };

struct Input {  // values of examples, which become planes
    const void *data;
    int64_t example_stride, value_stride;  // in elements
    const double *scale, *offset;    // (value,): stored * scale + offset in float64; null: as stored
    const double *nodata;            // (value,), NaN: none; null: none at all
    const float *centre, *farthest;  // (value,): clip(x - centre, +-farthest); null: x
    int32_t type, values;
    int32_t plane, spare;  // the first plane
};

enum Operation : int32_t {
    DENSE,       // out = weight in + bias, outputs rounded up to a multiple of 4
    DENSE_GELU,  // out = gelu(2 (weight in + bias)): weight and bias are halved
    DENSE_ADD,   // out = out + weight in
    SCALE_ADD,   // out = out + weight * in, value by value
    KL_NORMAL,   // out = number * sum of KL(N(m, s^2) || N(0, 1)); in: all m, then all log s
    STUDENT,     // out = sum of the negative log-likelihood above its mode, t of `number` degrees
    SQUARES,     // out = number * sum of squares
    NEAREST,     // out = the nearest of the codes in `weight`, then number * its cost in `bias`
    TIMES,       // in: m, log s of q, become those of q times the normal distribution `other`
    KL_BETWEEN,  // out = out + number * sum of KL(in || other)
};

struct Step {  // an operation on planes
    const float *weight, *bias;
    float number;
    int32_t operation;
    int32_t in, inputs;    // first plane, and how many
    int32_t out, outputs;  // first plane, and how many
    int32_t other, others; // first plane of a second operand; number of codes
};

struct Output {  // planes that are kept; NaN where an example lacks a value
    float *data;
    int64_t example_stride, value_stride;  // in elements
    int32_t plane, values;
    float most;  // at which they are clipped
    int32_t spare;
};

struct Program {
    const Input *inputs;
    const Step *steps;
    const Output *outputs;
    int32_t input_count, step_count, output_count;
    int32_t planes;  // of all
};

struct Annulus {  // pixels of a date, axes (row, col)
    const float *code;      // (latent, row, col), 0 where not valid
    const float *valid;     // 1 or 0
    float *near;            // sums of 1 / (squared distance of codes + least)
    const int32_t *offsets; // (offset, 2): row and column of one of each two opposite neighbours
    int64_t rows, cols;
    int32_t latent, offset_count;
    float least;
    int32_t spare;
};
