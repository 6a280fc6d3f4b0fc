"""The files that a VRT names: a document of XML that others may have written.

GDAL's parser is lenient: it ignores case, and takes a child element for an attribute.  So do the
checks here; `opening` applies them to the document as written, and as GDAL understood it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple
from xml.etree.ElementTree import ParseError, XMLParser

MARK = b"<VRTDataset"
MAX_DEPTH = 100
"""Deepest nesting of elements."""
CLASSES = frozenset(
    {
        *("VRTDataset", "VRTWarpedDataset", "VRTPansharpenedDataset"),
        *("VRTSourcedRasterBand", "VRTWarpedRasterBand", "VRTPansharpenedRasterBand"),
        "VRTRawRasterBand",
    }
)
"""Classes of datasets and bands that name files only as `REFERENCES`, and run no code."""
REFERENCES = frozenset({"sourcefilename", "sourcedataset"})
"""Elements that name a file, in lower case."""
OPEN_OPTIONS = frozenset({"OVERVIEW_LEVEL", "NUM_THREADS"})
"""Options of a source that name no file."""


class Reference(NamedTuple):
    """A file that a VRT names."""

    name: str
    relative: bool
    """Whether the name starts at the folder of the VRT, rather than at the working directory."""
    raw: bool
    """Whether its bytes are pixels, whatever they are."""


class VrtError(ValueError):
    """A VRT is not what GDAL writes, or holds what is not allowed; the message is the cause."""


def references(document: bytes | str) -> Counter[Reference]:
    """Return the files that a VRT names, each with how often.

    Raises
    ------
    VrtError
        When it is no XML, too deep, or may read files or run code in a way that is not checked.

    Examples
    --------
    >>> source = '<SourceFilename relativeToVRT="1">a.tif</SourceFilename>'
    >>> references(f"<VRTDataset>{source}</VRTDataset>")
    Counter({Reference(name='a.tif', relative=True, raw=False): 1})
    """
    target = _References()
    parser = XMLParser(target=target)
    try:
        parser.feed(document)
        parser.close()
    except (ParseError, LookupError, ValueError) as error:  # the latter of encodings
        raise VrtError(f"it is no XML ({error})") from error
    return target.found


class _References:
    """Collects the references of a document while it is parsed."""

    def __init__(self) -> None:
        self.found: Counter[Reference] = Counter()
        self._open: list[tuple[str, Mapping[str, str], list[str]]] = []

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse entities, which GDAL does not expand."""
        raise VrtError("it declares a document type, which a VRT has not")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        self._open.append((tag.casefold(), attributes, []))
        if len(self._open) > MAX_DEPTH:
            raise VrtError(f"its elements are nested deeper than {MAX_DEPTH}")
        for name, value in attributes.items():
            self._value(name.casefold(), value, relative=False, raw=False)

    def data(self, text: str) -> None:
        """Collect the text of an element."""
        if self._open:
            self._open[-1][2].append(text)

    def end(self, tag: str) -> None:
        """End an element."""
        name, attributes, texts = self._open.pop()
        folded = {key.casefold(): value for key, value in attributes.items()}
        if name == "ooi" and folded.get("key", "").upper() not in OPEN_OPTIONS:
            raise VrtError(f"it opens a source with the option {folded.get('key')!r}")
        relative = folded.get("relativetovrt", "0").strip() == "1"
        raw = bool(self._open) and self._open[-1][0] == "vrtrasterband"
        self._value(name, "".join(texts).strip(), relative=relative, raw=raw)

    def _value(self, name: str, value: str, *, relative: bool, raw: bool) -> None:
        """Check an attribute, or an element with its text."""
        if name == "subclass" and value not in CLASSES:
            raise VrtError(f"it has a dataset or band of the class {value!r}")
        if "geoloc" in name or name == "dempath":
            raise VrtError(f"it has a transformer with files of its own (<{name}>)")
        if name in REFERENCES:
            self.found[Reference(value, relative, raw)] += 1
