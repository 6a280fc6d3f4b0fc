"""The documentation site, built and opened from disk: it searches, and needs no network."""

import os
import re
import subprocess
import sys

import pytest
from support.docs import ROOT, hook

pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install '.[docs]'")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    quiet = {"NO_MKDOCS_2_WARNING": "1", "ANOMVAE_DOCS_NOTEBOOKS": "skip", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    ran = subprocess.run(
        command, cwd=ROOT, env=os.environ | quiet, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def test_a_reader_searches_from_disk_and_no_page_is_wider_than_a_phone(site, browser):
    for name in ("index.html", "comparison.html", "reference/commands/detect.html"):
        phone = browser.open(site / name, width=380)
        assert phone.script("return document.documentElement.scrollWidth") <= 380, name
        assert not phone.errors()

    page = browser.open(site / "index.html")
    page.click("input.md-search__input")
    page.press(*"conformal")

    results = page.wait(lambda: page.all(".md-search-result__item"), "results of the search")
    assert len(results) > 3
    assert not page.errors()


def test_what_a_reader_copies_of_a_console_has_no_prompt(site, browser):
    page = browser.open(site / "index.html")

    copied = page.script("""
        const code = [...document.querySelectorAll("code")].find(
            (code) => code.innerText.includes("$ anomvae report"));
        code.setAttribute("data-md-copying", "");
        return code.innerText;
    """)

    assert re.search(r"^anomvae report", copied, re.MULTILINE)
    assert "$" not in copied


def test_the_pages_of_the_home_page_are_there(site):
    home = (site / "index.html").read_text(encoding="utf-8")

    assert hook("results").section("accuracy", "AUC").origin in home
    for name in ("limits.html", "install.html", "monitoring.html", "reference/api.html"):
        assert f'href="{name}' in home
        assert (site / name).is_file()
