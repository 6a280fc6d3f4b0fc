"""PRISMA: two cubes as one, errors as no data, the place of each level, refused where damaged."""

import pickle
import zipfile

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rasters import bands_of, run
from support.scene_files import in_folder, is_sentence, read

from anomvae.errors import ConfigError, RasterError
from anomvae.raster import Scene
from anomvae.raster.products import recognise
from anomvae.raster.products.prisma_bands import erroneous_bands
from anomvae.testing.products.prisma import OVERLAP, PRISMA, PRISMAL1, WAVELENGTHS, coordinates

L2D = "HDFEOS/SWATHS/PRS_L2D_HCO"
L1 = "HDFEOS/SWATHS/PRS_L1_HCO"
CUBE = PRISMA().cube()


@pytest.fixture
def product(tmp_path):
    """Return a product of L2D."""
    return PRISMA().write(CUBE, tmp_path)


@pytest.fixture
def radiance(tmp_path):
    """Return a product of L1."""
    return PRISMAL1().write(CUBE, tmp_path)


def changed(path, change):
    """Change an open file."""
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(path, name, values):
    """Replace an array of a file."""

    def change(file):
        del file[name]
        file[name] = values

    return changed(path, change)


def attributed(path, **attributes):
    """Replace attributes of a file."""
    return changed(path, lambda file: file.attrs.update(attributes))


def refused(path):
    """Return the one sentence with which a product is refused."""
    with pytest.raises(RasterError) as caught:
        read(path)
    assert is_sentence(caught)
    return str(caught.value)


def test_bands_ascend_without_those_that_were_not_acquired_and_overlap_is_bad(product):
    with recognise(product).open() as dataset:
        bands = list(dataset.bands)

    assert [band.wavelength for band in bands] == sorted([*WAVELENGTHS, OVERLAP])
    assert {band.wavelength: band.bad for band in bands if band.bad} == {
        OVERLAP: "overlaps SWIR, which begins at 951 nm"
    }
    # In the file: VNIR by descending wavelength after three empty bands, then SWIR.
    assert (bands[0].name, bands[0].index) == ("VNIR 10", 10)
    assert (bands[-1].name, bands[-1].index) == ("SWIR 1", 11)


def test_a_band_of_the_overlap_is_read_where_it_is_named(product):
    found = read(product, bands="VNIR 4")

    assert found.shape[-1] == 1
    assert np.unique(found[np.isfinite(found)]) == pytest.approx(7 * 2e-5)


@in_folder
@given(data=st.data())
def test_any_bands_of_any_window_are_those_of_the_whole_read(tmp_path_factory, data):
    path = PRISMA().write(CUBE, tmp_path_factory.mktemp("product"))
    rows, cols = (
        sorted(data.draw(st.sets(st.integers(0, 60), min_size=2, max_size=2))) for _ in "rc"
    )
    with recognise(path).open() as dataset:
        chosen = data.draw(st.lists(st.sampled_from(list(dataset.bands)), min_size=1, unique=True))
        whole = dataset.read(dataset.bands, (slice(0, 60), slice(0, 60)))
        at = [list(dataset.bands).index(band) for band in chosen]

        found = dataset.read(dataset.bands.keep(chosen), (slice(*rows), slice(*cols)))

    np.testing.assert_array_equal(found, whole[slice(*rows), slice(*cols)][..., at])


def test_an_error_in_one_band_makes_that_number_no_data(product):
    path = f"{L2D}/Data Fields/SWIR_PIXEL_L2_ERR_MATRIX"
    row, col = np.argwhere(~(CUBE.hidden | CUBE.missing))[0]
    changed(product, lambda file: file[path].__setitem__((row, 0, col), 4))

    found = read(product)[row, col]

    assert np.isnan(found[-1])
    assert np.isfinite(found[:-1]).all()


def test_zero_is_no_data_in_reflectance_and_a_value_in_radiance(product, radiance):
    row, col = np.argwhere(~(CUBE.hidden | CUBE.missing))[0]
    for path, swath in ((product, L2D), (radiance, L1)):
        name = f"{swath}/Data Fields/SWIR_Cube"
        changed(path, lambda file, name=name: file[name].__setitem__((row, 0, col), 0))

    assert np.isnan(read(product)[row, col, -1])
    assert read(radiance)[row, col, -1] == 0


def test_radiance_without_green_light_is_no_data_whatever_band_is_read(radiance):
    row, col = np.argwhere(~(CUBE.hidden | CUBE.missing))[0]
    name = f"{L1}/Data Fields/VNIR_Cube"
    changed(radiance, lambda file: file[name].__setitem__((row, slice(None), col), 0))

    assert np.isnan(read(radiance)[row, col]).all()
    assert np.isnan(read(radiance, bands="SWIR 1")[row, col]).all()


