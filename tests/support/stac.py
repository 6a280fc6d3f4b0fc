"""STAC items checked without a network: by pystac and by stac-validator, each with pystac's copies.

Schemas of extensions are checked where ANOMVAE_STAC_SCHEMAS names a folder that has them by their
addresses: ``stac-extensions.github.io/mlm/v1.4.0/schema.json``.
"""

import json
import os
import warnings
from pathlib import Path

import pystac
from pystac.validation import validate_dict

SCHEMAS = Path(pystac.__file__).parent / "validation" / "jsonschemas"
CORE = "https://schemas.stacspec.org/v1.1.0/item-spec/json-schema"
LOCAL = {f"{CORE}/{path.name}": str(path) for path in SCHEMAS.glob("stac-spec/v1.1.0/*.json")} | {
    f"https://geojson.org/schema/{path.name}": str(path) for path in SCHEMAS.glob("geojson/*.json")
}
FOLDER = os.environ.get("ANOMVAE_STAC_SCHEMAS")


def checked(path):
    """Check an item by both programs; return it, as pystac reads it."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    plain = document | {"stac_extensions": []}
    assert validate_dict(plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the program has a new name
        from stac_validator.stac_validator import StacValidate
    program = StacValidate(core=True, schema_map=LOCAL)
    assert program.validate_dict(plain), program.message
    for address in document["stac_extensions"] if FOLDER else ():
        _check_extension(document, address)
    item = pystac.Item.from_file(path)
    assert item.to_dict(include_self_link=False, transform_hrefs=False) == document
    return item


def _check_extension(document, address):
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    def retrieve(uri):
        path = LOCAL.get(uri) or Path(FOLDER) / uri.partition("://")[2].partition("#")[0]
        return Resource.from_contents(json.loads(Path(path).read_text()), DRAFT7)

    schema = retrieve(address).contents
    Draft7Validator(schema, registry=Registry(retrieve=retrieve)).validate(document)
