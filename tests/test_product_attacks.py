"""Products of every kind in hostile surroundings: damaged metadata, pipes, results beside them."""

import json
import os
import re
import shutil
import sys
import zipfile

import h5py
import numpy as np
import pytest
from support.rasters import run, write
from support.refusals import refused
from support.scene_files import is_sentence, read

from anomvae.errors import RasterError
from anomvae.pixels.bands import Band, Bands
from anomvae.raster.products.expansion import expanded
from anomvae.testing.products import (
    EMIT,
    HDF5,
    PRISMA,
    WRITERS,
    EnMAP,
    EnviCube,
    Hls,
    Landsat,
    Sentinel2,
)

writers = pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.kind)
ODD = "we ird\nq'\"&|<é>;#%20[x]{y}$~"
"""A name with characters that mean something to a shell, to XML, to a pattern, or to GDAL."""


def edit_hdf5(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


@writers
def test_a_product_in_a_folder_of_an_odd_name_is_read_as_elsewhere(writer, tmp_path):
    (tmp_path / ODD).mkdir()
    cube = writer.cube()

    found = read(writer.write(cube, tmp_path / ODD))

    np.testing.assert_array_equal(found, read(writer.write(cube, tmp_path)))


@writers
def test_results_beside_or_in_a_product_are_no_part_of_it(writer, tmp_path):
    path = writer.write(writer.cube(), tmp_path)
    before, (product,) = read(path), expanded([tmp_path])
    for folder in {tmp_path, path if path.is_dir() else tmp_path}:
        for end in (".anomaly.tif", ".flags.tif"):
            write(folder / f"{product.stem}{end}", np.zeros((1, 60, 60), "float32"))
        for end in (".json", ".objects.geojson"):
            (folder / f"{product.stem}{end}").write_text("{}")
        (folder / f"{product.stem}.png").write_bytes(b"\x89PNG")

    (again,) = expanded([tmp_path])

    np.testing.assert_array_equal(read(path), before)
    assert again.paths == product.paths or path.suffix == ".SAFE"


@pytest.mark.parametrize("writer", [Landsat(), Hls()], ids=["Landsat", "HLS"])
def test_a_second_run_into_the_folder_of_a_product_is_up_to_date(writer, tmp_path):
    path = writer.write(writer.cube(), tmp_path)
    arguments = ("detect", path, "-o", path, "--set", "training.max_steps=50")
    first = run(*arguments)

    second = run(*arguments)

    assert (first.code, second.code) == (0, 0), second.err
    assert "up to date" in second.out


@pytest.mark.parametrize("encoding", ["utf-1.5", "utf-32", "rot13", "shift_jis"])
def test_metadata_of_an_encoding_that_python_does_not_parse_are_damaged(encoding, tmp_path):
    safe = Sentinel2().write(Sentinel2().cube(), tmp_path)
    document = safe / "MTD_MSIL2A.xml"
    text = document.read_text()
    document.write_text(text.replace("utf-8", encoding, 1).replace("UTF-8", encoding, 1))
    assert encoding in document.read_text()

    refused(run("info", safe), 3, "MTD_MSIL2A.xml is damaged: it is no XML")


def test_a_vrt_of_an_encoding_that_python_does_not_parse_is_refused(tmp_path):
    path = tmp_path / "a.vrt"
    path.write_text('<?xml version="1.0" encoding="utf-1.5"?><VRTDataset/>')

    refused(run("info", path), 3, "a.vrt")


@pytest.mark.parametrize("name", ["a.nc", "a.h5", "EMIT_L2A_RFL_001_20240601T165148_1_2.nc"])
def test_a_pipe_with_the_name_of_a_cube_is_refused_at_once(name, tmp_path):
    os.mkfifo(tmp_path / name)

    refused(run("info", tmp_path / name), 3, "it is a device, a pipe or a socket")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.json", "S2A.SAFE", "a_MTL.txt", "a.hdr"])
def test_a_pipe_with_the_name_of_a_product_is_refused_at_once(name, tmp_path):
    os.mkfifo(tmp_path / name)

    assert run("info", tmp_path / name).code == 3


@pytest.mark.parametrize("axis", range(3))
def test_a_cube_without_pixels_is_refused(axis, tmp_path):
    shape = [4, 5, 6]
    shape[axis] = 0
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = np.zeros(shape)

    refused(run("info", tmp_path / "a.h5"), 3, "holds no pixels")
    refused(run("info", f"HDF5:{tmp_path / 'a.h5'}://cube"), 3, "/cube")


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf, [0.1, 0.2], [], "much"])
def test_a_scale_that_is_no_single_number_is_refused(scale, tmp_path):
    path = HDF5().write(HDF5().cube(), tmp_path)

    def change(file):
        file.visititems(
            lambda _, item: (
                (item.attrs.__setitem__("scale_factor", scale) if item.ndim == 3 else None)
                if isinstance(item, h5py.Dataset)
                else None
            )
        )

    refused(run("info", edit_hdf5(path, change)), 3, path.name, "scale_factor = ")


