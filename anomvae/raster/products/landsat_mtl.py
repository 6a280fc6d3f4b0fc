"""The metadata file of a Landsat product, the MTL, in any of its three forms: JSON, XML, text.

Groups of names and values (USGS, Landsat Collection 2 Level-2 Science Product Guides LSDS-1618 and
LSDS-1619, 2020 to 2024).  Groups of a Level-2 MTL repeat names of Level-1 with other values, so a
value is looked up in its group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from ...errors import RasterError
from ...pixels.wavelengths import number_of
from .files import ProductFiles

ROOT = "LANDSAT_METADATA_FILE"
CONTENTS, IMAGE, PROJECTION = "PRODUCT_CONTENTS", "IMAGE_ATTRIBUTES", "PROJECTION_ATTRIBUTES"
LINE = re.compile(r'\s*(\w+)\s*=\s*"?([^"]*?)"?\s*')

Entry = tuple[str, str, str]
"""Group, name, value."""


@dataclass(frozen=True)
class Mtl:
    """What a metadata file states."""

    path: str
    """Its path, for messages."""
    entries: tuple[Entry, ...]
    """In their order."""

    @classmethod
    def read(cls, files: ProductFiles, name: str) -> Mtl:
        """Read the metadata file called ``name``.

        Raises
        ------
        RasterError
            When it is missing or damaged, or none of a product of Collection 2.
        """
        form = PurePosixPath(name).suffix.lower()
        read = {".json": _of_json, ".xml": _of_xml}.get(form, _of_text)
        mtl = cls(files.path(name), tuple(read(files, name)))
        if not any(group == CONTENTS for group, _, _ in mtl.entries):
            raise RasterError(
                f"{mtl.path} has no {ROOT} with {CONTENTS}: it is damaged, or of a product before "
                f"Collection 2. Fetch the product of Collection 2."
            )
        return mtl

    def of(self, group: str) -> Iterator[tuple[str, str]]:
        """Yield names and values of a group."""
        return ((name, value) for found, name, value in self.entries if found == group)

    def find(self, group: str, name: str) -> str | None:
        """Return a value; None where the group lacks it."""
        return next((value for found, value in self.of(group) if found == name), None)

    def text(self, group: str, name: str) -> str:
        """Return a value; a missing one raises `RasterError`."""
        value = self.find(group, name)
        if not value:
            raise RasterError(
                f"{self.path} lacks {name} in {group}: it is damaged. Fetch the product again."
            )
        return value

    def number(self, group: str, name: str) -> float:
        """Return a value that must be a finite number; anything else raises `RasterError`."""
        text = self.text(group, name)
        value = number_of(text)
        if value is None:
            raise RasterError(
                f"{self.path} has {name} = {text}, which is no number: it is damaged. Fetch the "
                f"product again."
            )
        return value

    def day(self) -> date:
        """Return the day of the acquisition; one that is none raises `RasterError`."""
        text = self.text(IMAGE, "DATE_ACQUIRED")
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise RasterError(
                f"{self.path} has DATE_ACQUIRED = {text}, which is no date: it is damaged. Fetch "
                f"the product again."
            ) from error


def _of_json(files: ProductFiles, name: str) -> Iterator[Entry]:
    document = files.json(name)
    root = document.get(ROOT) if isinstance(document, dict) else None
    for group, members in root.items() if isinstance(root, dict) else ():
        for key, value in members.items() if isinstance(members, dict) else ():
            yield group, key, str(value)


def _of_xml(files: ProductFiles, name: str) -> Iterator[Entry]:
    root = files.xml(name)
    for group in root if root.tag == ROOT else ():
        yield from ((group.tag, member.tag, (member.text or "").strip()) for member in group)


def _of_text(files: ProductFiles, name: str) -> Iterator[Entry]:
    group = ""
    for line in files.text(name).splitlines():
        found = LINE.fullmatch(line)
        if found is None:
            continue
        if found[1] == "GROUP":
            group = found[2]
        elif found[1] != "END_GROUP":
            yield group, found[1], found[2]
