"""Names as text that every file system, database, log and terminal can hold."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath

MAX_STEM = 200
"""Bytes of the longest stem of deliverables; file systems take 255 with its ending."""

UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, line separators, marks that reorder a line, and surrogates: bytes of a name
that are no UTF-8."""


AMBIGUOUS = re.compile(r'[<>:"|?*\\/]')
"""Characters by which GDAL takes a path for a document or a subdataset, and that Windows or a URL
reserves."""


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Starts of a text that a spreadsheet takes for a formula."""


MARKUP = {character: f"\\{character}" for character in "\\`*_[]|~#"} | {
    **{"<": "&lt;", ">": "&gt;", "&": "&amp;", "$": "&#36;"},
    **{"://": "&#58;//", "www.": "www&#46;"},
}
"""What Markdown, and GitHub's dialect of it, takes for more than text, and how it is written."""
SPECIAL = re.compile("|".join(map(re.escape, MARKUP)))
CODE = re.compile(r"(`[a-z-][a-z0-9 .-]*`)")
"""Code inside a sentence that holds nothing special."""


UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp")
"""Suffixes of files that are being copied or fetched."""


def is_unfinished(name: PurePath) -> bool:
    """Return whether a name is hidden, or is that of a file being copied or fetched.

    Examples
    --------
    >>> [is_unfinished(PurePath(name)) for name in (".git/a.tif", "a.tif.part", "a.tif")]
    [True, True, False]
    """
    hidden = any(part.startswith(".") for part in name.parts)
    return hidden or name.name.endswith("~") or name.suffix.lower() in UNFINISHED


def is_utf8(name: str) -> bool:
    """Return whether a name is text: GDAL and databases take no other."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    r"""Return a text with escapes in place of control characters and of bytes that are no UTF-8.

    Examples
    --------
    >>> printable("bay\udce9\n.tif")
    'bay\\udce9\\n.tif'
    """
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """Return a text in one printable line."""
    return printable(" ".join(text.split()))


def spreadsheet_text(text: str) -> str:
    """Return a text for a cell of CSV; a quote precedes one that a spreadsheet would run.

    Examples
    --------
    >>> [spreadsheet_text(name) for name in ("=1+1", "red")]
    ["'=1+1", 'red']
    """
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def without_quote(cell: str) -> str:
    """Return the text of a cell that `spreadsheet_text` wrote."""
    quoted = cell.startswith("'") and cell.lstrip("'").startswith(FORMULA)
    return cell[1:] if quoted else cell


def markdown_text(text: str, *, code: bool = False) -> str:
    r"""Return a text for one line or cell of Markdown that shows as it is: no markup, HTML or link.

    ``code``: plain words between backticks stay code, for sentences of our own.

    Examples
    --------
    >>> print(markdown_text("a|b <i> `c`"), markdown_text("see `anomvae like`", code=True))
    a\|b &lt;i&gt; \`c\` see `anomvae like`
    """
    if code:
        parts = CODE.split(one_line(text))
        return "".join(part if CODE.fullmatch(part) else markdown_text(part) for part in parts)
    return SPECIAL.sub(lambda found: MARKUP[found[0]], printable(re.sub(r"\s", " ", text)))


def fitted(name: str, most: int) -> str:
    r"""Return a name for a file of at most ``most`` bytes, which GDAL and every system take as one.

    It has no control characters, and none with a meaning of its own in a path or an address.  A
    name that has to change ends in a digest of the whole, so that different names stay so.

    Examples
    --------
    >>> fitted("bay.tif", 40)
    'bay.tif'
    >>> fitted("bay" * 40, 40)
    'baybaybaybaybaybaybaybaybay-082cbf5111c2'
    >>> fitted("<VRTDataset>", 40)
    '_VRTDataset_-5e3ec6210325'
    """
    clean = AMBIGUOUS.sub("_", UNSAFE.sub("_", name))
    if clean == name and len(name.encode()) <= most:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{clean.encode()[: most - 13].decode(errors='ignore')}-{digest}"