def test_numbers_as_text_are_numbers(tmp_path):
    stored = np.arange(24, dtype="int16").reshape(2, 3, 4)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = np.moveaxis(stored, 0, -1)
        file["cube"].attrs.update({"scale_factor": "0.5", "_FillValue": "7"})
        file["wavelength"] = [500.0, 600.0]
        file["wavelength"].attrs["units"] = "nm"

    found = read(tmp_path / "a.h5")

    expected = np.where(stored == 7, np.nan, stored * 0.5)
    np.testing.assert_allclose(found, np.moveaxis(expected, 0, -1))


def test_pixels_compressed_by_a_filter_that_is_not_installed_are_refused_with_its_number(tmp_path):
    from h5py import h5d, h5p, h5s, h5t, h5z

    with h5py.File(tmp_path / "a.h5", "w") as file:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_chunk((2, 3, 4))
        creation.set_filter(32015, h5z.FLAG_OPTIONAL, (3,))
        space = h5s.create_simple((2, 3, 4))
        h5d.create(file.id, b"cube", h5t.NATIVE_DOUBLE, space, creation)

    refused(run("info", tmp_path / "a.h5"), 3, "by the HDF5 filter 32015, which is not installed")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["other"] = np.zeros((3, 4))
    assert run("info", tmp_path / "a.h5").code == 0, "another array is read"


@pytest.mark.parametrize("writer", [EMIT(), HDF5(), PRISMA()], ids=lambda writer: writer.kind)
def test_a_damaged_chunk_of_what_describes_pixels_is_one_sentence(writer, tmp_path):
    path = writer.write(writer.cube(), tmp_path)
    found = []

    def damage(file):
        file.visititems(lambda name, item: found.append(name) if hasattr(item, "shape") else None)
        for name in found:
            values, attributes = file[name][()], dict(file[name].attrs)
            if np.ndim(values) == 0 or values.size < 2 or values.dtype.kind not in "iuf":
                continue
            references = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid"}
            if "CLASS" in attributes or "DIMENSION_LIST" in attributes:
                continue  # a scale cannot be written again
            del file[name]
            stored = file.create_dataset(name, data=values, chunks=values.shape, fletcher32=True)
            for key in attributes.keys() - references:
                stored.attrs[key] = attributes[key]
            stored.id.write_direct_chunk((0,) * values.ndim, b"\x01" * (values.nbytes + 4))

    with pytest.raises(RasterError) as error:
        read(edit_hdf5(path, damage))
    assert is_sentence(error)


@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf])
def test_a_wavelength_of_emit_that_is_none_is_unknown(value, tmp_path):
    path = EMIT().write(EMIT().cube(), tmp_path)

    def change(file):
        file["sensor_band_parameters/wavelengths"][0] = value

    with expanded([edit_hdf5(path, change)])[0].open() as dataset:
        assert dataset.bands.items[0].wavelength is None
        assert dataset.bands.items[1].wavelength is not None


def test_many_bands_are_matched_in_no_time_that_grows_by_their_square():
    compared = 0

    class Counting(Band):
        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return super().__eq__(other)

        __hash__ = Band.__hash__

    items = tuple(Counting(n, f"band_{n}", 400.0 + n) for n in range(1, 501))
    bands = Bands(items, source=len(items), named=True)

    assert bands.find_in(bands, "a.tif").indexes == bands.indexes
    assert compared < 5 * len(items)


@pytest.mark.parametrize("entry", ["abc", "", "0", "nan"])
@pytest.mark.parametrize("key", ["data gain values", "data offset values"])
def test_a_gain_or_offset_of_a_header_that_is_no_number_is_refused(key, entry, tmp_path):
    path = EnviCube().write(EnviCube().cube(), tmp_path)
    header = path.with_suffix(".hdr")
    items = "data (?:gain|offset) values|reflectance scale factor"
    text = re.sub(rf"(?ms)^(?:{items}) = (?:\{{.*?\}}|\S+)\n", "", header.read_text())
    count = int(re.search(r"bands = (\d+)", text)[1])
    entries = ", ".join([entry, *["1"] * (count - 1)])
    header.write_text(f"{text}\n{key} = {{{entries}}}\n")

    if key == "data offset values" and entry == "0":
        assert run("info", path).code == 0
    else:
        refused(run("info", path), 3, "data gain values")