def test_a_band_of_errors_is_dropped_rather_than_every_pixel(product):
    path = f"{L2D}/Data Fields/SWIR_PIXEL_L2_ERR_MATRIX"
    changed(product, lambda file: file[path].__setitem__((slice(None), 1), 2))

    with recognise(product).open() as dataset:
        bad = {band.name: band.bad for band in dataset.bands if band.bad}

    assert bad["SWIR 2"] == "errors in 100% of the pixels"
    assert len(bad) == 2
    assert np.isfinite(read(product)).any()


def test_bands_of_the_most_errors_are_chosen_until_few_pixels_are_lost():
    errors = np.zeros((1000, 10), bool)
    errors[:900, 3] = True
    errors[:150, 6] = True
    errors[:50, 8] = True
    errors[950:] = True  # outside of the scene

    assert list(erroneous_bands(errors)) == [3, 6]
    assert erroneous_bands(errors)[3] == pytest.approx(900 / 950)


@given(seed=st.integers(0, 2**16), share=st.floats(0, 1))
def test_at_most_half_of_the_bands_are_dropped_and_few_pixels_are_lost_else(seed, share):
    errors = np.random.default_rng(seed).random((200, 12)) < share * np.linspace(0, 1, 12)

    dropped = erroneous_bands(errors)

    usable = errors[errors.mean(axis=1) <= 0.5]
    kept = np.delete(usable, list(dropped), axis=1)
    assert len(dropped) <= 6
    assert len(dropped) == 6 or not len(usable) or kept.any(axis=1).mean() <= 0.1


def test_radiance_is_read_with_factor_mask_and_control_points(radiance):
    with Scene.of(radiance).open() as opened:
        dataset, points = opened.newest.dataset, opened.georeference.gcps
        found = opened.read((slice(0, 60), slice(0, 60)))[0]

    expected = CUBE.reflectance.copy()
    expected[CUBE.hidden] = np.nan
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert dataset.facts.unit == "radiance, W/(m2 sr um)"
    lat, lon = coordinates(CUBE)
    for point in points:
        at = int(point.row), int(point.col)
        assert (point.row % 1, point.col % 1) == (0.5, 0.5)
        assert (point.y, point.x) == pytest.approx((lat[at], lon[at]), abs=1e-5)
    assert {(points[0].row, points[0].col), (points[-1].row, points[-1].col)} == {
        (0.5, 0.5),
        (59.5, 59.5),
    }


def test_radiance_is_scored_with_clouds_and_shadows_hidden_and_with_its_control_points(
    radiance, tmp_path
):
    result = run("detect", radiance, "-o", tmp_path / "out", "--set", "training.max_steps=20")

    assert result.code == 0, result.err
    flags = tmp_path / "out" / f"{radiance.stem}.flags.tif"
    assert not (bands_of(flags)[0][CUBE.hidden] == 1).any()
    with Scene.of(flags).open() as opened:
        assert len(opened.georeference.gcps) == 144
        assert opened.georeference.crs_name == "EPSG:4326"


def test_levels_in_between_have_coordinates_of_their_own_names(product, tmp_path):
    path = tmp_path / product.name.replace("L2D", "L2C")
    product.rename(path)

    def change(file):
        file.move(L2D, L2D.replace("L2D", "L2C"))
        lat, lon = coordinates(CUBE)
        fields = f"{L2D.replace('L2D', 'L2C')}/Geolocation Fields"
        file[f"{fields}/Latitude"], file[f"{fields}/Longitude"] = lat, lon

    with Scene.of(changed(path, change)).open() as opened:
        assert opened.newest.dataset.facts.kind == "PRISMA L2C"
        assert opened.newest.dataset.facts.unit == "reflectance"
        assert len(opened.georeference.gcps) == 144


def test_corners_of_outer_edges_are_taken_as_such(product):
    west, north = CUBE.corner
    attributed(
        product,
        Product_ULcorner_easting=west,
        Product_ULcorner_northing=north,
        Product_LRcorner_easting=west + 60 * 30,
        Product_LRcorner_northing=north - 60 * 30,
    )

    with Scene.of(product).open() as opened:
        assert opened.grid.transform == pytest.approx(CUBE.transform)


def test_attributes_as_text_are_read_alike(product):
    expected = read(product)
    with h5py.File(product) as file:
        texts = {
            name: np.bytes_(" ".join(map(str, np.atleast_1d(value))))
            for name, value in file.attrs.items()
            if not isinstance(value, bytes)
        }

    np.testing.assert_array_equal(read(attributed(product, **texts)), expected)


