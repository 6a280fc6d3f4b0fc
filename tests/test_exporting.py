"""Exports: other programs return the scores of the engine of numpy."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exports import HEADLESS, exported, lacks, run_by_system, script_of
from support.imports import after
from support.programs import CODES, Drawing, dense_programs, examples_of
from support.rasters import BANDS, bands_of, land, plant, run, trained, write
from support.spectra import fit_scene, scene

from anomvae.detector import Detector
from anomvae.errors import BrokenEnvironment, ConfigError
from anomvae.exporting import Exported, onnx_bytes
from anomvae.pixels.bands import unnamed_bands
from anomvae.program.numpy_engine import NumpyEngine
from anomvae.stats.scores import NormalScores, ScoreDistribution
from anomvae.stats.thresholds import parse_rule

TERMS = ["reconstruction", "kl", "linear"]
NORMAL = NormalScores(ScoreDistribution(np.arange(1.0, 2001), np.ones(2000)))
needs_gdal = pytest.mark.skipif(lacks("osgeo.gdal"), reason="Debian's python3-gdal is not here")
needs_qgis = pytest.mark.skipif(lacks("qgis.core"), reason="Debian's python3-qgis is not here")


def layers_of(program, x):
    """Return score and terms by the engine of numpy, (layer, n)."""
    terms = np.stack(NumpyEngine(program).terms(x, None, code=False)[:3])
    return np.stack([terms[0] + terms[1] + terms[2], *terms])


def outputs(data, x):
    """Run a graph on an input; return its outputs by name."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"x": x}), strict=True))
    return found, session.get_modelmeta().custom_metadata_map


def close(found, expected):
    """Return whether scores and terms (layer, n) agree within 1e-5 of the score."""
    return (np.abs(found - expected) <= 1e-5 * np.maximum(expected[0], 1)).all()


@given(program=dense_programs().filter(lambda program: not program.features))
@settings(max_examples=8, deadline=None)
def test_a_script_returns_the_bits_of_the_engine(program):
    x, _ = examples_of(program, 37)
    x[5, 0] = np.nan
    script = script_of(exported(program))

    found = script.score(script.MODEL, x[np.newaxis])[:, 0]

    known = np.isfinite(x).all(axis=1)
    assert np.array_equal(found[:, known], layers_of(program, x[known]))
    assert np.isnan(found[:, ~known]).all()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("layout", ["rows", "nchw"])
def test_a_graph_returns_the_scores_of_the_engine(code, layout):
    pytest.importorskip("onnx")
    program = Drawing(3).program(7, code=code, whitening=Drawing(4).layer(7, 7))
    x, _ = examples_of(program, 256 * 256)
    x[5, 0], x[6, 1] = np.nan, np.inf
    image = np.ascontiguousarray(x.T.reshape(1, 7, 256, 256))
    data = onnx_bytes(exported(program), layout)

    found, _ = outputs(data, x if layout == "rows" else image)

    some = slice(7, 600)
    expected = layers_of(program, x[some])
    assert {output.shape for output in found.values()} == {
        (256 * 256,) if layout == "rows" else (1, 1, 256, 256)
    }
    stacked = np.stack([found[name].ravel() for name in ("score", *TERMS)])
    assert close(stacked[:, some], expected)
    assert np.array_equal(found["flag"].ravel()[some], stacked[0, some] > 30)
    assert np.isnan([output.ravel()[[5, 6]] for output in found.values()]).all()


def test_a_graph_takes_the_numbers_of_files():
    pytest.importorskip("onnx")
    program = Drawing(1).program(4)
    scale, offset = np.array([1e-4, 2.0, 1.0, 0.5]), np.array([-0.1, 0.0, 3.0, 7.0])
    items = (
        replace(band, scale=s, offset=o, nodata=n)
        for band, s, o, n in zip(
            unnamed_bands(4),
            scale.tolist(),
            offset.tolist(),
            [0.0, None, -9999.0, None],
            strict=True,
        )
    )
    bands = unnamed_bands(4).keep(list(items))
    program = replace(program, centre=np.array([0.3, 900, 40, 90], np.float32))
    numbers = ((program.centre + Drawing(5).rng.normal(size=(50, 4)) - offset) / scale).round()
    numbers[3, 0], numbers[4, 2] = 0, -9999
    data = onnx_bytes(exported(program, bands), "rows")

    found, _ = outputs(data, numbers.astype(np.float32))

    physical = (numbers * scale + offset).astype(np.float32)
    expected = layers_of(program, physical)
    stacked = np.stack([found[name] for name in ("score", *TERMS)])
    assert np.isnan(stacked[:, 3:5]).all()
    assert close(np.delete(stacked, [3, 4], 1), np.delete(expected, [3, 4], 1))


