"""Cubes of netCDF and HDF5: which axis holds the bands, what is no data, place and dates."""

import json
from datetime import date
from itertools import permutations

import h5py
import numpy as np
import pytest
from support.rasters import run
from support.refusals import refused
from support.scene_files import read

from anomvae.errors import ConfigError, RasterError
from anomvae.raster import Scene
from anomvae.raster.products import ProductOptions, recognise

NM = (450.0, 550.0, 650.0)
CUBE = np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
"""Axes (row, col, band)."""


def write(path, variables, scales=(), attributes=()):
    """Write variables ``{name: (values, names of axes)}`` with attributes ``{name: {...}}``."""
    with h5py.File(path, "w") as file:
        for name, values in dict(scales).items():
            file[name] = values
            file[name].make_scale(name)
        for name, (values, dims) in variables.items():
            file[name] = values
            for dim, scale in zip(file[name].dims, dims, strict=True):
                if scale in file:
                    dim.attach_scale(file[scale])
                else:
                    dim.label = scale
        for name, given in dict(attributes).items():
            file[name].attrs.update(given)
    return path


def opened(path, **options):
    """Return dataset and values, axes (row, col, band), of the product at a path."""
    product = recognise(path, ProductOptions(**options))
    with product.open() as dataset:
        rows, cols = dataset.grid.shape
        return dataset, dataset.read(dataset.bands, (slice(0, rows), slice(0, cols)))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_axis_of_bands_is_the_one_with_wavelengths_in_any_order(order, tmp_path):
    names = np.array(["y", "x", "colour"])[list(order)]
    scales = {"colour": np.array(NM), "y": np.arange(4.0)[::-1], "x": np.arange(5.0)}
    path = write(
        tmp_path / "cube.nc",
        {"cube": (np.transpose(CUBE, order), names)},
        scales,
        {"colour": {"units": "nm"}},
    )

    dataset, values = opened(path)

    np.testing.assert_array_equal(values, CUBE)
    assert [band.wavelength for band in dataset.bands] == list(NM)


@pytest.mark.parametrize(
    ("name", "values", "attributes"),
    [
        ("meta/wavelength", NM, {"units": "nanometers"}),
        ("meta/band_centers", np.divide(NM, 1000), {"units": "um"}),
        ("meta/Wavelengths", np.divide(NM, 1000), {}),
        ("meta/centre", NM, {"standard_name": "radiation_wavelength", "units": "nm"}),
    ],
)
def test_wavelengths_of_a_file_without_named_axes_are_found_by_their_number(
    name, values, attributes, tmp_path
):
    stored = np.transpose(CUBE, (0, 2, 1))
    path = write(tmp_path / "a.h5", {"d/cube": (stored, ("", "", ""))}, {}, {})
    with h5py.File(path, "a") as file:
        file[name] = np.array(values)
        file[name].attrs.update(attributes)

    dataset, found = opened(path)

    np.testing.assert_array_equal(found, CUBE)
    assert [band.wavelength for band in dataset.bands] == list(NM)
    assert any("rows and columns" in one for one in dataset.facts.guessed)


def test_a_cube_whose_axes_are_unknown_is_refused_with_a_question_that_the_option_answers(tmp_path):
    path = write(tmp_path / "a.h5", {"cube": (CUBE, ("", "", ""))})

    refused(
        run("info", path),
        3,
        "which axis of /cube holds the bands? Its axes are axis 0 = 4, axis 1 = 5, axis 2 = 3",
        "--band-axis 2",
    )

    for axis in range(3):
        _, found = opened(path, band_axis=str(axis))
        np.testing.assert_array_equal(found, np.moveaxis(CUBE, axis, -1))
    refused(run("info", path, "--band-axis", "z"), 2, "--band-axis z", "axis 1 = 5")