def test_offsets_of_some_bands_only_contradict_themselves(tmp_path):
    safe = Sentinel2().write(Sentinel2().cube(), tmp_path)
    document = safe / "MTD_MSIL2A.xml"
    tag = '<BOA_ADD_OFFSET band_id="9">-1000</BOA_ADD_OFFSET>'
    assert tag in document.read_text()
    document.write_text(document.read_text().replace(tag, ""))

    refused(run("info", safe), 3, "BOA_ADD_OFFSET", "B09")


def test_a_product_of_sentinel_2_without_any_mask_warns_that_no_cloud_is_hidden(tmp_path):
    safe = Sentinel2().write(Sentinel2().cube(), tmp_path)
    for path in safe.rglob("*SCL*"):
        path.unlink()

    assert "no cloud is hidden" in run("info", safe).err


@pytest.mark.parametrize("factor", [0, -1])
def test_a_factor_of_landsat_that_scales_nothing_is_refused(factor, tmp_path):
    folder = Landsat().write(Landsat().cube(), tmp_path)
    (document,) = folder.glob("*_MTL.json")
    start, end = document.read_text().split('"REFLECTANCE_MULT_BAND_3": ', 1)
    document.write_text(f'{start}"REFLECTANCE_MULT_BAND_3": {factor},\n{end.split(",", 1)[1]}')

    refused(run("info", folder), 3, "REFLECTANCE_MULT_BAND_3")


def test_members_that_lead_out_of_an_archive_are_never_read(tmp_path):
    folder = Landsat().write(Landsat().cube(), tmp_path)
    outside = tmp_path / "outside"
    shutil.move(folder, outside)
    archive = tmp_path / "inside" / "scene.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in outside.iterdir():
            if file.suffix == ".json":
                zipped.write(file, file.name)
            else:
                zipped.writestr(f"../outside/{file.name}", b"")

    assert run("info", archive).code == 3


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [("shape", -1, "shape"), ("shape", None, "shape"), ("shape", [[4]], "shape")],
)
def test_metadata_of_zarr_that_are_no_lengths_are_damaged(key, value, word, tmp_path):
    folder = tmp_path / "a.zarr" / "cube"
    folder.mkdir(parents=True)
    head = {"zarr_format": 2, "dtype": "<f4", "order": "C", "compressor": None, "filters": None}
    head |= {"shape": [2, 2], "chunks": [2, 2], "fill_value": None}
    (folder / ".zarray").write_text(json.dumps(head | {key: value}))

    refused(run("info", tmp_path / "a.zarr"), 3, "cube/.zarray is damaged", word)


@pytest.mark.parametrize("attributes", [None, 5, [1.5], "text"])
def test_attributes_of_zarr_that_are_no_table_are_damaged(attributes, tmp_path):
    (tmp_path / "a.zarr").mkdir()
    head = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    (tmp_path / "a.zarr" / "zarr.json").write_text(json.dumps(head))

    refused(run("info", tmp_path / "a.zarr"), 3, "zarr.json is damaged: it is no table")


@pytest.mark.parametrize("command", ["info", "detect"])
def test_without_h5py_one_line_names_the_extra(command, tmp_path, monkeypatch):
    path = EMIT().write(EMIT().cube(), tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    target = ("-o", tmp_path / "out") if command == "detect" else ()

    refused(run(command, path, *target), 3, "needs h5py", "anomvae[products]")


@pytest.mark.parametrize(
    ("writer", "end", "pattern"),
    [
        (Sentinel2(), "MTD_TL.xml", r"EPSG:\d+"),
        (EnMAP(), "METADATA.XML", r'(?<=<bandID number=")\d+'),
        (Landsat(), "MTL.json", r'(?<=REFLECTIVE_LINES": )"?\d+"?'),
    ],
    ids=["Sentinel-2", "EnMAP", "Landsat"],
)
def test_a_number_of_thousands_of_digits_is_one_sentence(writer, end, pattern, tmp_path):
    path = writer.write(writer.cube(), tmp_path)
    (document,) = path.rglob(f"*{end}")
    changed, count = re.subn(
        pattern, "EPSG:" * ("EPSG" in pattern) + "9" * 5000, document.read_text()
    )
    assert count
    document.write_text(changed)

    with pytest.raises(RasterError) as error:
        read(path)
    assert is_sentence(error)


def test_an_axis_of_thousands_of_digits_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = np.zeros((4, 5, 6))

    refused(run("info", tmp_path / "a.h5", "--band-axis", "9" * 5000), 2, "has the axes")
