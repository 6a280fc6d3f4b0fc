"""What the documentation states is what the program and the measurements have."""

import json
import re

import click
import pytest
from PIL import Image
from support.docs import DOCS, ROOT, commands_in, generated, hook, page

from anomvae.cli import main

MKDOCS = page("mkdocs.yml")
PAGES = sorted({*DOCS.rglob("*.md"), ROOT / "README.md"} - {*(DOCS / "decisions").glob("*")})
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


def test_the_readme_has_the_table_of_real_scenes_as_it_was_measured():
    assert hook("results").real_scenes() in page("README.md")


@pytest.mark.parametrize("name", ["real-scenes", "means", "peers"])
def test_a_table_of_measurements_has_numbers_in_each_row(name):
    rows = hook("results").TABLES[name]().splitlines()[2:]

    assert len(rows) >= 5
    assert all(re.search(r"\.\d{3}", row) for row in rows)


def test_the_picture_of_real_scenes_shows_what_was_measured():
    drawing = hook("results").RESULTS.parent.parent / "docs" / "images" / "draw_scenes.py"
    names = {"__file__": str(drawing), "__name__": "draw_scenes"}
    exec(compile(drawing.read_text(encoding="utf-8"), drawing, "exec"), names)

    with Image.open(names["PICTURE"]) as picture:
        assert picture.text[names["NUMBERS"]] == names["drawn_numbers"]()


def test_every_command_with_every_option_has_its_page():
    commands = hook("commands")
    pages = commands.pages()

    for name, command in commands.all_commands():
        text = pages[commands.path_of(name)]
        assert (
            f"]({commands.path_of(name).rpartition('/')[2]})"
            in pages[f"{commands.FOLDER}/index.md"]
        )
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[0] in text, (name, parameter.opts)


@pytest.mark.parametrize("kind", ["DETECTOR", "WATCH"])
def test_every_key_of_a_configuration_is_described(kind):
    settings = hook("settings")
    text = settings.pages()[getattr(settings, kind)]
    whole = settings.schema({"DETECTOR": settings.Config, "WATCH": settings.MonitorConfig}[kind])

    keys = {key for table in (whole, *whole["$defs"].values()) for key in table["properties"]}
    tables = {key for key in keys if re.search(rf"^## `\[+(\w+\.)*{key}\]+`$", text, re.MULTILINE)}

    assert not [key for key in keys - tables if f"\n`{key}`\n:   " not in text]


def test_every_public_name_is_on_the_page_of_python():
    api = hook("api")
    (text,) = api.pages().values()

    for name in api.anomvae.__all__:
        assert name == "__version__" or f"`anomvae.{name}`" in text


def test_every_page_is_in_the_navigation():
    written = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    unlisted = {name for name in written if name.startswith("decisions/")}

    assert not sorted(name for name in written - unlisted if f" {name}\n" not in MKDOCS)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_page_is_one_of_the_program(path):
    for arguments in commands_in(path.read_text(encoding="utf-8")):
        command, ctx, rest = main, click.Context(main, info_name="anomvae"), arguments
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            command, rest = command.get_command(ctx, rest[0]), rest[1:]
            assert command is not None, arguments
            ctx = click.Context(command, parent=ctx)
        command.make_parser(ctx).parse_args(list(rest))  # an option that is none, or lacks a value


def test_every_decision_is_listed():
    listed = hook("outside").decisions()

    assert all(f"({path.name})" in listed for path in (DOCS / "decisions").glob("0*.md"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_ends_with_a_picture(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]

    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert "figure" in "".join(code[-1]["source"])


def test_the_documentation_asks_for_no_file_of_a_server():
    for name in ("mkdocs.yml", "docs/stylesheets/site.css"):
        assert not re.search(r"https?://", page(name)), name
    assert not re.search(
        r"""(src|fetch|import)\W{1,3}https?://""", page("docs/javascripts/iframe-worker.js")
    )


def test_links_of_pages_lead_to_files_that_are_there_or_are_made():
    outside, made = hook("outside"), generated()

    missing = [
        (path.name, met.group(2))
        for path in DOCS.rglob("*.md")
        for part in outside.FENCE.split(path.read_text(encoding="utf-8"))[::2]
        for met in outside.LINK.finditer(part)
        if not (target := (path.parent / met.group(2)).resolve()).exists() and target not in made
    ]

    assert not missing
