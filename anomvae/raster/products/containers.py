"""Files and folders of variables, opened by what they hold: HDF5, netCDF or Zarr."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from ...documents import require_regular
from ...errors import RasterError
from .hdf5 import SIGNATURE, open_hdf5
from .netcdf3 import SIGNATURES, open_netcdf3
from .variables import Container
from .zarr import open_zarr


def open_container(path: str, name: str | None = None) -> AbstractContextManager[Container]:
    """Open a folder of Zarr, or a file of HDF5 or netCDF by its first bytes.

    Raises
    ------
    RasterError
        When it does not exist, is damaged, or is neither.
    """
    if os.path.isdir(path):
        return open_zarr(path, name)
    try:
        require_regular(path)
        with open(path, "rb") as file:
            start = file.read(8)
    except FileNotFoundError as error:
        raise RasterError(f"{name or path} does not exist. Check the path.") from error
    except OSError as error:
        raise RasterError(
            f"{name or path} cannot be opened: {error.strerror}. Check the path."
        ) from error
    if start[:4] in SIGNATURES:
        return open_netcdf3(path, name)
    if start.startswith(b"CDF"):
        raise RasterError(
            f"{name or path} is a file of netCDF with 64-bit data, which is not read. Convert it "
            f"to netCDF-4 (nccopy -k nc4)."
        )
    if start != SIGNATURE and not start.startswith(b"\0"):  # a block of the user may come first
        raise RasterError(
            f"{name or path} is neither netCDF nor HDF5, whatever its name. Fetch it again, or "
            f"name it after its format."
        )
    return open_hdf5(path, name)
