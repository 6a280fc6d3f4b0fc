"""requirements-score.txt: a machine that only scores needs nothing else."""

import re
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest

import anomvae

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"[\w.-]+")


def requirements(lines):
    """Map the names of packages to their requirements, without comments and extras."""
    kept = (line.split(";")[0].strip() for line in lines if "extra ==" not in line)
    return {NAME.match(line)[0].lower(): line for line in kept if NAME.match(line)}


SCORING = requirements((ROOT / "requirements-score.txt").read_text(encoding="utf-8").splitlines())


def with_theirs(names):
    """Names of packages and of all that they need, as installed here."""
    found, left = set(), set(names)
    while left:
        name = left.pop()
        found.add(name)
        try:
            needs = requirements(metadata.requires(name) or ())
        except metadata.PackageNotFoundError:  # of another system or Python
            found.discard(name)
            continue
        left |= needs.keys() - found
    return found


def test_scoring_needs_packages_of_all_and_in_the_same_versions():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    quoted = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)[1]
    everything = requirements(re.findall(r'"([^"]+)"', quoted))

    assert SCORING.items() <= everything.items()
    assert not {"torch", "scipy", "pandas", "matplotlib", "scikit-learn"} & with_theirs(SCORING)


def test_training_without_torch_is_refused_in_one_line(tmp_path, scene):
    code = "import sys; sys.modules['torch'] = None; from anomvae.cli import main; main()"
    words = "train", scene, "-o", tmp_path / "m.safetensors"

    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)

    assert done.returncode == 3
    assert done.stderr.startswith("Error: train needs torch, which is not installed here.")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def small_python(tmp_path):
    """Make an environment of these packages alone, and return what runs anomvae in it."""
    venv.create(tmp_path / "env", with_pip=False)
    (site,) = (tmp_path / "env").rglob("site-packages")
    for name in with_theirs(SCORING):
        for file in metadata.files(name):
            top = Path(file.parts[0])
            if top.name not in {"..", "__pycache__"} and not (site / top).exists():
                (site / top).symlink_to(Path(metadata.distribution(name).locate_file(top)))
    (site / "anomvae").symlink_to(Path(anomvae.__file__).parent)

    def run(*words):
        command = [tmp_path / "env" / "bin" / "python", "-m", "anomvae", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={})

    return run


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_machine_without_torch_describes_and_decides(tmp_path, small_python, model, scene):
    maps = anomvae.score_scene(anomvae.load(model), scene, tmp_path / "maps").files.folder

    assert "family" in small_python("info", model).stdout
    assert "bands" in small_python("info", scene).stdout
    assert small_python("rethreshold", maps, "--threshold", "sigma:2").returncode == 0


@pytest.mark.slow
def test_a_machine_without_torch_scores_the_same(tmp_path, small_python, model, scene):
    expected = anomvae.score_scene(anomvae.load(model), scene, tmp_path / "maps")

    done = small_python("score", scene, "-m", model, "-o", "own")

    assert done.returncode == 0, done.stderr
    own = tmp_path / "own" / expected.files.objects.name
    assert own.read_bytes() == expected.files.objects.read_bytes()
