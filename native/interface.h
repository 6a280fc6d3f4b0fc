// What anomvae/native.py passes to the compiled kernel.  INTERFACE in both rises with any change.
#pragma once
#include <cstdint>

#define INTERFACE 6

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
    int32_t plane;   // the first
    int32_t stored;  // 1: numbers as a file stores them, so that extreme ones are no data
};

enum Operation : int32_t {
    DENSE,           // out = weight in + bias
    DENSE_ADD,       // out = out + weight in
    DENSE_GELU,      // out = gelu(2 (weight in + bias)): both are halved
    DENSE_ADD_GELU,  // out = gelu(2 (out + weight in))
    SCALE_ADD,       // out = out + weight * in, value by value
    KL_NORMAL,       // out = number * sum of KL(in || N(0, 1)); in: all means, then all log sigmas
    KL_BETWEEN,      // out = out + number * sum of KL(in || other)
    TIMES,           // in = the normalised product of in and other, normal distributions as above
    NEAREST,         // out = the nearest of the `others` vectors in weight; other = number * its bias
    STUDENT,         // out = (number + 1) / 2 * sum of log(1 + in^2 / number)
    SQUARES,         // out = number * sum of in^2
};

struct Step {  // an operation on planes
    const float *weight, *bias;
    float number;
    int32_t operation;
    int32_t in, inputs;     // first plane, and how many
    int32_t out, outputs;   // first plane, and how many; of DENSE a multiple of 4
    int32_t other, others;  // first plane of a second operand; number of vectors
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

struct Annulus {  // pixels of a date inside a margin that is not valid, axes (row, col)
    const float *code;       // (latent, row, col), 0 where not valid
    const float *valid;      // 1 or 0
    float *near;             // sums of 1 / (squared distance of codes + least), without the margin
    const int64_t *offsets;  // how many pixels behind lies one of each two opposite neighbours
    int64_t rows, cols;      // without the margin
    int64_t plane, line;     // pixels of a plane and of a row, with the margin
    int64_t first;           // the first pixel that is not in the margin
    int32_t latent, offset_count;
    float least;
    int32_t spare;
};
