"""A file of polygons is read in the format of its suffix, and leads to no address."""

import numpy as np
import pytest
from support.hostile import counting

from anomvae.errors import RasterError
from anomvae.raster.vector import read_outlines

pytest.importorskip("pyogrio")
from pyogrio import raw

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], float)
WFS = 'xmlns:wfs="http://www.opengis.net/wfs"'
DRIVERS = {
    "gpkg": "GPKG",
    "shp": "ESRI Shapefile",
    "fgb": "FlatGeobuf",
    "kml": "KML",
    "gml": "GML",
    "geojsonl": "GeoJSONSeq",
}


def make(path, driver):
    """Write a square."""
    head = b"\x01\x03\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00"
    geometry = np.array([head + SQUARE.tobytes()], object)
    kind = {"geometry_type": "Polygon", "crs": "EPSG:4326"}
    raw.write(path, geometry, field_data=[], fields=[], driver=driver, **kind)
    return path


@pytest.mark.parametrize("suffix", DRIVERS)
def test_each_format_is_read(tmp_path, suffix):
    outlines = read_outlines(make(tmp_path / f"a.{suffix}", DRIVERS[suffix]))

    ((ring,),) = outlines.polygons
    assert sorted(map(tuple, ring)) == sorted(map(tuple, SQUARE))


@pytest.mark.parametrize("suffix", [*DRIVERS, "parquet"])
@pytest.mark.parametrize("before", ["", "<!-- <kml> <FeatureCollection> -->", "fgb", "PAR1"])
def test_a_document_that_names_its_data_elsewhere_is_refused_and_nothing_is_asked(
    tmp_path, suffix, before
):
    visits = []
    with counting(visits) as url:
        (tmp_path / f"a.{suffix}").write_text(
            f'{before}<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>WFS:{url}/wfs'
            f"</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
        )

        with pytest.raises(RasterError, match="which its suffix means"):
            read_outlines(tmp_path / f"a.{suffix}")

    assert visits == []


def test_a_schema_is_not_fetched(tmp_path):
    visits, path = [], make(tmp_path / "a.gml", "GML")
    path.with_suffix(".xsd").unlink()
    with counting(visits) as url:
        schema = f"{url}/wfs?SERVICE=WFS&amp;REQUEST=DescribeFeatureType&amp;TYPENAME=a"
        text = path.read_text().replace("http://ogr.maptools.org/ a.xsd", f"http://o {schema}")
        text = text.replace("<ogr:FeatureCollection", f"<wfs:FeatureCollection {WFS}")
        path.write_text(text.replace("</ogr:FeatureCollection", "</wfs:FeatureCollection"))

        assert schema in path.read_text()
        assert len(read_outlines(path).polygons) == 1

    assert visits == []
