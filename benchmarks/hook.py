"""A webhook for measurements.

``python benchmarks/hook.py FILE`` prints its address and appends each call to the file, as a JSON
line.  It is a separate process, so that the caller may be killed.
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
    """Record a call, then answer it: an unrecorded call has not arrived."""

    def do_POST(self) -> None:
        """Receive an alert."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        line = {"key": self.headers["Idempotency-Key"], "body": json.loads(body)}
        with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


@contextmanager
def hooked(path: Path) -> Iterator[str]:
    """Yield the address of a webhook that runs during the block."""
    command = [sys.executable, __file__, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def keys_in(path: Path) -> list[str]:
    """Return the keys of all calls, in order of arrival."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line)["key"] for line in lines]


if __name__ == "__main__":
    with HTTPServer(("127.0.0.1", 0), Hook) as running:
        print(f"http://127.0.0.1:{running.server_port}/", flush=True)
        running.serve_forever()