def test_wavelengths_that_fit_two_axes_are_no_answer(tmp_path):
    path = write(tmp_path / "a.h5", {"cube": (np.zeros((4, 3, 3)), ("", "", ""))})
    with h5py.File(path, "a") as file:
        file["wavelength"] = np.array(NM)

    with pytest.raises(RasterError, match=r"which axis of /cube holds the bands\?"):
        opened(path)

    dataset, _ = opened(path, band_axis="1")
    assert [band.wavelength for band in dataset.bands] == list(NM)


def test_several_cubes_are_listed_and_one_is_named_as_a_subdataset(tmp_path):
    variables = {
        "a/radiance": (CUBE, ("y", "x", "band")),
        "a/reflectance": (2 * CUBE, ("y", "x", "band")),
    }
    path = write(tmp_path / "two.h5", variables)

    result = run("info", path)

    refused(result, 3, "/a/radiance", "/a/reflectance", "holds 2 variables", "Name one")
    name = f'HDF5:"{path}"://a/reflectance'
    np.testing.assert_array_equal(opened(name)[1], 2 * CUBE)
    np.testing.assert_array_equal(opened(f"HDF5:{path}://a/radiance")[1], CUBE)
    assert recognise(name).stem == "two_a_reflectance"
    with pytest.raises(RasterError, match=r"no variable 'a/none'.*'?/a/radiance"):
        opened(f"NETCDF:{path}:a/none")


def test_layers_of_one_grid_are_bands_and_flags_coordinates_and_errors_are_not(tmp_path):
    dims, layer = ("y", "x"), CUBE[..., 0]
    variables = {
        **{f"B{number}": (layer + number, dims) for number in (10, 2, 1)},
        "quality": (np.ones((4, 5), "u1"), dims),
        "deviation": (layer, dims),
        "lat": (layer, dims),
    }
    flags = {"flag_meanings": "clear cloud", "flag_values": np.array([0, 1], "u1")}
    attributes = {
        "quality": flags,
        "B1": {"ancillary_variables": "deviation"},
        "lat": {"units": "degrees_north"},
    }
    path = write(tmp_path / "layers.nc", variables, {}, attributes)

    dataset, values = opened(path)

    assert dataset.bands.names == ("B1", "B2", "B10")
    assert values[0, 0].tolist() == [1, 2, 10]


def test_layers_of_two_grids_are_asked_about(tmp_path):
    variables = {"fine": (np.zeros((8, 8)), ("y", "x")), "coarse": (np.zeros((4, 4)), ("v", "u"))}

    refused(run("info", write(tmp_path / "a.nc", variables)), 3, "/coarse", "/fine", "HDF5:")


def test_fill_values_ranges_scale_and_offset_hold(tmp_path):
    stored = np.array([[-9999, -1, 0, 100], [9998, 9999, 10001, 20000]], "i2")
    attributes = {
        "_FillValue": np.int16(-9999),
        "missing_value": np.int16(9998),
        "valid_range": np.array([0, 10000], "i2"),
        "scale_factor": np.float32(0.001),
        "add_offset": 1.0,
    }
    path = write(tmp_path / "a.nc", {"layer": (stored, ("y", "x"))}, {}, {"layer": attributes})

    _, values = opened(path)

    expected = [[np.nan, np.nan, 1.0, 1.1], [np.nan, 10.999, np.nan, np.nan]]
    np.testing.assert_allclose(values[..., 0], expected, rtol=1e-6)


def test_a_range_of_floats_beside_packed_integers_is_of_the_unpacked_values(tmp_path):
    attributes = {"valid_min": 0.0, "valid_max": 1.0, "scale_factor": 0.01}
    stored = np.array([[-1, 0], [100, 101]], "i2")
    path = write(tmp_path / "a.nc", {"layer": (stored, ("y", "x"))}, {}, {"layer": attributes})

    np.testing.assert_allclose(opened(path)[1][..., 0], [[np.nan, 0], [1, np.nan]])


def test_floats_that_were_never_written_are_no_data(tmp_path):
    stored = np.array([[9.969209968386869e36, 1.0]], "f4").repeat(2, axis=0)
    path = write(tmp_path / "a.nc", {"layer": (stored, ("y", "x"))})

    np.testing.assert_array_equal(opened(path)[1][..., 0], [[np.nan, 1]] * 2)


