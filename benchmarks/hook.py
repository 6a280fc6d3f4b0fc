"""A webhook for measurements.

``python benchmarks/hook.py FILE`` prints its address and notes what it is sent, a JSON line for
each call.  It is a process of its own, so that who calls may die.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Hook(BaseHTTPRequestHandler):
    """Notes a call, then answers: what is not noted has not arrived."""

    def do_POST(self) -> None:
        """Take an alert."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        line = {"key": self.headers["Idempotency-Key"], "body": json.loads(body)}
        with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def hooked(path: Path) -> Iterator[str]:
    """Take calls while a block runs; gives the address."""
    command = [sys.executable, __file__, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def keys_in(path: Path) -> list[str]:
    """List the keys of all calls, in order of arrival."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line)["key"] for line in lines]


if __name__ == "__main__":
    with HTTPServer(("127.0.0.1", 0), Hook) as running:
        print(f"http://127.0.0.1:{running.server_port}/", flush=True)
        running.serve_forever()
