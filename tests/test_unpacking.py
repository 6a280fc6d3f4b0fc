"""Chunks of HDF5 that span the grid: windows of them are right, and decompress the file once."""

import logging
import shutil
import tempfile
from os import listdir

import h5py
import numpy as np
import pytest

from anomvae.raster.products.hdf5 import open_hdf5
from anomvae.raster.products.variables import StoredCube

SHAPE, CHUNKS = (1000, 1000, 104), (1000, 1000, 8)
"""More than the cache holds, and chunks of a few bands with all rows and columns."""


@pytest.fixture
def cube(tmp_path):
    """Return path and first chunk, axes (row, col, band), of a cube that is 0 in all others."""
    chunk = np.arange(np.prod(CHUNKS)).reshape(CHUNKS) % 251
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        made = {"dtype": "u1", "chunks": CHUNKS, "compression": "gzip", "compression_opts": 1}
        file.create_dataset("cube", SHAPE, **made)[..., :8] = chunk
    return tmp_path / "cube.h5", chunk


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of its own for temporary files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def damage(path):
    """Overwrite the first chunk."""
    with h5py.File(path) as file:
        chunk = file["cube"].id.get_chunk_info(0)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * chunk.size)


def lines(stored, row):
    """Read two rows of all bands."""
    return stored.read(range(1, 105), (slice(row, row + 2), slice(0, 1000)))


def test_windows_of_chunks_that_span_the_grid_decompress_the_file_once(cube, folder, caplog):
    path, chunk = cube
    caplog.set_level(logging.INFO, "anomvae")

    with open_hdf5(str(path)) as file:
        stored = StoredCube(file.variable("cube"), 0, 1, 2)
        early = [lines(stored, row) for row in (0, 500)]
        damage(path)  # nobody reads the file from here on
        late = lines(stored, 998)

    assert stored.block_shape == (1, 1000)
    for row, found in zip((0, 500, 998), (*early, late), strict=True):
        np.testing.assert_array_equal(found[..., :8], chunk[row : row + 2])
        assert not found[..., 8:].any()
    assert [one.message for one in caplog.records] == [
        f"{path} (/cube): 0.1 GB are unpacked once into {folder}"
    ]
    assert listdir(folder) == []


def test_one_window_unpacks_nothing(cube, folder, caplog):
    path, chunk = cube
    caplog.set_level(logging.INFO, "anomvae")

    with open_hdf5(str(path)) as file:
        found = lines(StoredCube(file.variable("cube"), 0, 1, 2), 0)

    np.testing.assert_array_equal(found[..., :8], chunk[:2])
    assert not caplog.records


def test_a_full_disk_is_warned_of_once_and_windows_are_right(cube, folder, caplog, monkeypatch):
    path, chunk = cube
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 1, 8))

    with open_hdf5(str(path)) as file:
        stored = StoredCube(file.variable("cube"), 0, 1, 2)
        found = [lines(stored, row) for row in (0, 0, 0, 0)]

    np.testing.assert_array_equal(found[-1][..., :8], chunk[:2])
    (warning,) = caplog.records
    assert f"{folder} has no room for 0.1 GB" in warning.message
    assert listdir(folder) == []
