"""The classes and bits of agencies hide what they mean."""

import numpy as np
import pytest

from anomvae.raster.mask_rules import Bits, Classes, Zero
from anomvae.raster.mask_schemes import SCHEMES

# Scheme, value, and what becomes of a pixel: by the documents of the agencies.
PIXELS = [
    *[("scl", value, "hidden") for value in (1, 3, 8, 9, 10, 11)],
    *[("scl", value, "shown") for value in (2, 4, 5, 6, 7)],
    ("scl", 0, "missing"),
    ("scl", 12, "unknown"),
    ("scl", 4.5, "unknown"),
    ("scl", np.nan, "missing"),
    ("qa_pixel", 1, "missing"),
    ("qa_pixel", 21824, "shown"),  # clear land, Landsat 8
    ("qa_pixel", 21952, "shown"),  # clear water
    ("qa_pixel", 5440, "shown"),  # clear land, Landsat 5
    ("qa_pixel", 22280, "hidden"),  # cloud of high confidence
    ("qa_pixel", 21826, "hidden"),  # dilated cloud
    ("qa_pixel", 23888, "hidden"),  # cloud shadow
    ("qa_pixel", 30048, "hidden"),  # snow
    ("qa_pixel", 54596, "hidden"),  # cirrus
    ("qa_pixel", 65536, "unknown"),
    ("qa_pixel", 9, "missing"),
    ("qa_radsat", 0, "shown"),
    ("qa_radsat", 4, "hidden"),
    ("qa_radsat", 512, "hidden"),
    ("qa_radsat", 2048, "hidden"),
    ("qa_radsat", 1024, "unknown"),
    ("fmask", 255, "missing"),
    ("fmask", 64, "shown"),  # low aerosol
    ("fmask", 224, "shown"),  # water, high aerosol
    ("fmask", 194, "hidden"),
    ("fmask", 68, "hidden"),
    ("fmask", 72, "hidden"),
    ("fmask", 80, "hidden"),
    ("fmask", 65, "hidden"),
]


def outcome(rule, value):
    values = np.array([[value]], np.float32)
    hidden, missing, unknown = (
        part(values).item() for part in (rule.hides, rule.missing, rule.unknown)
    )
    assert hidden + missing <= 1
    return "hidden" if hidden else "missing" if missing else "unknown" if unknown else "shown"


@pytest.mark.parametrize(("scheme", "value", "expected"), PIXELS)
def test_a_value_means_what_the_agency_documents(scheme, value, expected):
    assert outcome(SCHEMES[scheme].rule, value) == expected


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_scheme_has_a_meaning_for_all_that_it_hides_and_names_its_source(scheme):
    assert {*scheme.hidden, *scheme.fill_bits} <= scheme.meanings.keys()
    assert not {*scheme.hidden} & {*scheme.fills, *scheme.fill_bits}
    assert scheme.source.rsplit("(", 1)[1].strip(")").endswith(("2021", "2023", "2024"))


def test_a_number_that_a_file_declares_as_no_data_is_missing_unless_it_is_a_class():
    scl, fmask = SCHEMES["scl"].rule, SCHEMES["fmask"].rule

    assert outcome(scl.with_fill(99.0), 99) == "missing"
    assert outcome(scl.with_fill(4.0), 4) == "shown"
    assert outcome(fmask.with_fill(0.0), 0) == "shown"


def test_classes_and_bits_of_a_user_know_any_value_and_a_binary_mask_has_only_zero():
    assert outcome(Classes((3, 8)), 3) == "hidden"
    assert outcome(Classes((3, 8)), 200) == "shown"
    assert outcome(Bits((1,)), 1 << 20 | 2) == "hidden"
    assert outcome(Zero(), 0) == outcome(Zero(), np.nan) == "hidden"
    assert outcome(Zero(), 7) == "shown"
