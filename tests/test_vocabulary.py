"""Words that are gone (docs/decisions/0015): in names, docstrings, comments, messages and help."""

import io
import re
import tokenize
from functools import cache
from pathlib import Path

import anomvae

PACKAGE = Path(anomvae.__file__).parent
GONE = {
    *("told", "tell", "tells", "telling", "said", "unopposed", "critic", "prominence", "novelty"),
    *("codeuse", "lattice", "tally", "sighting", "sightings", "holder", "placing", "recipe"),
    *("unseen", "lean", "besides", "judge"),
}
"""Whole words, whatever their case; parts of a name count as words."""
GONE_NAMES = {
    *("Seen", "Shown", "Said", "Terms", "Lean", "OneCall", "Ready", "Parts", "Part", "Source"),
    *("Standing", "Finding", "Look", "Past", "Figures", "Lines", "Piece", "Found", "Placed"),
    *("About", "Picture", "Pace", "RasterReader", "SeriesReader", "CovariateReader"),
    *("put_back", "found_anywhere", "with_covariates", "opened_dates"),
}
"""Names as a whole."""
FSTRING = getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)  # of Python 3.12 and later
KINDS = {tokenize.NAME, tokenize.STRING, tokenize.COMMENT, FSTRING}
OLD = PACKAGE / "detector" / "format1.py"
"""Its data are the old words, as are the keys of `Table.renamed`."""
FILES = sorted({*PACKAGE.rglob("*.py")} - {OLD})


def words_of(text):
    """Split a text or a name into words: snake_case, CamelCase, prose."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).replace("_", " ")
    return {word.lower() for word in re.findall(r"[A-Za-z]+", spaced)}


def tokens_of(path, text):
    """Return the tokens of a file that hold words: pairs of its place and the token."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        (f"{path.relative_to(PACKAGE)}:{token.start[0]}", token)
        for token in tokens
        if token.type in KINDS and "renamed = {" not in token.line
    ]


@cache
def texts():
    """Return the text of each file."""
    found = {}
    for path in FILES:
        with tokenize.open(path) as file:
            found[path] = file.read()
    return found


def test_words_that_are_gone_stay_gone():
    met = {
        (place, word)
        for path, text in texts().items()
        if words_of(text) & GONE  # few files: tokens take long
        for place, token in tokens_of(path, text)
        for word in words_of(token.string) & GONE
    }

    assert not sorted(met)


def test_names_that_are_gone_stay_gone():
    names = {
        (place, token.string)
        for path, text in texts().items()
        if GONE_NAMES & set(re.findall(r"\w+", text))
        for place, token in tokens_of(path, text)
        if token.type == tokenize.NAME and token.string in GONE_NAMES
    }

    assert not sorted(names)
