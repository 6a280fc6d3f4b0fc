"""What identifies a file."""

import os

from anomvae.identity import identify


def test_a_local_file_is_identified_by_name_size_and_time(tmp_path, monkeypatch):
    path = tmp_path / "what?.tif"
    path.write_bytes(b"12345")
    monkeypatch.chdir(tmp_path)

    identity = identify("what?.tif")

    assert identity == identify(path)
    assert (identity.name, identity.size, identity.path) == ("what?.tif", 5, path)
    os.utime(path, ns=(0, 1))
    assert identify(path) != identity
