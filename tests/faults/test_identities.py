"""What decides a result is in its digest: georeference, radiometry, content; side-cars are not."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from support.rasters import BANDS, land, plant, run, write
from support.scene_files import make, vrt
from support.scorers import Neighbours
from support.watching import Clock, run_watch, scenes, watch

from anomvae.config import resolve_config
from anomvae.errors import OutputExists
from anomvae.fitting import Selection
from anomvae.mapping import ScoreOptions, detect_scene, score_scene
from anomvae.raster import Access, Scene


def digest(scene, folder, **options):
    """Score a scene into a new folder, and return the digest of its input."""
    shutil.rmtree(folder, ignore_errors=True)
    return score_scene(Neighbours(), Scene.of(scene, **options), folder).input


def pam(path, content):
    Path(f"{path}.aux.xml").write_text(f"<PAMDataset>{content}</PAMDataset>")


def absolute_vrt(path, source):
    band = (
        f'<SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename>'
        "<SourceBand>{}</SourceBand></SimpleSource>"
    )
    return vrt(path, [("Float32", band.format(number + 1)) for number in range(BANDS)], (40, 48))


READ = {
    "CRS": '<SRS dataAxisToSRSAxisMapping="1,2">EPSG:32634</SRS>',
    "transform": "<GeoTransform>1, 10, 0, 4e6, 0, -10</GeoTransform>",
    "nodata": '<PAMRasterBand band="1"><NoDataValue>0.25</NoDataValue></PAMRasterBand>',
    "scale": '<PAMRasterBand band="2"><Scale>2</Scale></PAMRasterBand>',
    "offset": '<PAMRasterBand band="2"><Offset>2</Offset></PAMRasterBand>',
    "wavelength": '<PAMRasterBand band="1"><Metadata><MDI key="wavelength">650 nm</MDI></Metadata>'
    "</PAMRasterBand>",
}


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_what_a_side_car_changes_in_what_is_read_makes_another_input(tmp_path, content):
    scene = write(tmp_path / "scene.tif", land(), nodata=None)
    with Scene.of(scene).open() as opened:
        before = opened.files

    pam(scene, content)
    with Scene.of(scene).open() as opened:
        after = opened.files

    assert after != before


def test_a_crs_in_a_side_car_written_after_scoring_is_not_up_to_date(scene, tmp_path):
    score_scene(Neighbours(), scene, tmp_path / "out")

    pam(scene, READ["CRS"])

    with pytest.raises(OutputExists, match="another input"):
        score_scene(Neighbours(), scene, tmp_path / "out")
    again = score_scene(Neighbours(), scene, tmp_path / "out", ScoreOptions(overwrite=True))
    with rasterio.open(again.path) as made:
        assert made.crs.to_epsg() == 32634


def test_statistics_and_overviews_that_viewers_write_change_nothing(scene, tmp_path):
    first = score_scene(Neighbours(), scene, tmp_path / "out")

    values = '<MDI key="STATISTICS_MAXIMUM">9</MDI><MDI key="STATISTICS_MEAN">2</MDI>'
    pam(scene, f'<PAMRasterBand band="1"><Metadata>{values}</Metadata></PAMRasterBand>')
    make(tmp_path / "scene.tif.ovr", land()[:, ::2, ::2])
    with rasterio.open(scene) as dataset:
        assert {"scene.tif.aux.xml", "scene.tif.ovr"} <= {Path(file).name for file in dataset.files}

    again = score_scene(Neighbours(), scene, tmp_path / "out")
    assert not again.newly_written
    assert again.digest == first.digest


@pytest.mark.parametrize("compress", ["NONE", "DEFLATE"])
def test_two_days_of_one_name_size_and_time_are_two_inputs(tmp_path, compress):
    days = []
    for day in (1, 2):
        (tmp_path / f"day{day}").mkdir()
        path = write(tmp_path / f"day{day}" / "refl.tif", land(seed=day), compress=compress)
        with path.open("ab") as file:
            file.truncate(60_000)  # of equal size, whatever the compression
        os.utime(path, ns=(0, 10**18))
        days.append(path)
    score_scene(Neighbours(), days[0], tmp_path / "out")

    with pytest.raises(OutputExists, match="another input"):
        score_scene(Neighbours(), days[1], tmp_path / "out")


def test_a_mask_and_normal_areas_of_equal_size_and_time_are_other_inputs(scene, tmp_path):
    mask = np.ones((1, 40, 48), "uint8")
    found, normal = [], []
    for name, row in (("one", 5), ("two", 9)):
        (tmp_path / name).mkdir()
        values = mask.copy()
        values[:, row] = 0
        path = write(tmp_path / name / "mask.tif", values, nodata=None)
        os.utime(path, ns=(0, 10**18))
        found.append(digest(scene, tmp_path / "out", mask=path))
        normal.append(path)

    assert found[0] != found[1]
    one, two = (Selection(normal=[path]) for path in normal)
    detect_scene(scene, tmp_path / "detected", quick(), select=one)
    with pytest.raises(OutputExists, match="another input"):
        detect_scene(scene, tmp_path / "detected", quick(), select=two)


def quick():
    return resolve_config("default", ["training.max_steps=5"]).config


def test_a_moved_folder_keeps_its_results(tmp_path):
    (tmp_path / "old" / "in").mkdir(parents=True)
    scene = write(tmp_path / "old" / "in" / "scene.tif", land())
    with zipfile.ZipFile(tmp_path / "old" / "in" / "scenes.zip", "w") as archive:
        archive.write(scene, "a/b.tif")
    names = [
        "{}/in/scene.tif",
        "/vsizip/{}/in/scenes.zip/a/b.tif",
        "zip://{}/in/scenes.zip!a/b.tif",
    ]
    before = [digest(name.format(tmp_path / "old"), tmp_path / "out") for name in names]

    (tmp_path / "old").rename(tmp_path / "new")

    assert [digest(name.format(tmp_path / "new"), tmp_path / "out") for name in names] == before


def test_the_content_of_an_archive_counts(tmp_path):
    found = []
    for seed in (1, 2):
        write(tmp_path / "a.tif", land(seed=seed))
        with zipfile.ZipFile(tmp_path / "scenes.zip", "w") as archive:
            archive.write(tmp_path / "a.tif", "a.tif")
        found.append(digest(f"/vsizip/{tmp_path}/scenes.zip/a.tif", tmp_path / "out"))

    assert found[0] != found[1]


@pytest.mark.parametrize("inner", ["inner.vrt", "inner.tif"])
def test_the_sources_of_a_virtual_raster_within_another_count(tmp_path, inner):
    source = write(tmp_path / "a.tif", land(seed=1))
    absolute_vrt(tmp_path / inner, source)
    outer = absolute_vrt(tmp_path / "outer.vrt", tmp_path / inner)
    before = digest(outer, tmp_path / "out")

    write(source, land(seed=2))

    assert digest(outer, tmp_path / "out") != before


@pytest.mark.parametrize("where", ["{}/inner", "/vsizip/{}/a.zip/inner"])
def test_the_sources_of_a_virtual_raster_behind_a_long_comment_count(tmp_path, where):
    source = write(tmp_path / "a.tif", land(seed=1))
    inner = absolute_vrt(tmp_path / "inner", source)
    inner.write_text(f"<!-- {'made by hand ' * 60} -->\n{inner.read_text()}")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(inner, "inner")
    outer = absolute_vrt(tmp_path / "outer.vrt", where.format(tmp_path))
    access = Access.of(["VRT"])
    before = digest(outer, tmp_path / "out", access=access)

    write(source, land(seed=2))

    assert digest(outer, tmp_path / "out", access=access) != before


def test_a_byte_in_a_sampled_block_of_a_huge_file_counts_at_a_bounded_cost(tmp_path):
    from anomvae.identity import BLOCK, BLOCKS, identify_content

    path, size = tmp_path / "huge", 50 * 2**30
    found = []
    for place in (None, 0, size - 1, (size - BLOCK) // (BLOCKS - 1)):
        with path.open("wb") as file:
            file.truncate(size)  # sparse: nothing but holes is on disk
            if place is not None:
                file.seek(place)
                file.write(b"x")
        found.append(identify_content([path])[0].sample)

    assert len(set(found)) == 4


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 10_000, 100_001])
def test_every_byte_of_a_small_file_counts(tmp_path, size):
    from anomvae.identity import identify_content

    path, content = tmp_path / "small", bytearray(size)
    found = set()
    places = sorted({*range(0, size, 997), size - 1} & set(range(size)))
    for place in [None, *places]:
        changed = content.copy()
        if place is not None:
            changed[place] = 1
        path.write_bytes(changed)
        found.add(identify_content([path])[0].sample)

    assert len(found) == len(places) + 1


def test_listed_files_of_one_name_in_two_folders_are_two_scenes(tmp_path):
    for day in ("day1", "day2"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "refl.tif").write_text("0")
    listed = [str(tmp_path / day / "refl.tif") for day in ("day1", "day2")]

    done = run_watch(watch(tmp_path, site={"folder": None, "urls": {"urls": listed}}), Clock())

    assert done.done == 2
    assert [source for source, _ in scenes(tmp_path)] == listed


def test_the_command_refuses_the_map_of_another_day(tmp_path, model):
    for day in (1, 2):
        (tmp_path / f"day{day}").mkdir()
        path = write(tmp_path / f"day{day}" / "refl.tif", plant(land(seed=day)))
        os.utime(path, ns=(0, 10**18))
    out = tmp_path / "out"

    first = run("score", tmp_path / "day1" / "refl.tif", "-m", model, "-o", out)
    second = run("score", tmp_path / "day2" / "refl.tif", "-m", model, "-o", out)

    assert first.code == 0
    assert second.code == 3
    assert "another input" in second.err
