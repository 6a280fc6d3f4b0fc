"""Variables of HDF5: any order of axes, any type and window; only what lies in the file is read."""

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomvae.errors import RasterError
from anomvae.raster.products.hdf5 import open_hdf5
from anomvae.raster.products.variables import StoredCube

TYPES = (">f4", "<f8", ">i2", "<u2", "u1", ">u4", "f2")


@st.composite
def cubes(draw):
    """Draw how a cube is stored: its axes (row, col, band, time) in any order, chunks, type."""
    sizes = tuple(draw(st.integers(1, 7)) for _ in range(4))
    order = draw(st.permutations(range(4)))
    chunks = draw(st.none() | st.tuples(*(st.integers(1, sizes[axis]) for axis in order)))
    return sizes, order, chunks, draw(st.sampled_from(TYPES))


@settings(max_examples=60, deadline=None)
@given(cube=cubes(), data=st.data())
def test_any_order_of_axes_type_and_window_gives_the_same_numbers(cube, data, tmp_path_factory):
    sizes, order, chunks, dtype = cube
    numbers = np.arange(np.prod(sizes)).reshape(sizes) % 200
    path = tmp_path_factory.mktemp("cube") / "cube.h5"
    with h5py.File(path, "w") as file:
        stored = np.transpose(numbers, order).astype(dtype)
        file.create_dataset("group/cube", data=stored, chunks=chunks)
    window = tuple(
        slice(low, data.draw(st.integers(low + 1, size)))
        for size in sizes[:2]
        for low in [data.draw(st.integers(0, size - 1))]
    )
    bands = data.draw(st.lists(st.integers(1, sizes[2]), min_size=1, unique=True))
    time = data.draw(st.integers(0, sizes[3] - 1))

    with open_hdf5(str(path)) as file:
        at = order.index
        stored = StoredCube(file.variable("group/cube"), at(0), at(1), at(2), {at(3): time})
        found = stored.read(bands, window)

    expected = numbers[window][..., [band - 1 for band in bands], time]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    assert stored.shape == sizes[:2]
    assert len(stored.dtypes) == sizes[2]


def test_a_window_reads_no_more_than_the_chunks_that_hold_it(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        file.create_dataset("cube", shape=(40, 50, 60), chunks=(10, 5, 6), dtype="i2")
    parts = []

    with open_hdf5(str(tmp_path / "cube.h5")) as file:
        variable = file.variable("cube")

        class Counted(type(variable)):
            def read(self, parts_):
                parts.append(np.prod([part.stop - part.start for part in parts_]))
                return super().read(parts_)

        cube = StoredCube(Counted(**vars(variable)), 1, 2, 0)
        cube.read([1, 30, 31], (slice(0, 5), slice(6, 12)))

    assert cube.block_shape == (5, 6)
    assert sorted(parts) == [30, 60]


def linked(path, how):
    """Write a file whose ``cube`` lies in another file."""
    with h5py.File(path.parent / "other.h5", "w") as other:
        other["cube"] = np.ones((4, 4))
    (path.parent / "raw.bin").write_bytes(bytes(128))
    with h5py.File(path, "w") as file:
        if how == "external link":
            file["cube"] = h5py.ExternalLink("other.h5", "cube")
        elif how == "soft link":
            file["link"] = h5py.ExternalLink("other.h5", "/")
            file["cube"] = h5py.SoftLink("/link/cube")
        elif how == "external storage":
            external = [(str(path.parent / "raw.bin"), 0, 128)]
            file.create_dataset("cube", shape=(4, 4), dtype="f8", external=external)
        else:
            layout = h5py.VirtualLayout((4, 4), "f8")
            layout[:] = h5py.VirtualSource("other.h5", "cube", shape=(4, 4))
            file.create_virtual_dataset("cube", layout)


@pytest.mark.parametrize(
    "how", ["external link", "soft link", "external storage", "virtual dataset"]
)
def test_pixels_of_another_file_are_refused(how, tmp_path):
    linked(tmp_path / "cube.h5", how)

    with (
        open_hdf5(str(tmp_path / "cube.h5")) as file,
        pytest.raises(RasterError, match=r"(link to|stored in|come from) another file.*Copy all"),
    ):
        file.variable("cube")


def test_links_inside_the_file_are_followed_and_a_ring_of_them_is_refused(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        file["group/cube"] = np.arange(4.0)
        file["group/near"] = h5py.SoftLink("cube")
        file["far"] = h5py.SoftLink("/group/near")
        file["ring"] = h5py.SoftLink("/ring")
        layout = h5py.VirtualLayout((4,), "f8")
        layout[:] = h5py.VirtualSource(file["group/cube"])
        file.create_virtual_dataset("virtual", layout)

    with open_hdf5(str(tmp_path / "cube.h5")) as file:
        assert file.variable("far").whole().tolist() == [0, 1, 2, 3]
        assert file.variable("virtual").whole().tolist() == [0, 1, 2, 3]
        with pytest.raises(RasterError, match="ring"):
            file.variable("ring")


def test_attributes_are_text_or_numbers_and_axes_have_the_names_of_their_scales(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        file["band"], file["cube"] = np.arange(3), np.zeros((3, 2))
        file["band"].make_scale()
        file["cube"].dims[0].attach_scale(file["band"])
        file["cube"].attrs["units"] = np.bytes_("W m-2")
        file["cube"].attrs["fill"] = np.array([-9999], ">i2")
        file["cube"].attrs["names"] = ["red", "nir"]

    with open_hdf5(str(tmp_path / "cube.h5")) as file:
        cube = file.variable("/cube")

    assert (cube.text("units"), cube.text("names")) == ("W m-2", "red nir")
    assert (cube.numbers("fill"), cube.text("fill"), cube.numbers("units")) == ((-9999,), "", ())
    assert cube.dims == ("/band", "")
    assert cube.axes == "band = 3, axis 1 = 2"


def damaged(path, how):
    """Write a file that cannot be read as a whole."""
    with h5py.File(path, "w") as file:
        file.create_dataset("cube", data=np.arange(9000.0), chunks=(900,), compression="gzip")
        where = file["cube"].id.get_chunk_info(3).byte_offset
    content = bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "a chunk":
        content[where : where + 40] = bytes(40)
    elif how == "no HDF5":
        content = bytearray(b"<html>not found</html>")
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "no HDF5", "missing"])
def test_a_damaged_file_is_one_line(how, tmp_path):
    path = tmp_path / "cube.h5"
    if how != "missing":
        damaged(path, how)

    with pytest.raises(RasterError, match=r"cube\.h5") as error, open_hdf5(str(path)):
        pass

    assert "\n" not in str(error.value)


def test_a_damaged_chunk_is_an_error_of_the_window_that_needs_it(tmp_path):
    damaged(tmp_path / "cube.h5", "a chunk")

    with open_hdf5(str(tmp_path / "cube.h5")) as file:
        cube = file.variable("cube")
        assert cube.read((slice(0, 5),)).tolist() == [0, 1, 2, 3, 4]
        with pytest.raises(OSError, match=r"\w"):
            cube.read((slice(2700, 2705),))


def test_what_is_no_array_of_real_numbers_is_missing(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        file["text"], file["complex"], file["scalar"] = "a", np.zeros(3, complex), 1.0
        file["group/numbers"] = np.zeros(3)

    with open_hdf5(str(tmp_path / "cube.h5")) as file:
        assert [variable.path for variable in file.variables()] == ["/group/numbers"]
        for path in ("text", "complex", "scalar", "group", "nothing", "text/part"):
            with pytest.raises(RasterError, match=r"has no array of numbers"):
                file.variable(path)
