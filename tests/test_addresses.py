"""Names of sources: what is local, what identifies an address, what is displayed of it."""

import pytest

from anomvae.addresses import displayed, file_name, is_local
from anomvae.identity import identify

URL = "https://eo.example/coast.tif"
SIGNED = {
    "AWS": "X-Amz-Algorithm=AWS4&X-Amz-Credential=AK%2F1&X-Amz-Signature=s&X-Amz-Expires=60",
    "Azure": "sv=2024-01-01&st=2024&se=2025-01-01T00%3A00Z&sr=b&ss=b&sp=r&sig=s",
    "Google": "X-Goog-Algorithm=GOOG4&X-Goog-Date=20240101&X-Goog-Signature=s",
    "CloudFront": "Expires=1&Signature=s&Key-Pair-Id=K",
    "older S3": "AWSAccessKeyId=K&Expires=1&Signature=s",
    "token": "access_token=s",
}


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
@pytest.mark.parametrize("start", ["https://", "s3://", "/vsicurl/https://"])
def test_a_url_is_the_same_however_it_is_signed(start, query):
    url = f"{start}eo.example/coast.tif"

    assert identify(f"{url}?{query}") == identify(url)
    assert identify(f"{url}?date=1&{query}&band=2").name == f"{url}?date=1&band=2"
    assert displayed(f"{url}?{query}") == url
    assert file_name(f"{url}?{query}") == "coast.tif"


@pytest.mark.parametrize("parameter", ["sr=4326", "st=1", "se=1", "sp=1", "ss=1", "sv=1.3.0"])
def test_a_parameter_with_a_name_of_azures_is_part_of_a_signature_only_beside_sig(parameter):
    layers = f"{URL}?layers=a&layers=b"

    assert identify(f"{layers}&{parameter}").name == f"{layers}&{parameter}"
    assert identify(f"{layers}&{parameter}&sig=s").name == layers


@pytest.mark.parametrize(
    ("name", "local", "without", "file"),
    [
        ("maps/coast.tif", True, "maps/coast.tif", "coast.tif"),
        ("/data/what?.tif", True, "/data/what?.tif", "what?.tif"),
        ("C:\\coast.tif", True, "C:\\coast.tif", None),
        (f"{URL}?service=wms&sr=4326", False, URL, "coast.tif"),
        (f"/vsicurl/{URL}?sig=s", False, f"/vsicurl/{URL}", "coast.tif"),
        (
            "/vsicurl?max_retry=3&url=https%3A%2F%2Feo.example%2Fcoast.tif%3Fsig%3Ds",
            False,
            f"/vsicurl/{URL}",
            "coast.tif",
        ),
        (
            "/vsizip//vsicurl/https://eo.example/a.zip?sig=s/b.tif",
            False,
            "/vsizip//vsicurl/https://eo.example/a.zip/b.tif",
            "b.tif",
        ),
        ("/vsizip/a.zip/b.tif", False, "/vsizip/a.zip/b.tif", "b.tif"),
        ('NETCDF:"a.nc":t2m', False, 'NETCDF:"a.nc":t2m', None),
        ("<VRTDataset>" + "x" * 5000, False, "<VRTDataset>" + "x" * 5000, None),
    ],
)
def test_a_name_is_local_or_an_address_and_only_an_address_has_a_query(name, local, without, file):
    assert is_local(name) == local
    assert displayed(name) == without
    assert identify(name).size is None
    if file is not None:
        assert file_name(name) == file