def test_what_is_not_masked_is_reported(product, radiance, caplog):
    changed(product, lambda file: file.pop(f"{L2D}/Data Fields/VNIR_PIXEL_L2_ERR_MATRIX"))

    with Scene.of(product).open() as opened:
        assert opened.newest.dataset.facts.guessed == (
            "no Cloud_Mask, so not masked: cloud",
            "no matrix of errors, so not masked: errors of VNIR",
        )
    assert "not masked: errors of VNIR" in caplog.text
    with Scene.of(radiance).open() as opened:
        assert opened.newest.dataset.facts.guessed == ()


def test_a_product_travels_to_workers(radiance, tmp_path, monkeypatch):
    expected = read(radiance)
    monkeypatch.chdir(tmp_path)
    scene = Scene.of(radiance.name).absolute()
    monkeypatch.chdir("/")

    with pickle.loads(pickle.dumps(scene)).open() as opened:
        found = opened.read((slice(0, 60), slice(0, 60)))[0]

    np.testing.assert_array_equal(found, expected)


def test_a_truncated_file_is_refused(product):
    product.write_bytes(product.read_bytes()[:-20_000])

    assert product.name in refused(product)


def test_cubes_that_contradict_the_metadata_are_refused(product, radiance):
    attributed(product, List_Cw_Vnir=np.float32([500, 600]), List_Cw_Vnir_Flags=[1, 1])
    replaced(radiance, f"{L1}/Data Fields/SWIR_Cube", np.zeros((60, 6, 59), "uint16"))
    replaced(radiance, f"{L1}/Data Fields/SWIR_PIXEL_SAT_ERR_MATRIX", np.zeros((60, 6, 59), "u1"))

    assert "contradicts itself: /HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube" in refused(
        product
    )
    assert "VNIR has (60, 60) rows and columns, SWIR (60, 59)" in refused(radiance)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"List_Cw_Swir": np.nan}, "no attribute List_Cw_Swir of finite numbers"),
        ({"List_Fwhm_Vnir": np.bytes_("wide")}, "no attribute List_Fwhm_Vnir"),
        ({"List_Cw_Vnir_Flags": [1, 0]}, "2 flags of them"),
        ({"L2ScaleVnirMax": 0.0}, "states no scale"),
        ({"Epsg_Code": 1}, "Epsg_Code = 1 is unknown"),
        ({"Product_LRcorner_easting": 0.0}, "corners are"),
    ],
)
def test_damaged_attributes_are_refused(attributes, reason, product):
    assert reason in refused(attributed(product, **attributes))


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        (f"{L1}/Data Fields/VNIR_Cube", np.zeros((60, 10, 60), "f4"), "holds integers"),
        (f"{L1}/Data Fields/VNIR_PIXEL_SAT_ERR_MATRIX", np.zeros((60, 9, 60), "u1"), "its errors"),
        (f"{L1}/Data Fields/Cloud_Mask", np.zeros((60, 60, 1), "u1"), "not (row, col)"),
        (f"{L1}/Geolocation Fields/Latitude_VNIR", np.zeros((60, 50), "f4"), "has the axes"),
    ],
)
def test_damaged_arrays_are_refused(name, values, reason, radiance):
    assert reason in refused(replaced(radiance, name, values))


def test_a_file_without_the_cubes_of_its_level_is_refused(product):
    path = product.with_name(product.name.replace("L2D", "L2B"))
    product.rename(path)

    assert "has no HDFEOS/SWATHS/PRS_L2B_HCO/Data Fields/VNIR_Cube" in refused(path)


def test_an_archive_is_to_be_unpacked(product):
    archive = product.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as opened:
        opened.write(product, product.name)

    assert "Unpack it" in refused(archive)


def test_a_scene_without_a_valid_number_is_refused_with_the_reason(product, tmp_path):
    for name in ("VNIR", "SWIR"):
        path = f"{L2D}/Data Fields/{name}_PIXEL_L2_ERR_MATRIX"
        changed(product, lambda file, path=path: file[path].__setitem__(slice(None), 1))

    result = run("detect", product, "-o", tmp_path / "out")

    assert result.code == 3
    assert "0 valid pixels" in result.err or "no valid pixel" in result.err


def test_a_damaged_product_of_a_batch_fails_alone(product, tmp_path):
    damaged = tmp_path / product.name.replace("103522", "103533")
    damaged.write_bytes(product.read_bytes()[:50_000])
    model = tmp_path / "m.safetensors"
    trained = run("train", product, "-o", model, "--set", "training.max_steps=50")
    assert trained.code == 0, trained.err

    result = run("score", damaged, product, "-m", model, "-o", tmp_path / "out")

    assert result.code == 5
    assert damaged.name in result.err
    assert (tmp_path / "out" / f"{product.stem}.flags.tif").exists()


def test_a_choice_of_the_axis_of_bands_is_refused(product):
    with pytest.raises(ConfigError, match="leave --band-axis") as caught:
        Scene.of(product, band_axis="band")

    assert is_sentence(caught)
