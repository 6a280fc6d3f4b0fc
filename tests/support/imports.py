"""Which packages a fresh process loads."""

import json
import os
import subprocess
import sys


def loaded(code, *arguments, folder=None):
    """Names of the top-level packages that a fresh process has loaded after some code."""
    last = "import json, sys; print(json.dumps([name.split('.')[0] for name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{last}", *arguments],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def after(*arguments, folder=None):
    """Names of the packages loaded once a command is done; it must succeed."""
    code = (
        "import sys\nfrom anomvae.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as done: assert not done.code, done.code"
    )
    return loaded(code, *map(str, arguments), folder=folder)
