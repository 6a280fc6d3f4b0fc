"""What runs a watch: recipes for cron, systemd, Kubernetes and Airflow, and a new watch."""

import ast
import re
import shlex
import shutil
import subprocess
import warnings

import pytest
from click.testing import CliRunner

from anomvae.cli import main
from anomvae.config import shipped
from anomvae.monitoring.config import read_monitoring

RECIPES = shipped("configs") / "recipes"
SAMPLES = shipped("data_samples")
COMMAND = "/opt/anomvae/bin/anomvae monitor run /srv/watch/watch.toml"


def anomvae(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A folder with blanks in its name, and three scenes."""
    folder = tmp_path_factory.mktemp("new watch") / "incoming scenes"
    folder.mkdir()
    for number in range(3):
        shutil.copy(SAMPLES / "normal.tif", folder / f"coast_2025-06-{number + 1:02}.tif")
    return folder


@pytest.fixture(scope="module")
def begun(archive):
    """A new watch with dates, which trains nothing."""
    folder = archive.parent / "my watch"
    answer = anomvae("monitor", "init", archive, "-o", folder, "--dates", 3)
    assert answer.exit_code == 0, answer.output
    return folder


@pytest.mark.parametrize("name", ["anomvae.cron", "anomvae.service", "airflow_dag.py"])
def test_a_recipe_runs_the_same_command(name):
    assert COMMAND in (RECIPES / name).read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_service_and_timer_of_a_new_watch(begun):
    units = [begun / "anomvae.service", begun / "anomvae.timer"]

    verified = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )

    assert (verified.returncode, verified.stderr) == (0, "")


def test_cron_runs_the_command_of_a_new_watch(begun):
    (line,) = [row for row in (begun / "anomvae.cron").read_text().splitlines() if row[0] != "#"]
    *times, command = line.split(maxsplit=5)
    call = command.rpartition("; ")[2]

    assert all(re.fullmatch(r"[\d*/,-]+", each) for each in times)
    assert "%" not in command  # cron would take it for the end of the line
    assert shlex.split(call)[-3:] == ["monitor", "run", str(begun / "watch.toml")]


def test_kubernetes_accepts_the_cron_job():
    validate = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    (job,) = yaml.safe_load_all((RECIPES / "cronjob.yaml").read_text())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        version = validate.validate(job, "1.30", strict=True)

    assert version == "1.30"
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert " ".join(container["command"]) == COMMAND.removeprefix("/opt/anomvae/bin/")


def test_the_dag_of_airflow_skips_a_pass_while_another_is_at_work():
    tree = ast.parse((RECIPES / "airflow_dag.py").read_text())
    (operator,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BashOperator"
    ]
    given = {each.arg: each.value for each in operator.keywords}

    assert ast.literal_eval(given["bash_command"]) == COMMAND
    assert ast.literal_eval(given["skip_on_exit_code"]) == 6


def test_a_new_watch_is_valid_and_replaces_nothing(archive, begun):
    watch = read_monitoring(begun / "watch.toml")
    again = anomvae("monitor", "init", archive, "-o", begun, "--dates", 3)

    (site,) = watch.site
    assert (site.name, site.dates, site.model) == ("incoming-scenes", 3, None)
    assert (site.folder.path, site.folder.pattern) == (str(archive), "*.tif")
    assert (again.exit_code, "exists, and a watch may use it" in again.output) == (3, True)


def test_a_new_watch_trains_its_first_model_and_runs(archive, tmp_path):
    answer = anomvae("monitor", "init", archive, "-o", tmp_path / "w", "--name", "coast")
    passed = anomvae("monitor", "run", tmp_path / "w" / "watch.toml")

    assert answer.exit_code == 0, answer.output
    assert answer.output.splitlines()[-1].startswith("3 scenes; begin with: anomvae monitor run")
    assert passed.exit_code == 0, passed.output


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["nowhere"], 3, "nowhere is no folder. Name the folder in which scenes arrive."),
        ([".", "--pattern", "*.SAFE"], 2, "holds no scene"),
        ([".", "--dates", "3"], 2, "holds no scene"),
        ([".", "--name", "a/b"], 2, "name = 'a/b': expected letters"),
    ],
)
def test_a_folder_without_scenes_is_refused_in_one_line(
    tmp_path, monkeypatch, arguments, code, line
):
    monkeypatch.chdir(tmp_path)

    answer = anomvae("monitor", "init", *arguments)

    assert (answer.exit_code, line in answer.output) == (code, True), answer.output
    assert not list(tmp_path.iterdir())
