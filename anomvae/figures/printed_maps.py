"""Figures of finished results for print: a whole map, and one object with its spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from ..errors import ConfigError
from ..files import PathText
from ..mapping.crop import square_around
from ..mapping.finished import finished
from ..mapping.location import Location
from ..mapping.map_images import ShownScene, read_images, require_maps, scene_to_show
from ..mapping.object_finding import require_objects
from ..mapping.object_outlines import ObjectOutline, outlines_of, strongest_outlines
from ..mapping.result import MapResult
from ..names import printable
from ..objects import Objects, read_object, read_strongest_objects
from ..parallel import Progress, quiet
from ..pixels.tiling import Window, shape_of, whole
from ..raster import Access, Georeference, Scene, on_earth, open_map
from ..raster.access import DEFAULT
from .axes import styled
from .map_coordinates import system_of
from .map_panels import LEFT, RIGHT, SEEN, SHORT_STACK, STACK, MapPanels, PanelLayout, aspect_of
from .object_panel import ObjectPanel
from .print_sheet import PrintSheet, broken, drawn_width, line_height

TITLE, NOTE = 9.0, 6.0
"""Sizes of letters, points."""
TOP = 6.0
"""Where panels begin below the title, mm."""
WIDTHS, DPIS = (80.0, 1000.0), (30.0, 2400.0)
"""Least and largest width of a figure, mm, and dots per inch."""
LARGEST = 400_000_000
"""Dots of a figure at most."""
WIDENED = f" Flags are drawn at least {SEEN:g} mm wide."
NOT_TRUE = "Pixels are not drawn in their true shape: the bar holds along rows alone."
TRUE = 0.02
"""Share by which the shape of pixels may differ from that on the ground without a word."""
NEIGHBOURS = 500
"""Of the strongest objects, how many are looked for around one."""


@dataclass(frozen=True)
class Print:
    """How a figure is printed."""

    width: float = 180.0
    """mm."""
    dpi: float = 300.0
    """Dots per inch of the images in it."""

    def __post_init__(self) -> None:
        """Require sizes that can be printed; raise `ConfigError`."""
        for name, value, (least, most), unit in (
            ("width", self.width, WIDTHS, "mm"),
            ("dpi", self.dpi, DPIS, "dots per inch"),
        ):
            if not least <= value <= most:
                raise ConfigError(
                    f"{name} = {value:g} is no size of a figure. Give {least:g} to {most:g} {unit}."
                )
        dots = (self.width / 25.4 * self.dpi) ** 2
        if dots > LARGEST:
            raise ConfigError(
                f"A figure of {self.width:g} mm at {self.dpi:g} dpi has {dots:.2g} dots. Give a "
                f"smaller width or dpi."
            )


PRINT = Print()


@styled()
def map_figure(
    results: PathText | MapResult,
    *,
    scene: Scene | None = None,
    top: int = 20,
    size: Print = PRINT,
    access: Access = DEFAULT,
    progress: Progress = quiet,
) -> Figure:
    """Draw a whole map for print: scene, score and flags with the strongest objects outlined.

    Parameters
    ----------
    results : path or MapResult
        A ``<stem>.anomaly.tif``, a folder that holds one, or the result that wrote it.
    scene : Scene, optional
        The scene; by default the one that the summary names, or, if it is not there any more, its
        image in the quick look.
    top : int, default 20
        How many objects are outlined and numbered.
    size : Print, optional
        Width in mm, and dots per inch.
    access : Access, optional
        Drivers and limits of the maps.
    progress : Progress, optional
        Called for every window.

    Returns
    -------
    matplotlib.figure.Figure
        `anomvae.figures.save` writes it.  Where the map lies on Earth, it has coordinates, a scale
        bar (on the ellipsoid, in the middle of the map) and an arrow to true north.

    Raises
    ------
    FileError, RasterError, ConfigError
        If there are no results, or several.
    GridMismatch
        If the scene is on another grid than the map.
    """
    result = _result_of(results, access)
    where = _georeference(result, access)
    part = whole(where.grid.shape)
    outlines = strongest_outlines(result.files, top, access) if top else ()
    shown = scene_to_show(result, where, scene, is_whole=True)
    place, layout = _placed(where, part, shown, size)
    images = read_images(
        result, part, shown, side=layout.side(size.dpi), access=access, progress=progress
    )
    notes = [
        _of_scene(shown),
        _of_objects(len(outlines), result.objects),
        _of_place(where, place, layout.scale(where.grid.shape)),
    ]
    sheet = PrintSheet.of(size.width, layout.bottom + _height(notes, size), size.dpi)
    panels = MapPanels(sheet, layout, images, result, place)
    notes[1] += _without(panels.draw(outlines), "of these") + _widened(panels)
    _entitle(sheet, result.files.stem)
    return _finished(sheet, layout.bottom, notes)


@styled()
def object_figure(
    results: PathText | MapResult,
    number: int,
    *,
    scene: Scene | None = None,
    size: Print = PRINT,
    access: Access = DEFAULT,
    progress: Progress = quiet,
) -> Figure:
    """Draw an object for print: what is around it, its spectrum, and the bands that lead.

    Parameters
    ----------
    number : int
        The id of the object.
    results, scene, size, access, progress
        As for `map_figure`; the quick look shows no scene here.

    Returns
    -------
    matplotlib.figure.Figure
        Spectrum, reconstruction and annulus are those of the objects file; where it has none, as
        after `rethreshold` and of baselines, there is no panel of them.

    Raises
    ------
    ConfigError
        If no object has the id.
    FileError, RasterError, GridMismatch
        As for `map_figure`.
    """
    result = _result_of(results, access)
    where = _georeference(result, access)
    require_objects(result.files, result.files.stem)
    provenance, item = read_object(result.files.objects, number)
    (own,) = outlines_of(result.files, Objects(provenance, (item,)), access)
    part = square_around(own.window, where.grid.shape)
    outlines = (own, *_neighbours(result, number, part, access))
    shown = scene_to_show(result, where, scene, is_whole=False)
    place, layout = _placed(where, part, shown, size)
    images = read_images(
        result, part, shown, side=layout.side(size.dpi), access=access, progress=progress
    )
    notes = [_of_scene(shown), _of_place(where, place, layout.scale(shape_of(part)))]
    panel = ObjectPanel(result, provenance, item, size.width)
    bottom = layout.bottom + panel.height
    sheet = PrintSheet.of(size.width, bottom + _height(notes, size), size.dpi)
    panels = MapPanels(sheet, layout, images, result, place)
    notes[0] += _without(panels.draw(outlines, number), "of the outlined objects") + _widened(
        panels
    )
    panel.draw(sheet, layout.bottom)
    _entitle(sheet, result.files.stem, f": object {number}")
    return _finished(sheet, bottom, notes)


def _result_of(results: PathText | MapResult, access: Access) -> MapResult:
    return results if isinstance(results, MapResult) else finished(results, access)


def _georeference(result: MapResult, access: Access) -> Georeference:
    require_maps(result.files)
    with open_map(result.files.scores, access) as opened:
        return opened.georeference


def _placed(
    where: Georeference, part: Window, shown: ShownScene, size: Print
) -> tuple[Location | None, PanelLayout]:
    """Return where a part of a map lies on Earth, and its panels on the page."""
    place, shape = Location.of(where, part), shape_of(part)
    count = 3 if shown.is_there else 2
    ratio = shape[0] * aspect_of(place) / shape[1]
    stack = STACK if shape == where.grid.shape else SHORT_STACK
    return place, PanelLayout.of(size.width, TOP, ratio, count, stack)


def _neighbours(
    result: MapResult, number: int, part: Window, access: Access
) -> tuple[ObjectOutline, ...]:
    """Return the outlines of other strong objects whose peaks lie in a part of the map."""
    strongest = read_strongest_objects(result.files.objects, NEIGHBOURS)
    near = tuple(
        item
        for item in strongest.items
        if item.id != number
        and all(side.start <= at < side.stop for side, at in zip(part, item.peak, strict=True))
    )
    return outlines_of(result.files, Objects(strongest.provenance, near), access)


def _entitle(sheet: PrintSheet, name: str, rest: str = "") -> None:
    """Write the title; of a long name its ends."""
    name, room = printable(name), sheet.width - 2 * RIGHT
    half = len(name) // 2
    shown = name
    while drawn_width(shown + rest, TITLE) > room and half > 1:
        half = min(half - 1, int(half * room / drawn_width(shown + rest, TITLE)))
        shown = f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"
    sheet.text(sheet.width / 2, 0.8, shown + rest, TITLE, ha="center")


def _of_scene(shown: ShownScene) -> str:
    return f"Scene: {shown.caption}." if shown.is_there else shown.caption


def _of_objects(count: int, objects: int) -> str:
    if not count:
        return "No object is outlined." if objects else "There are no objects."
    if count == objects:
        return f"Outlined and numbered by rank: all objects ({count})."
    return f"Outlined and numbered by rank: the {count} strongest of {objects:,} objects."


def _of_place(where: Georeference, place: Location | None, scale: tuple[float, float]) -> str:
    """Return what coordinates, scale and north are; ``scale`` is mm for a column and a row."""
    if place is None and where.indirect:
        return "Control points alone locate the map: coordinates are those of pixels."
    if place is None and on_earth(where):
        return f"{system_of(where)}. The middle of the map has no place on Earth, so no scale."
    if place is None:
        return "The map is not located on Earth: coordinates are those of pixels."
    north = "" if place.ground.north is None else " and true north (N)"
    verb = "hold" if north else "holds"
    text = f"{system_of(where)}. Scale bar{north} {verb} for the middle of the map."
    drawn = scale[1] / scale[0] / place.ground.aspect
    return text if abs(drawn - 1) < TRUE else f"{text} {NOT_TRUE}"


def _widened(panels: MapPanels) -> str:
    return WIDENED if panels.is_widened else ""


def _without(left_out: int, of: str) -> str:
    return f" {left_out} {of} without a number, for want of room." if left_out else ""


def _height(notes: Sequence[str], size: Print) -> float:
    """Return the height that notes may need, mm."""
    text = " ".join(notes) + _without(99, "of the outlined objects") + WIDENED
    return line_height(NOTE) * len(broken(text, size.width - LEFT - RIGHT, NOTE)) + 2.0


def _finished(sheet: PrintSheet, bottom: float, notes: Sequence[str]) -> Figure:
    """Write the notes below the panels."""
    for number, line in enumerate(broken(" ".join(notes), sheet.width - LEFT - RIGHT, NOTE)):
        sheet.text(LEFT, bottom + 0.8 + number * line_height(NOTE), line, NOTE, color="0.25")
    return sheet.figure
