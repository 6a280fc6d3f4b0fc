"""Print the lowest versions that pyproject.toml declares, as constraints of pip.

Names given as arguments keep the version of constraints.txt.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AT_LEAST = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\d.]+)")


def lowest(text: str, keep: set[str]) -> Iterator[str]:
    """Yield ``name==version`` for each requirement of a pyproject.toml."""
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"].values()
    for requirement in [*project["dependencies"], *(one for extra in extras for one in extra)]:
        found = AT_LEAST.fullmatch(requirement)
        if found is None:
            raise SystemExit(f"{requirement!r} declares no lowest version: write name>=version.")
        if found["name"] not in keep:
            yield f"{found['name']}=={found['version']}"


def pinned(text: str, keep: set[str]) -> list[str]:
    """Return the lines of a constraints.txt for some names."""
    return [line for line in text.splitlines() if line.partition("==")[0] in keep]


if __name__ == "__main__":
    names = set(sys.argv[1:])
    lines = [*lowest((ROOT / "pyproject.toml").read_text(encoding="utf-8"), names)]
    lines += pinned((ROOT / "constraints.txt").read_text(encoding="utf-8"), names)
    sys.stdout.write("\n".join(lines) + "\n")