@pytest.mark.parametrize(("ys", "xs"), [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_pixels_lie_north_up_whatever_the_order_of_their_coordinates(ys, xs, tmp_path):
    layer = CUBE[..., 0]
    scales = {"lat": np.linspace(50, 49.7, 4)[::ys], "lon": np.linspace(8, 8.4, 5)[::xs]}
    units = {"lat": {"units": "degrees_north"}, "lon": {"units": "degrees_east"}}
    path = write(tmp_path / "a.nc", {"a": (layer[::ys, ::xs], ("lat", "lon"))}, scales, units)

    dataset, values = opened(path)

    np.testing.assert_array_equal(values[..., 0], layer)
    assert dataset.grid.epsg == "4326"
    assert dataset.grid.transform == pytest.approx((0.1, 0, 7.95, 0, -0.1, 50.05))


def test_coordinates_that_are_irregular_place_nothing_and_swaths_have_control_points(tmp_path):
    irregular = {"y": np.array([0.0, 1, 2, 9]), "x": np.arange(5.0)}
    path = write(tmp_path / "a.nc", {"a": (CUBE[..., 0], ("y", "x"))}, irregular)
    assert not opened(path)[0].grid.located

    lat, lon = np.mgrid[50:49:4j, 8:9:5j]
    variables = {
        name: (values, ("line", "sample")) for name, values in (("lat", lat), ("lon", lon))
    }
    variables["a"] = (CUBE[..., 0], ("line", "sample"))
    units = {"lat": {"units": "degrees_north"}, "lon": {"units": "degrees_east"}}
    dataset, _ = opened(write(tmp_path / "b.nc", variables, {}, units))

    first, *_, last = dataset.georeference.gcps
    assert (first.row, first.col, first.x, first.y) == (0.5, 0.5, 8, 50)
    assert (last.row, last.col, last.x, last.y) == (3.5, 4.5, 9, 49)


def series(path, days, units="days since 1970-01-01", **attributes):
    """Write a layer of three dates."""
    scales = {"time": np.asarray(days), "y": np.arange(4.0), "x": np.arange(5.0)}
    time = {"units": units, **attributes} if units else attributes
    variables = {"a": (np.moveaxis(CUBE, -1, 0), ("time", "y", "x"))}
    return write(path, variables, scales, {"time": time})


def test_a_time_axis_gives_one_product_of_each_date_oldest_first(tmp_path):
    path = series(tmp_path / "s.nc", [19_000.5, 18_990.0, 19_001.0])

    parts = recognise(path).parts()

    assert [part.date for part in parts] == [date(2021, 12, 29), date(2022, 1, 8), date(2022, 1, 9)]
    assert [part.stem for part in parts] == ["s_20211229", "s_20220108", "s_20220109"]
    for part, index in zip(parts, (1, 0, 2), strict=True):
        with part.open() as dataset:
            values = dataset.read_first()
        np.testing.assert_array_equal(values, CUBE[::-1, :, index])


def test_the_dates_of_a_scene_open_their_file_once_and_each_has_its_values(tmp_path):
    path = series(tmp_path / "s.nc", [19_000.5, 18_990.0, 19_001.0])

    with Scene.of(path).open() as opened:
        files = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
        block = opened.read((slice(0, 4), slice(0, 5)))

    assert files == 1
    np.testing.assert_array_equal(block[..., 0], np.moveaxis(CUBE[::-1, :, [1, 0, 2]], -1, 0))
    assert [one.dataset.facts.date for one in opened.dates] == [
        one.date for one in recognise(path).parts()
    ]


def test_what_is_guessed_about_a_file_of_dates_is_warned_of_once(tmp_path, caplog):
    path = tmp_path / "s.nc"
    times = {"time": np.array([19_000.0, 19_001.0])}
    units = {"time": {"units": "days since 1970-01-01"}}
    write(path, {"a": (CUBE[:2], ("time", "y", "x"))}, times, units)

    with Scene.of(path).open() as opened:
        assert len(opened.dates) == 2

    assert [one.message for one in caplog.records if "place: unknown" in one.message] == [
        f"{path}: place: unknown, its coordinates are missing."
    ]


def test_info_of_a_file_of_dates_describes_the_newest_and_lists_all(tmp_path):
    path = series(tmp_path / "s.nc", [19_000.5, 18_990.0, 19_001.0])

    text, facts = run("info", path), json.loads(run("info", path, "--json").out)

    assert "2022-01-09, the newest of 3 from 2021-12-29" in text.out
    assert facts["date"] == "2022-01-09"
    assert facts["dates"] == ["2021-12-29", "2022-01-08", "2022-01-09"]


@pytest.mark.parametrize(
    ("units", "attributes", "days", "expected"),
    [
        ("hours since 2024-02-28T12:00:00Z", {}, [0, 12, 48], "20240228 20240229 20240301"),
        ("days since 2024-02-28", {"calendar": "noleap"}, [0, 1, 2], "20240228 20240301 20240302"),
        (
            "",
            {"standard_name": "time"},
            [20240101, 20240102, 20240103],
            "20240101 20240102 20240103",
        ),
        (
            "seconds since 1970-1-1 0:0:0",
            {},
            [0, 86399, 86400],
            "19700101T000000 19700101T235959 19700102",
        ),
    ],
)
def test_units_and_calendars_of_time(units, attributes, days, expected, tmp_path):
    parts = recognise(series(tmp_path / "s.nc", np.array(days, "f8"), units, **attributes)).parts()

    assert [part.stem for part in parts] == [f"s_{day}" for day in expected.split()]


@pytest.mark.parametrize(
    ("units", "attributes"),
    [("months since 2000-01-01", {}), ("days since 2000-01-01", {"calendar": "360_day"})],
)
def test_times_that_are_not_understood_are_refused(units, attributes, tmp_path):
    path = series(tmp_path / "s.nc", [1.0, 2.0, 3.0], units, **attributes)

    with pytest.raises(RasterError, match=r"times of its axis 'time' are not understood"):
        recognise(path).parts()


def test_a_file_that_is_no_netcdf_or_is_missing_or_empty_is_one_line(tmp_path):
    (tmp_path / "a.nc").write_text("<html>")
    (tmp_path / "b.nc").write_bytes(b"CDF\x01\x00\x00")
    (tmp_path / "c.nc").write_bytes(b"CDF\x05\x00\x00")
    write(tmp_path / "d.nc", {"axis": (np.zeros(5), ("x",))})

    refused(run("info", tmp_path / "a.nc"), 3, "neither netCDF nor HDF5")
    refused(run("info", tmp_path / "b.nc"), 3, "cannot be read")
    refused(run("info", tmp_path / "c.nc"), 3, "nccopy -k nc4")
    refused(run("info", tmp_path / "d.nc"), 3, "holds no pixels")
    refused(run("info", tmp_path / "none.nc"), 3, "does not exist")


def test_a_linked_cube_is_no_candidate_and_is_refused_by_name(tmp_path):
    write(tmp_path / "other.h5", {"cube": (CUBE, ("y", "x", "band"))})
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = h5py.ExternalLink("other.h5", "cube")

    refused(run("info", tmp_path / "a.h5"), 3, "holds no pixels")
    refused(run("info", f"HDF5:{tmp_path / 'a.h5'}://cube"), 3, "another file", "Copy all data")


def test_a_scene_of_fill_alone_is_refused(tmp_path):
    attributes = {"layer": {"_FillValue": np.int16(0)}}
    stored = np.zeros((40, 40), "i2")
    path = write(tmp_path / "a.nc", {"layer": (stored, ("y", "x"))}, {}, attributes)

    refused(run("detect", path, "-o", tmp_path / "out"), 3, "a.nc")


def test_a_cube_that_reaches_gdal_is_never_opened_with_swapped_axes(tmp_path):
    path = write(tmp_path / "a.nc", {"cube": (CUBE, ("y", "x", "band"))})
    path.rename(tmp_path / "a.grd")  # GDAL goes by the content

    refused(run("info", tmp_path / "a.grd"), 3, "order of axes", "Name")


def test_an_option_that_a_cube_does_not_have_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--resolution"):
        Scene.of(tmp_path / "a.nc", resolution=20)


def test_values_are_read_by_windows_as_whole(tmp_path):
    path = write(tmp_path / "cube.nc", {"cube": (CUBE, ("y", "x", "band"))})

    whole = read(path)

    with Scene.of(path).open() as scene:
        part = scene.read((slice(1, 3), slice(2, 5)))[0]
    np.testing.assert_array_equal(part, whole[1:3, 2:5])


def test_a_scene_of_a_time_axis_has_all_dates_and_one_that_compares_none_is_asked(tmp_path):
    path = series(tmp_path / "s.nc", [1.0, 3.0, 2.0])

    scene = Scene.of(path)

    assert scene.stem == "s_19700104"
    with scene.open() as dates:
        block = dates.read((slice(0, 4), slice(0, 5)))
    np.testing.assert_array_equal(block[..., 0], np.moveaxis(CUBE, -1, 0)[[0, 2, 1], ::-1])
    ran = run("detect", path, "-o", tmp_path / "out", "--config", "default")
    refused(ran, 2, "holds 3 dates", "-c timeseries")


def zarr(folder, version):
    """Write a cube and its coordinates, axes (row, col, band), as Zarr of a version."""
    arrays = {
        "cube": (CUBE, ["y", "x", "wl"], {"scale_factor": 0.5}),
        "wl": (np.array(NM, "f4"), ["wl"], {"units": "nm"}),
        "y": (np.arange(4, 0, -1, dtype="f4"), ["y"], {}),
        "x": (np.arange(5, dtype="f4"), ["x"], {}),
    }
    for name, (values, dims, attributes) in arrays.items():
        (folder / name).mkdir(parents=True)
        shape, chunk = list(values.shape), folder / name / ".".join("0" * values.ndim)
        if version == 2:
            head = {"zarr_format": 2, "dtype": "<f4", "order": "C", "compressor": None}
            head |= {"shape": shape, "chunks": shape, "filters": None, "fill_value": None}
            (folder / name / ".zarray").write_text(json.dumps(head))
            text = json.dumps(attributes | {"_ARRAY_DIMENSIONS": dims})
            (folder / name / ".zattrs").write_text(text)
        else:
            chunk = folder / name / "c" / "/".join("0" * values.ndim)
            head = {"zarr_format": 3, "node_type": "array", "data_type": "float32"}
            head |= {"shape": shape, "fill_value": 0.0, "attributes": attributes}
            head["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": shape}}
            head["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "/"}}
            head["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
            (folder / name / "zarr.json").write_text(json.dumps(head | {"dimension_names": dims}))
        chunk.parent.mkdir(parents=True, exist_ok=True)
        chunk.write_bytes(values.astype("<f4").tobytes())
    if version == 2:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
    else:
        (folder / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    return folder


def test_zarr_of_format_3_is_read_or_refused_in_one_line(tmp_path):
    path = zarr(tmp_path / "a.zarr", 3)

    try:  # GDAL knows the codecs of its final text since 3.11
        values = opened(path)[1]
    except RasterError:
        refused(run("info", path), 3, "codec")
    else:
        np.testing.assert_array_equal(values, CUBE / 2)


def test_a_zarr_folder_is_read_by_its_axes_and_its_arrays_are_named(tmp_path):
    path = zarr(tmp_path / "a.zarr", 2)

    for name in (path, f'ZARR:"{path}":/cube'):
        dataset, values = opened(name)

        np.testing.assert_array_equal(values, CUBE / 2)
        assert [band.wavelength for band in dataset.bands] == list(NM)
        assert dataset.facts.kind == "Zarr"
        assert dataset.grid.located
        assert dataset.files

    (path / "cube" / ".zarray").write_text("{")
    refused(run("info", path), 3, "damaged")
