"""The configuration of a watch: its keys, defaults and errors."""

import re

import pytest

from anomvae.config import shipped
from anomvae.config.schema import descriptions
from anomvae.config.table import types_of
from anomvae.errors import ConfigError
from anomvae.monitoring.config import RetryConfig, SiteConfig, read_monitoring
from anomvae.monitoring.digests import model_digest, settings_digest

SITE = """
[[site]]
name = "harbour"
model = "m.safetensors"
out = "maps"
[site.folder]
path = "in"
"""


def read(folder, text):
    path = folder / "watch.toml"
    path.write_text(text)
    return read_monitoring(path)


def test_paths_start_at_the_folder_of_the_file(tmp_path, monkeypatch):
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)

    config = read(folder, SITE.replace("maps", "/srv/maps"))

    site = config.site[0]
    assert (site.model, site.folder.path) == (str(folder / "m.safetensors"), str(folder / "in"))
    assert (site.out, config.state) == ("/srv/maps", str(folder / "state"))
    assert (site.folder.pattern, config.alerts.stdout) == ("*.tif", True)  # the defaults


def test_addresses_are_not_paths(tmp_path):
    text = SITE.replace('[site.folder]\npath = "in"', '[site.stac]\nurl = "https://eo.example/"')

    config = read(tmp_path, f'{text}\nassets = ["data"]')

    assert config.site[0].stac.url == "https://eo.example/"


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ((SITE, 'state = "state"'), "the top level lacks the key 'site'"),
        (("model =", "modle ="), "[site.1] has no key 'modle'. Did you mean 'model'?"),
        (('model = "m.safetensors"\n', ""), "'harbour' has no detector: give `model`, the file"),
        (('"maps"', '"maps"\nconfig = "timeseries"'), "'harbour' has `model` and `config`"),
        (('"in"', '"in"\n[site.alert]\nconfirm = "3 of 2"'), "expected 'K of N'"),
        (('"in"', '"in"\n[site.alert]\non = "closd"'), "alert.on"),
        (("path =", "pth ="), "[site.1.folder] has no key 'pth'. Did you mean 'path'?"),
        (('"in"', '"in"\nstable_seconds = -1'), "site.1.folder.stable_seconds = -1: expected"),
        (('"in"', '"in"\npattern = "../*.tif"'), "pattern = '../*.tif': expected names in the"),
        (('"in"', '"in"\nmask_pattern = "scl:SCL.tif"'), "expected the stem of the scene in"),
        (('"in"', '"in"\nmask_pattern = "{stem}_{day}.tif"'), "nothing else in braces"),
        (('"in"', '"in"\nmask_pattern = "slc:{stem}.tif"'), "Did you mean 'scl'? Write it as in"),
        (('"in"', '"in"\nmask_pattern = "none"'), "'none' names no mask: leave it out"),
        (
            (
                '"maps"\n[site.folder]',
                '"maps"\nmask = "m.tif"\n[site.folder]\nmask_pattern = "{stem}"',
            ),
            "'harbour' has masks of each scene ('{stem}'), which mask =",
        ),
        (("[[site]]", "[[sit]]"), "the top level has no key 'sit'. Did you mean 'site'?"),
        ((SITE, SITE.replace("site", "place")), "does not fit: the top level: place is now called"),
        (("[[site]]", "[[sit]]"), "site = {'folder': {'path': 'in'}}: expected a list of tables"),
        (("harbour", "a/b"), "name = 'a/b': expected letters"),
        (('"maps"', '""'), "a path is empty"),
        (('"in"', '"in"\n[site.urls]\nurls = ["a"]'), "'harbour' has 2 sources: give one of"),
        (('[site.folder]\npath = "in"', ""), "'harbour' has 0 sources: give one of [site.folder]"),
        (('"maps"', '"maps"\nthreshold = "sgma:3"'), "Did you mean 'sigma'"),
        (('"maps"', '"maps"\nthreshold = "fpr:0.1"'), "needs labels"),
        (('"in"', '"in"\n[retry]\ntrys = 3'), "[retry] has no key 'trys'. Did you mean 'tries'?"),
        (('"in"', f'"in"\n{SITE}'), "several sites are called harbour"),
        (
            ('"in"', '"in"\n[[alerts.webhook]]\nurl = "http://eo.example/?key=secret"'),
            "'http://eo.example/' is not a safe address: give https://",
        ),
        (('"in"', '"in"\n[[alerts.webhook]]\nname = "x"'), "give either `url` or `url_env`"),
        (
            ('"in"', '"in"\n[[alerts.webhook]]\nname = "feed"\nurl = "https://eo.example"'),
            "several receivers of alerts are called feed",
        ),
        (
            ('"in"', '"in"\n[[alerts.mail]]\nhost="h"\nsender="a@b"\nto=["c@d"]\nuser="u"'),
            "give both `user` and `password_env`",
        ),
        (('"in"', '"in"\n[[alerts.mail]]\nhost="h"\nsender="a@b"\nto=[]'), "at least one entry"),
        (('"in"', '"in"\n[health]\nlgo = "x"'), "[health] has no key 'lgo'. Did you mean 'log'?"),
        (('"in"', '"in"\n[health]\nheartbeat = "file:///x"'), "is not a safe address"),
        (
            ('"in"', '"in"\n[health]\nheartbeat = "https://x"\nheartbeat_env = "X"'),
            "both `heartbeat` and `heartbeat_env`",
        ),
        (
            ('[site.folder]\npath = "in"', '[site.stac]\nurl = "x"\nassets = ["a"]\nbbox = [1]'),
            "site.1.stac.bbox = [1]: expected four numbers",
        ),
    ],
)
def test_an_error_is_one_line_that_names_key_and_remedy(tmp_path, change, answer):
    with pytest.raises(ConfigError, match=re.escape(answer)) as error:
        read(tmp_path, SITE.replace(*change, 1))

    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080"])
