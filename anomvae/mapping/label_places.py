"""Places of numbers beside objects in a picture, so that no two overlap.

Positions are (x, y) from the upper left corner of a frame; a box is left, top, right, bottom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Box = tuple[float, float, float, float]


def label_places(
    boxes: Sequence[Box], sizes: Sequence[tuple[float, float]], frame: tuple[float, float]
) -> list[Box | None]:
    """Place a label beside each box, the first of them first.

    Parameters
    ----------
    boxes : sequence of Box
        What is labelled, the most important first.
    sizes : sequence of (width, height)
        Of each label, with what is to be free around it.
    frame : (width, height)
        Labels lie inside it.

    Returns
    -------
    list of Box or None
        Where each label lies; None where there is no room beside those before it.
    """
    placed: list[Box | None] = []
    taken: list[Box] = []
    for own, box in enumerate(boxes):
        others = [other for number, other in enumerate(boxes) if number != own]
        inside = [each for each in _beside(box, sizes[own]) if _is_inside(each, frame)]
        free = [each for each in inside if not any(_overlap(each, other) for other in taken)]
        clear = (each for each in free if not any(_overlap(each, other) for other in others))
        chosen = next(clear, free[0] if free else None)
        placed.append(chosen)
        taken += [] if chosen is None else [chosen]
    return placed


def _beside(box: Box, size: tuple[float, float]) -> Iterator[Box]:
    """Yield places around a box: at its corners, then beside its sides."""
    (left, top, right, bottom), (width, height) = box, size
    middle_x, middle_y = (left + right - width) / 2, (top + bottom - height) / 2
    for x, y in (
        (right, top - height),
        (left - width, top - height),
        (right, bottom),
        (left - width, bottom),
        (right, middle_y),
        (left - width, middle_y),
        (middle_x, top - height),
        (middle_x, bottom),
    ):
        yield x, y, x + width, y + height


def _is_inside(box: Box, frame: tuple[float, float]) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= frame[0] and box[3] <= frame[1]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
