"""Files that name other files and addresses, and a server that counts who comes."""

from http.server import BaseHTTPRequestHandler

from .watching import served

RAW = 'subClass="VRTRawRasterBand"'
SECRET = b"a secret of eight bytes and more"


def counting(visits, location=None):
    """Serve on this machine: answer 404, or redirect to ``location``; note every path asked for."""

    class Counting(BaseHTTPRequestHandler):
        def do_GET(self):
            visits.append(self.path)
            self.send_response(404 if location is None else 302)
            if location is not None:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_POST = do_GET

        def log_message(self, *arguments):
            """Keep quiet."""

    return served(Counting)


def wcs(url):
    """Return a coverage of a web service, which GDAL asks at once."""
    return f"<WCS_GDAL><ServiceURL>{url}/wcs?</ServiceURL><CoverageName>c</CoverageName></WCS_GDAL>"


def wms(url, cache):
    """Return the tiles of a web service, which GDAL stores where the document tells."""
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl>'
        f"</Service><DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>0</UpperLeftY><LowerRightX>4"
        f"</LowerRightX><LowerRightY>3</LowerRightY><SizeX>4</SizeX><SizeY>3</SizeY><TileLevel>0"
        f"</TileLevel></DataWindow><BandsCount>1</BandsCount><Cache><Path>{cache}</Path></Cache>"
        f"</GDAL_WMS>"
    )


def sourced(file, relative=1, extra=""):
    """Return a source of a band of a VRT."""
    return (
        f'<SimpleSource><SourceFilename relativeToVRT="{relative}">{file}</SourceFilename>'
        f"{extra}<SourceBand>1</SourceBand></SimpleSource>"
    )


def raw(file, relative=0):
    """Return the inside of a band whose pixels are the bytes of a file."""
    return (
        f'<SourceFilename relativeToVRT="{relative}">{file}</SourceFilename>'
        f"<PixelOffset>1</PixelOffset><LineOffset>4</LineOffset>"
    )


def document(inner, band="", dataset=""):
    """Return a VRT of one band of 3 x 4 pixels."""
    return (
        f'<VRTDataset rasterXSize="4" rasterYSize="3" {dataset}>'
        f'<VRTRasterBand dataType="Byte" band="1" {band}>{inner}</VRTRasterBand></VRTDataset>'
    )


def warped(file, relative=1):
    """Return a VRT that warps a file, which GDAL opens at once."""
    return (
        '<VRTDataset rasterXSize="4" rasterYSize="3" subClass="VRTWarpedDataset">'
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTWarpedRasterBand"/>'
        "<BlockXSize>4</BlockXSize><BlockYSize>3</BlockYSize><GDALWarpOptions>"
        f'<SourceDataset relativeToVRT="{relative}">{file}</SourceDataset>'
        "</GDALWarpOptions></VRTDataset>"
    )
