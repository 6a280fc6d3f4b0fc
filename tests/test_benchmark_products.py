"""benchmarks/products.py: its product."""

from anomvae.raster import Scene
from benchmarks.products import BLOCKS, large_product, row, small_product
from benchmarks.stopwatch import Usage


def test_the_product_has_ten_bands_of_the_side_that_is_asked_for(tmp_path):
    safe = large_product(small_product(tmp_path), tmp_path, 300)

    with Scene.of(safe, resolution=10).open() as opened:
        assert opened.grid.shape == (300, 300)
        assert len(opened.bands) == 10
        assert opened.newest.dataset.masks
    assert set(BLOCKS) == {10, 20}


def test_a_peak_above_the_most_is_marked():
    usage = Usage(seconds=10.0, cpu=9.0, peak=1300.0)

    assert row(1000, 0, usage) == "| 1 | 0 | 10 s | 0.10 | 9 s | 1300 MB (too much) |"
