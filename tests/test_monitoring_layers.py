"""A watch writes a GeoPackage and a STAC item of each scene where its site asks for them."""

import pytest
from support.rasters import land, plant, run, trained, write

from anomvae.mapping import Deliverables
from anomvae.objects import package_digest

CONFIG = """
[[site]]
name = "coast"
model = "model.safetensors"
out = "maps"
gpkg = true
items = true
[site.folder]
path = "incoming"
pattern = "*.tif"
stable_seconds = 0
"""


def test_a_site_has_layers_for_other_programs(tmp_path):
    pytest.importorskip("pystac", minversion="1.13")
    from support.stac import checked

    (tmp_path / "incoming").mkdir()
    trained().save(tmp_path / "model.safetensors")
    write(tmp_path / "incoming" / "coast_2024-06-01.tif", plant(land()))
    (tmp_path / "watch.toml").write_text(CONFIG)

    ran = run("monitor", "run", tmp_path / "watch.toml")

    assert ran.code == 0, ran.err
    (path,) = (tmp_path / "maps").rglob("*.anomaly.tif")
    files = Deliverables.of_map(path)
    item = checked(files.item)
    assert item.properties["start_datetime"] == "2024-06-01T00:00:00Z"
    assert package_digest(files.package) == item.properties["anomvae:digest"]
    assert {link.rel for link in item.links} >= {"derived_from", "model"}
    assert Deliverables.style_of(files.flags).exists()
