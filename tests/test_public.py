"""The public names."""

import pytest

import anomvae


@pytest.mark.parametrize("name", anomvae.__all__)
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(anomvae, name)

    assert isinstance(value, str) or value.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'vae'"):
        _ = anomvae.vae