def test_this_machine_may_be_called_without_encryption(tmp_path, host):
    config = read(tmp_path, f'{SITE}\n[[alerts.webhook]]\nurl = "http://{host}/hook"')

    assert config.alerts.webhook[0].url == f"http://{host}/hook"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost.evil.example/",
        "http://localhost:80@evil.example/",
        "http://evil.example/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "https:///nowhere",
    ],
)
def test_an_address_that_is_not_safe_is_refused(tmp_path, url):
    with pytest.raises(ConfigError, match="safe address"):
        read(tmp_path, f'{SITE}\n[[alerts.webhook]]\nurl = "{url}"')


@pytest.mark.parametrize(("host", "fits"), [("localhost", True), ("smtp.example.org", False)])
def test_a_password_leaves_this_machine_only_encrypted(tmp_path, host, fits):
    mail = f'host = "{host}"\nsecurity = "none"\nsender = "a@b"\nto = ["c@d"]'
    text = f'{SITE}\n[[alerts.mail]]\n{mail}\nuser = "u"\npassword_env = "P"'

    if fits:
        assert read(tmp_path, text).alerts.mail
    else:
        with pytest.raises(ConfigError, match="password in the clear"):
            read(tmp_path, text)


def test_waits_double_up_to_a_limit():
    retry = RetryConfig(wait_seconds=10, max_wait_seconds=60)

    assert [retry.wait(tries) for tries in (1, 2, 3, 4, 9999)] == [10, 20, 40, 60, 60]


def test_every_key_is_documented_and_in_the_shipped_example():
    path = shipped("configs") / "monitor.toml"
    text = path.read_text(encoding="utf-8")

    config = read_monitoring(path)

    site, alerts = config.site, config.alerts
    tables = [config, site[0], site[0].folder, site[1].stac, site[2].urls, site[0].alert]
    tables += [site[0].area, site[0].drift]
    tables += [config.retry, alerts, alerts.feed, alerts.webhook[0], alerts.mail[0], config.health]
    tables += [alerts.apprise[0], config.pages]
    for table in tables:
        described = descriptions(type(table))
        for key in types_of(type(table)):
            assert described[key], key
            assert key == "url_env" or re.search(rf"\b{key}\b", text), key


SCORED_OTHERWISE = {
    "mask": "none",
    "mask_dilate": 2,
    "nodata": [0],
    "resolution": 20,
    "radiometry": "as-stored",
    "threshold": "sigma:4",
    "dates": 9,
    "alert": {"min_area_px": 16},
    "compress": "lerc:0.01",
    "folder": {"path": "in", "mask_pattern": "scl:{stem}_SCL.tif"},
}
"""Keys of a site that change scores or their files."""
SCORED_ALIKE = {
    *("name", "out", "urls", "stac", "allow_drivers", "no_limits", "device", "engine", "only"),
    *("max_masked", "max_displacement", "grid", "area", "drift", "gpkg", "items"),
}


def test_every_key_of_a_site_that_changes_results_is_in_its_digests(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"a model")
    (site,) = read(tmp_path, SITE).site
    fitted = {"model": None, "config": "timeseries", "dates": 9}

    changed = {
        key: settings_digest(SiteConfig.read({**site.to_dict(), key: value}))
        for key, value in SCORED_OTHERWISE.items()
    }

    assert {*SCORED_OTHERWISE, *SCORED_ALIKE, "model", "config"} == set(types_of(SiteConfig))
    assert len({settings_digest(site), *changed.values()}) == 1 + len(changed)
    other, refused = (
        SiteConfig.read({**site.to_dict(), **fitted, "grid": grid}) for grid in ("warp", "refuse")
    )
    assert model_digest(other) != model_digest(site)
    assert settings_digest(other) != settings_digest(refused)  # it decides what is compared
