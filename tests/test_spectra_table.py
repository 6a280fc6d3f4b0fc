"""Tables of spectra: what is written is read again, and spreadsheets run none of it."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anomvae.errors import FileError
from anomvae.explaining import SpectraTable
from anomvae.names import FORMULA

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
numbers = st.floats(width=32, allow_infinity=False)


@st.composite
def tables(draw):
    bands, count = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    centre = st.none() | st.floats(1, 1e5, width=32)
    return SpectraTable(
        tuple(draw(words) for _ in range(bands)),
        tuple(draw(centre) for _ in range(bands)),
        tuple(draw(words | st.sampled_from(["=1+1", "'-1", "''@a", "a,b"])) for _ in range(count)),
        draw(arrays(np.float32, (count, bands), elements=numbers)),
    )


@settings(max_examples=25)
@given(table=tables())
def test_a_table_is_read_as_it_was_written_to_the_bit(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "spectra.csv"

    table.write(path)
    read = SpectraTable.read(path)

    assert (read.bands, read.wavelengths, read.names) == (
        table.bands,
        table.wavelengths,
        table.names,
    )
    np.testing.assert_array_equal(read.values, table.values)


def test_no_cell_of_a_table_is_run_by_a_spreadsheet():
    table = SpectraTable(("=cmd()", "red"), (None, 650.0), ("@x", "b"), np.ones((2, 2), np.float32))

    rows = list(csv.reader(table.to_csv().splitlines()))

    assert rows[0] == ["band", "wavelength_nm", "'@x", "b"]
    assert not any(cell.startswith(FORMULA) for row in rows for cell in row)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "its first row is ''"),
        ("wavelength,reflectance\n400,0.1\n", "its first row is 'wavelength,reflectance'"),
        ("band,wavelength_nm,a\n", "it has no band"),
        ("band,wavelength_nm,a\nB1,400\n", "row 1 has 2 cells, the first one 3"),
        ("band,wavelength_nm,a\nB1,400,x\n", "'x' in column a is no number"),
        ("band,wavelength_nm,a\nB1,inf,1\n", "'inf' in column wavelength_nm is no number"),
        ("band,wavelength_nm,a\nB1,400,1e99\n", "'1e99' in column a is no number"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(text, why, tmp_path):
    path = tmp_path / "spectra.csv"
    path.write_text(text)

    with pytest.raises(FileError, match="is no table of spectra") as error:
        SpectraTable.read(path)

    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"band,a\nred,\xe9\n")

    with pytest.raises(FileError, match="cannot be read"):
        SpectraTable.read(tmp_path / "none.csv")
    with pytest.raises(FileError, match="UTF-8"):
        SpectraTable.read(tmp_path / "binary.csv")