def test_a_graph_of_other_scores_is_refused():
    pytest.importorskip("onnx")
    from anomvae.exporting.onnx_file import LAYOUTS, require_parity

    one, other = (exported(Drawing(seed).program(4)) for seed in (1, 2))
    other = replace(other, quantiles=one.quantiles)
    data = onnx_bytes(one)

    with pytest.raises(BrokenEnvironment, match="nothing was written"):
        require_parity(data, other, LAYOUTS["rows"])


def test_deepness_gives_a_graph_the_numbers():
    pytest.importorskip("onnx")
    program = Drawing(1).program(3)
    x, _ = examples_of(program, 256 * 256)
    data = onnx_bytes(exported(program), "nchw")
    _, stated = outputs(data, np.zeros((1, 3, 256, 256), np.float32))
    facts = {name: json.loads(stated[name]) for name in stated if name[:6] in {"model_", "standa"}}

    # as its ModelBase.preprocessing: numbers (n, row, col, band) to [0, 1], standardised, moved
    tiles = np.float32(x.reshape(1, 256, 256, 3) * 1.0 / 255.0)
    mean, std = (np.array(facts[f"standardization_{name}"], np.float32) for name in ("mean", "std"))
    found, _ = outputs(data, np.ascontiguousarray(np.moveaxis((tiles - mean) / std, -1, 1)))

    expected = layers_of(program, x[:500])
    assert facts["model_type"] == "Regressor"
    assert np.allclose(found["score"].ravel()[:500], expected[0], rtol=0.02)
    assert json.loads(stated["class_names"])[4] == {"0": "flag"}
    assert json.loads(stated["resolution"]) == 1000  # cm


def test_windows_are_whole_blocks_and_partition_the_raster():
    @given(
        size=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
        block=st.tuples(st.sampled_from([1, 64, 512, 5000]), st.sampled_from([1, 16, 512])),
        bands=st.integers(1, 400),
    )
    @settings(max_examples=30, deadline=None)
    def check(size, block, bands):
        visits = np.zeros(size[::-1], np.uint8)
        for column, row, width, height in windows(FakeRaster(size, block), bands):
            visits[row : row + height, column : column + width] += 1
            assert width * height * bands <= max(2**22, width * bands)
            assert column % min(block[0], size[0]) == 0

        assert (visits == 1).all()

    from anomvae.exporting.bodies.scoring import windows

    check()


class FakeRaster:
    """A raster of GDAL, as far as its windows depend on it."""

    def __init__(self, size, block):
        (self.RasterXSize, self.RasterYSize), self._block = size, block

    def GetRasterBand(self, number):
        return self

    def GetBlockSize(self):
        return tuple(map(min, self._block, (self.RasterXSize, self.RasterYSize)))


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"model": {"family": "spatial"}}, "surroundings"),
        ({"model": {"family": "sequential"}}, "other dates"),
        ({"model": {"family": "cvae"}}, "surroundings"),
        ({"score": {"kind": "iwae:2"}}, "kind of score iwae"),
        ({"score": {"noise": "scene"}}, "noise of the scene"),
        ({"score": {"local_contrast": 1.0}}, "surroundings"),
    ],
)
def test_what_needs_more_than_a_pixel_is_refused(tables, words):
    dates = 3 if "sequential" in str(tables) else 1
    detector = fit_scene(scene((12, 14), 4, dates), training={"max_steps": 2}, **tables)
    detector = detector.with_threshold(parse_rule("log-sigma:3"), NORMAL)

    with pytest.raises(ConfigError, match=rf"cannot be exported.*{words}"):
        Exported.of(detector)


@pytest.mark.parametrize("rule", ["fdr:0.01", "budget:20", "sigma:3+local:2"])
def test_a_rule_that_needs_the_scene_is_refused(tmp_path, rule):
    trained().save(tmp_path / "model.safetensors")

    ran = run(
        "export", tmp_path / "model.safetensors", "--qgis", tmp_path / "x.py", "--threshold", rule
    )

    assert ran.code == 2
    assert "knows one pixel" in ran.err
    assert not (tmp_path / "x.py").exists()


