"""Many files: the products that folders and patterns name, and what is no scene in them."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.rasters import land, plant, run, write
from support.toy_products import recognise_toy

from anomvae.errors import ConfigError, FileError, RasterError
from anomvae.mapping.deliverables import DELIVERABLES
from anomvae.raster import Scene, Selection, scenes_of
from anomvae.raster.products import RECOGNISERS, BandStack, StackBand
from anomvae.raster.products import expansion as many
from anomvae.raster.products.expansion import expanded
from anomvae.testing.products import Landsat

QUICK = ("--set", "training.max_steps=50")


@dataclass(frozen=True)
class Series(BandStack):
    """A product of two dates."""

    def parts(self, access=None):
        del access
        if "damaged" in self.name:
            raise RasterError("damaged")
        return tuple(
            BandStack(f"{self.name}_{day}", self.bands) for day in ("20240601", "20240611")
        )


def series(name, options):
    del options
    return Series(name, (StackBand("B1", name),)) if name.endswith(".series") else None


@pytest.fixture
def all_toys(monkeypatch):
    rows = (recognise_toy, series, *RECOGNISERS)
    monkeypatch.setattr("anomvae.raster.products.RECOGNISERS", rows)


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names_of(*names):
    return [Path(product.name).as_posix() for product in expanded(names)]


def test_a_folder_stands_for_its_products_and_the_rasters_that_belong_to_none(
    tmp_path, monkeypatch, all_toys
):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "in/b.TOY/B1.tif", "in/b.TOY/mask.tif", "in/a/z.TIF", "in/a/deep/y.nc")
    touch(tmp_path, "in/c.tif", "in/c.tif.aux.xml", "in/c.png", "in/readme.txt", "in/d.dat")
    touch(tmp_path, "in/e", "in/e.hdr", "in/.hidden/h.tif", "in/.x.tif", "in/f.tif.part")

    assert names_of("in") == [
        *("in/a/deep/y.nc", "in/a/z.TIF", "in/b.TOY", "in/c.tif", "in/e"),
    ]
    assert names_of("in/b.TOY", "in/b.TOY/") == ["in/b.TOY", "in/b.TOY"]


def test_a_pattern_stands_for_what_it_matches(tmp_path, monkeypatch, all_toys):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "LC09_2/B1.tif", "LC09_1.TOY/B1.tif", "LC08.tif", "b[1].tif", "b1.tif")

    assert names_of("LC09*/") == ["LC09_1.TOY", "LC09_2/B1.tif"]
    assert names_of("**/*.tif") == ["LC08.tif", "LC09_1.TOY", "LC09_2/B1.tif", "b1.tif", "b[1].tif"]
    assert names_of("**") == names_of("*") == names_of(".")
    assert names_of("b[1].tif") == ["b[1].tif"], "a name that exists is no pattern"


def test_results_of_anomvae_are_no_scenes(tmp_path):
    touch(tmp_path, "a.tif", *(f"a.{end}" for end in DELIVERABLES))

    assert [Path(name).name for name in names_of(str(tmp_path))] == ["a.tif"]


def test_a_product_of_several_dates_is_one_for_each(tmp_path, all_toys):
    touch(tmp_path, "a.series", "damaged.series")

    scenes = scenes_of([tmp_path], one_site=False)

    assert [scene.stem for scene in scenes] == [
        *("a.series_20240601", "a.series_20240611", "damaged.series"),
    ]
    (site,) = scenes_of([tmp_path / "a.series"], Selection(dates=""), one_site=True)
    assert [date.date.day for date in site.dates] == [1, 11]


@pytest.mark.parametrize("name", ["empty", "empty/*.tif", "texts"])
def test_a_folder_or_pattern_without_scenes_is_refused_in_one_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "texts/a.txt")
    (tmp_path / "empty").mkdir()

    result = run("train", name, "-o", "m")

    assert result.code == 2
    assert result.err.count("\n") == 1
    assert f"{name} holds no scene" in result.err


def test_a_folder_of_too_many_files_is_refused(tmp_path, monkeypatch):
    touch(tmp_path, "a.tif", "b/c.tif", "b/d.tif")
    monkeypatch.setattr(many, "MOST_ENTRIES", 3)

    with pytest.raises(ConfigError, match="holds more than 3 files and folders"):
        expanded([tmp_path])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions")
def test_a_folder_that_cannot_be_read_is_an_error_and_one_below_is_skipped(tmp_path):
    touch(tmp_path, "a.tif", "shut/b.tif")
    (tmp_path / "shut").chmod(0)

    assert len(expanded([tmp_path])) == 1
    with pytest.raises(FileError, match="shut cannot be read"):
        expanded([tmp_path / "shut"])


def test_a_link_that_leads_back_ends(tmp_path):
    touch(tmp_path, "a/b.tif")
    (tmp_path / "a" / "up").symlink_to(tmp_path)

    assert len(expanded([tmp_path])) == 1


def test_scenes_of_a_folder_are_dates_for_detect_and_need_an_order(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "one" / "a.tif", plant(land()))
    write(tmp_path / "two" / "a.tif", plant(land()))
    write(tmp_path / "two" / "b.tif", plant(land()))

    assert Scene.of(tmp_path / "one").stem == "a"
    refused = run("detect", tmp_path / "two", "-o", tmp_path / "out", *QUICK)

    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert f"{tmp_path / 'two' / 'a.tif'} has no date in its name" in refused.err


def test_a_folder_is_trained_on_scored_and_refitted_and_one_bad_file_fails_alone(tmp_path):
    archive, model = tmp_path / "archive", tmp_path / "m.safetensors"
    archive.mkdir()
    for number in range(2):
        write(archive / f"s{number}.tif", plant(land(seed=number)))
    pattern = archive / "s?.tif"

    trained = run("train", archive, "-o", model, *QUICK)
    (archive / "s2.tif").write_bytes(b"no raster")
    scored = run("score", archive, "-m", model, "-o", archive / "maps")
    again = run("score", archive, "-m", model, "-o", archive / "maps")
    refitted = run("threshold", model, pattern, "-o", tmp_path / "n.safetensors")
    ours = run("threshold", model, archive / "s[01].tif", "-o", tmp_path / "n.safetensors")

    assert trained.code == 0, trained.err
    assert (scored.code, again.code) == (5, 5), scored.err
    assert {path.stem for path in (archive / "maps").glob("*.json")} == {"s0", "s1"}
    assert "s2.tif" in refitted.err
    assert refitted.code == 3
    assert ours.code == 0, ours.err


def test_a_safe_folder_without_its_metadata_is_one_scene_that_fails_alone(tmp_path):
    touch(tmp_path, "in/S2A_X.SAFE/GRANULE/L2A_T/IMG_DATA/R10m/T33SVB_20240601T103021_B02_10m.jp2")

    result = run("detect", tmp_path / "in", "-o", tmp_path / "out")

    assert len(expanded([tmp_path / "in"])) == 1
    assert result.code == 3
    assert "S2A_X.SAFE lacks its metadata: expected MTD_MSIL1C.xml or MTD_MSIL2A.xml" in result.err
    assert result.err.count("\n") == 1


def test_the_picture_is_the_same_whatever_part_of_a_product_is_named(tmp_path):
    folder = Landsat().write(Landsat().cube(), tmp_path)
    names = folder, next(folder.glob("*_SR_B4.TIF"))

    for number, name in enumerate(names):
        assert run("detect", name, "-o", tmp_path / f"out{number}", *QUICK).code == 0
    one, other = (tmp_path / f"out{number}" / f"{folder.name}.png" for number in range(2))

    assert one.read_bytes() == other.read_bytes()
