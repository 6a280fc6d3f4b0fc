"""What the axes of a variable mean: rows, columns, bands, time (CF Conventions 1.11, chapter 4).

An axis is known by its coordinate variable (standard name, axis, units), by wavelengths, or by its
name.  What is not known is asked, never guessed: a cube with swapped axes gives a map, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import ConfigError, RasterError
from .cf_bands import Spectrum, spectrum_of
from .cf_time import is_time
from .variables import Container, Variable, axis_name

ROW, COL, BAND, TIME = "y", "x", "band", "time"

STANDARD_NAMES = {
    **dict.fromkeys(("projection_y_coordinate", "latitude", "grid_latitude"), ROW),
    **dict.fromkeys(("projection_x_coordinate", "longitude", "grid_longitude"), COL),
    "time": TIME,
}
AXES = {"Y": ROW, "X": COL, "T": TIME}
UNITS = {
    **dict.fromkeys(("degrees_north", "degree_north", "degree_n", "degrees_n"), ROW),
    **dict.fromkeys(("degrees_east", "degree_east", "degree_e", "degrees_e"), COL),
}
NAMES = {
    **dict.fromkeys(("y", "lat", "latitude", "northing", "row", "rows", "line", "lines"), ROW),
    **dict.fromkeys(("downtrack", "down_track", "along_track", "alongtrack", "scanline"), ROW),
    **dict.fromkeys(
        ("yc", "rlat", "nlat", "ny", "ydim", "height", "ortho_y", "number_of_lines"), ROW
    ),
    **dict.fromkeys(("x", "lon", "longitude", "easting", "col", "cols", "column", "columns"), COL),
    **dict.fromkeys(("sample", "samples", "crosstrack", "cross_track", "across_track"), COL),
    **dict.fromkeys(
        ("xc", "rlon", "nlon", "nx", "xdim", "width", "ortho_x", "pixels_per_line"), COL
    ),
    **dict.fromkeys(("band", "bands", "wavelength", "wavelengths", "channel", "channels"), BAND),
    **dict.fromkeys(("wl", "wvl", "lambda", "spectral", "nbands", "number_of_bands"), BAND),
    **dict.fromkeys(("time", "t", "date", "dates"), TIME),
}
"""Names of axes, in lower case."""


@dataclass(frozen=True)
class Axes:
    """Numbers of the axes of a variable, from 0."""

    rows: int
    """The axis of rows."""
    cols: int
    """The axis of columns."""
    bands: int | None = None
    """The axis of bands; None: it is one band."""
    time: int | None = None
    """The axis of time; None: one date."""
    spectrum: Spectrum = field(default=Spectrum(), compare=False)
    """What is known of the bands."""
    guessed: tuple[str, ...] = ()
    """What was taken for granted, a sentence each."""


def axes_of(file: Container, variable: Variable, band_axis: str | None = None) -> Axes:
    """Find rows, columns, bands and time among the axes of a variable of two or more.

    Parameters
    ----------
    file, variable : Container, Variable
        The variable, and the file that describes its axes.
    band_axis : str, optional
        Name of the axis of bands, or its number from 0, as the user gives it.

    Raises
    ------
    RasterError
        When the axes are ambiguous; the message asks for ``band_axis``.
    ConfigError
        When ``band_axis`` names no axis.
    """
    return _Search(file, variable, band_axis).axes()


def coordinate_of(file: Container, variable: Variable, axis: int) -> Variable | None:
    """Return the coordinate variable of an axis: one of its name, along it alone."""
    dim = variable.dims[axis]
    found = file.find(dim) if dim else None
    same = found is not None and found.shape == (variable.shape[axis],)
    return found if same else None


@dataclass(frozen=True)
class _Search:
    file: Container
    variable: Variable
    band_axis: str | None

    def axes(self) -> Axes:
        sizes = self.variable.shape
        roles: dict[int, str] = {}
        spectra = {axis: spectrum_of(self.file, self.variable, axis) for axis in range(len(sizes))}
        for axis in range(len(sizes)):
            roles[axis] = self._role(axis)
        band = self._band(roles, spectra)
        if band is not None:
            roles = {axis: "" if role == BAND else role for axis, role in roles.items()}
            roles[band] = BAND
        free = [axis for axis, role in roles.items() if not role and sizes[axis] > 1]
        guessed = self._place(roles, free)
        at = {role: axis for axis, role in roles.items() if role}
        return Axes(
            at[ROW],
            at[COL],
            at.get(BAND),
            at.get(TIME),
            spectra[at[BAND]] if BAND in at else Spectrum(),
            guessed,
        )

    def _band(self, roles: dict[int, str], spectra: dict[int, Spectrum]) -> int | None:
        """Return the axis of bands, as the user names it or as its wavelengths show."""
        if self.band_axis is not None:
            return self._named(self.band_axis)
        linked = [axis for axis, spectrum in spectra.items() if spectrum.linked]
        alike = [axis for axis, spectrum in spectra.items() if spectrum.wavelengths]
        free = [axis for axis in alike if roles[axis] in {"", BAND}]
        for found in (linked, free):
            if len(found) == 1:
                return found[0]
            if found:
                raise self._question()
        return None

    def _named(self, name: str) -> int:
        names = [axis_name(dim, axis) for axis, dim in enumerate(self.variable.dims)]
        wanted = {name.strip(), f"axis {name.strip()}"}
        matching = [axis for axis, known in enumerate(names) if known in wanted]
        if not matching:
            matching = [axis for axis in range(len(names)) if str(axis) == name.strip()]
        if len(matching) != 1:
            raise ConfigError(
                f"--band-axis {name}: {self.variable.path} of {self.file.name} has the axes "
                f"{self.variable.axes}. Name one of them, or its number from 0."
            )
        return matching[0]

    def _role(self, axis: int) -> str:
        """Return what an axis is by its coordinate or its name; empty where it is not known."""
        coordinate = coordinate_of(self.file, self.variable, axis)
        if coordinate is not None:
            if is_time(coordinate):
                return TIME
            known = (
                STANDARD_NAMES.get(coordinate.text("standard_name")),
                AXES.get(coordinate.text("axis")),
                UNITS.get(coordinate.text("units").casefold()),
            )
            role = next(filter(None, known), None)
            if role is not None:
                return role
        name = axis_name(self.variable.dims[axis], axis).casefold()
        return NAMES.get(name, "")

    def _place(self, roles: dict[int, str], free: list[int]) -> tuple[str, ...]:
        """Give the axes that are left their roles, where these are certain."""
        known = [role for role in roles.values() if role]
        if len(set(known)) < len(known):
            raise self._question()
        missing = [role for role in (ROW, COL) if role not in known]
        if BAND not in known and len(free) == len(missing) + 1 and not missing:
            roles[free[0]] = BAND
            return (f"bands: the axis {self._name(free[0])}, which is the only one left",)
        if len(missing) == len(free) == 0:
            return ()
        certain = BAND in known or len(self.variable.shape) == 2 or TIME in known
        if len(free) != len(missing) or not certain:
            return self._single(roles, free, missing)
        for role, axis in zip(missing, sorted(free), strict=True):
            roles[axis] = role
        if len(missing) == 1:
            return ()
        named = " and ".join(map(self._name, sorted(free)))
        return (f"rows and columns: the axes {named}, in this order",)

    def _single(
        self, roles: dict[int, str], free: list[int], missing: list[str]
    ) -> tuple[str, ...]:
        """Take axes of length 1 for rows or columns, where nothing else can be meant."""
        short = [axis for axis, role in roles.items() if not role and axis not in free]
        if len(free) > len(missing) or len(free) + len(short) != len(missing):
            raise self._question()
        for role, axis in zip(missing, sorted([*free, *short]), strict=True):
            roles[axis] = role
        return ()

    def _name(self, axis: int) -> str:
        return repr(axis_name(self.variable.dims[axis], axis))

    def _question(self) -> RasterError:
        example = axis_name(self.variable.dims[-1], len(self.variable.dims) - 1)
        option = example.removeprefix("axis ") if not self.variable.dims[-1] else example
        return RasterError(
            f"{self.file.name}: which axis of {self.variable.path} holds the bands? Its axes are "
            f"{self.variable.axes}, and neither wavelengths nor names show which are rows, columns "
            f"and bands. Name it, for example --band-axis {option}."
        )