@pytest.fixture
def files(tmp_path):
    """Save a model and a scene of whole numbers with scale, offset and no data."""
    model, source = tmp_path / "model.safetensors", tmp_path / "scene.tif"
    trained().save(model)
    values = plant(land())
    stored = np.where(values < 0, 0, np.round(values * 1e4)).astype("uint16")
    write(source, stored, scales=[1e-4] * BANDS, nodata=0, tiled=True, blockxsize=16, blockysize=16)
    return model, source


def expected_of(model, source, tmp_path):
    """Return the map and the flags of anomvae itself."""
    ran = run("score", source, "-m", model, "-o", tmp_path / "maps", "--engine", "numpy")
    assert ran.code == 0, ran.err
    return (bands_of(tmp_path / "maps" / f"scene.{name}.tif") for name in ("anomaly", "flags"))


def test_a_script_is_written_without_torch(files, tmp_path):
    found = after("export", files[0], "--qgis", tmp_path / "m.py")

    assert "numpy" in found
    assert not found & {"torch", "scipy", "pandas", "sklearn", "matplotlib", "onnx"}


@needs_gdal
def test_a_script_scores_a_raster_from_a_shell(files, tmp_path):
    script, scores, flags = (tmp_path / name for name in ("m.py", "s.tif", "f.tif"))
    ran = run("export", files[0], "--qgis", script)
    assert ran.code == 0, ran.err

    printed = run_by_system(script, files[1], scores, flags)

    layers, flagged = expected_of(*files, tmp_path)
    assert np.allclose(bands_of(scores), layers, rtol=1e-5, equal_nan=True)
    assert np.array_equal(bands_of(flags), flagged)
    assert f"{(flagged == 1).sum()} of 1872 pixels flagged" in printed
    with rasterio.open(scores) as found, rasterio.open(files[1]) as source:
        assert (found.transform, found.crs) == (source.transform, source.crs)
        assert found.descriptions == ("score", *TERMS)
        assert found.tags()["ANOMVAE_ID"] == Detector.load(files[0]).id
    names = {path.name for path in tmp_path.iterdir()} - {"maps", "model.safetensors", "scene.tif"}
    assert names == {"m.py", "s.tif", "f.tif", "s.qml", "f.qml", "f.tif.aux.xml"}


@needs_gdal
def test_a_script_refuses_a_raster_of_other_bands(files, tmp_path):
    script = tmp_path / "m.py"
    run("export", files[0], "--qgis", script)
    names = [f"other {number}" for number in range(BANDS)]
    write(tmp_path / "few.tif", land(bands=BANDS - 1), names=names[:-1])

    with pytest.raises(AssertionError, match="the model takes 6"):
        run_by_system(script, tmp_path / "few.tif", tmp_path / "s.tif", tmp_path / "f.tif")

    assert not list(tmp_path.glob("[sf].*"))


@needs_qgis
def test_a_script_runs_in_the_toolbox_of_qgis(files, tmp_path):
    script, scores, flags = (tmp_path / name for name in ("m.py", "s.tif", "f.tif"))
    assert run("export", files[0], "--qgis", script).code == 0

    printed = run_by_system("-c", HEADLESS, script, files[1], scores, flags)

    layers, flagged = expected_of(*files, tmp_path)
    assert printed.split() == [str((flagged == 1).sum()), "singlebandpseudocolor", "paletted"]
    assert np.allclose(bands_of(scores), layers, rtol=1e-5, equal_nan=True)


def test_a_model_is_exported_to_both_at_once(files, tmp_path):
    pytest.importorskip("onnx")
    graph, script = tmp_path / "m.onnx", tmp_path / "m.py"

    ran = run("export", files[0], "--onnx", graph, "--qgis", script, "--threshold", "fixed:17")
    again = run("export", files[0], "--onnx", graph)
    neither = run("export", files[0])
    same = run("export", files[0], "--onnx", tmp_path / "x", "--qgis", tmp_path / "x")

    values = np.moveaxis(land(), 0, -1).reshape(-1, BANDS)
    found, stated = outputs(graph.read_bytes(), values)
    expected = Detector.load(files[0], engine="numpy").score(values.reshape(1, 1, -1, BANDS))
    assert ran.code == 0, ran.err
    assert ran.out.count("6 bands") == 2
    assert "threshold=17.0" in script.read_text()
    assert np.allclose(found["score"], expected.total.ravel(), rtol=1e-5)
    assert json.loads(stated["threshold"])["value"] == 17
    assert [band["name"] for band in json.loads(stated["bands"])] == list(trained().bands.names)
    assert (again.code, neither.code, same.code) == (3, 2, 2)
