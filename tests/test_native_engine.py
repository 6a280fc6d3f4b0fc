"""The engine of the compiled kernel, with every set of instructions of this processor."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.programs import Drawing, dense_programs, exact_terms, examples_of

from anomvae import native
from anomvae.pixels.bands import unnamed_bands
from anomvae.pixels.stored_block import Stored
from anomvae.program import Codebook
from anomvae.program.native_engine import NativeEngine
from anomvae.program.native_patches import NativePatchEngine
from anomvae.raster.values import physical_values

LIBRARY = native.library()
LEVELS = range(0 if LIBRARY is None else LIBRARY.level + 1)
every_level = pytest.mark.parametrize("level", LEVELS, ids=native.LEVELS[: len(LEVELS)])
few_examples = settings(max_examples=30, deadline=None, derandomize=True)
COUNT = 150


@every_level
@few_examples
@given(program=dense_programs())
def test_terms_are_those_of_float64(level, program):
    x, features = examples_of(program, COUNT)

    terms = NativeEngine(program, level).terms(x, features, code=True)

    exact = exact_terms(program, x, features)
    kept = np.isclose(terms.code, exact.code, rtol=1e-4, atol=1e-4).all(axis=1)
    assert kept.mean() > 0.97 if isinstance(program.code, Codebook) else kept.all()
    total, of_float64 = (np.sum(each[:3], axis=0)[kept] for each in (terms, exact))
    assert (np.abs(total - of_float64) <= 2e-6 * np.maximum(of_float64, 1)).all()


@every_level
@few_examples
@given(program=dense_programs(), data=st.data())
def test_bits_depend_neither_on_neighbours_nor_on_the_layout(level, program, data):
    x, features = examples_of(program, COUNT)
    missing = slice(*sorted(data.draw(st.tuples(st.integers(0, COUNT), st.integers(0, COUNT)))))
    x[missing, -1] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    start, stop = sorted(data.draw(st.tuples(st.integers(0, COUNT), st.integers(0, COUNT))))
    engine = NativeEngine(program, level)
    whole = np.stack(engine.terms(x, features, code=True)[:3])

    parts = x[start:stop], None if features is None else features[start:stop]
    planar = np.asfortranarray(x[:, ::-1])[:, ::-1]
    packed = np.zeros(COUNT, [("odd", "u1"), ("x", ">f4", program.bands)])
    packed["x"] = x

    np.testing.assert_array_equal(engine.terms(*parts, code=False)[:3], whole[:, start:stop])
    for other in (planar, packed["x"]):
        np.testing.assert_array_equal(engine.terms(other, features, code=False)[:3], whole)
    has_terms = whole.any()  # the KL of a code without one is none
    assert not has_terms or np.isnan(whole.sum(axis=0)[missing]).all()
    assert np.isfinite(np.delete(whole, missing, axis=1)).all()


@every_level
@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    windows=st.sampled_from([(3, 0), (3, 1), (5, 1), (5, 3), (7, 3), (7, 5), (9, 1)]),
    bands=st.integers(1, 9),
    features=st.integers(0, 3),
    data=st.data(),
)
def test_patches_have_the_terms_of_float64_whichever_pixels_lack_data(
    level, windows, bands, features, data
):
    drawing, (side, _) = Drawing(data.draw(st.integers(0, 2**16))), windows
    choices = {"linear": None} if data.draw(st.booleans()) else {}
    if data.draw(st.booleans()):
        choices["whitening"] = drawing.layer(bands, bands)
    in_decoder = data.draw(st.booleans())
    program = drawing.of_patches(bands, *windows, features, decoder_context=in_decoder, **choices)
    given = drawing.rng.normal(size=(40, features)).astype(np.float32) if features else None
    x = program.centre + 3 * drawing.rng.normal(size=(40, side, side, bands))
    x = x.astype(np.float32)
    x[::5, 0, -1, -1] = np.nan
    x[7, np.arange(side) != side // 2] = np.nan
    engine = NativePatchEngine(program, level)

    terms = engine.terms(x, given, code=True)
    start = data.draw(st.integers(0, 39))
    for part in (slice(start, data.draw(st.integers(start + 1, 40))), slice(0)):
        of_part = engine.terms(x[part], None if given is None else given[part], code=False)
        np.testing.assert_array_equal(of_part[:3], np.stack(terms[:3])[:, part])

    exact = exact_terms(program, x, given)
    total, of_float64 = (np.sum(each[:3], axis=0) for each in (terms, exact))
    assert (np.abs(total - of_float64) <= 2e-6 * np.maximum(of_float64, 1)).all()
    np.testing.assert_allclose(terms.code, exact.code, rtol=1e-4, atol=1e-4)


@every_level
@pytest.mark.parametrize("layout", ["interleaved", "planar"])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_numbers_of_a_file_score_as_their_values_do(level, layout, dtype):
    rng, count = np.random.default_rng(0), 6
    numbers = rng.integers(0, 3000, (COUNT, count)).astype(dtype)
    numbers[::7, 2] = 9
    scale, offset = np.arange(1, 7) / 10, -100 / np.arange(1, 7)
    plain = unnamed_bands(count).with_nodata(9.0)
    scaled = zip(plain, scale.tolist(), offset.tolist(), strict=True)
    bands = plain.keep([replace(band, scale=a, offset=b) for band, a, b in scaled])
    values = physical_values(numbers.reshape(1, COUNT, count).copy(), bands, {dtype})[0]
    engine = NativeEngine(Drawing(0).program(count), level)

    order = "C" if layout == "interleaved" else "F"
    stored = Stored(scale, offset, np.full(count, 9.0))
    terms = engine.stored_terms(np.array(numbers, order=order), stored)

    np.testing.assert_array_equal(terms[:3], engine.terms(values, None, code=False)[:3])
    np.testing.assert_array_equal(np.isnan(terms.linear), np.arange(COUNT) % 7 == 0)
