"""A file server on this machine that answers range requests, and fails on demand.

It is another process: GDAL may hold Python's lock while it waits for an answer.  ::

    python servers.py FOLDER [TROUBLE ...]

A trouble is ``404``, ``500``, ..., or in the middle of the answer ``drop`` or ``stall`` (silence),
and the numbers of the GETs that meet it: ``500:2,4`` or ``drop:3-``.  A file ``a.tif.location``
holds the address that ``a.tif`` redirects to.
"""

import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import unquote


@contextmanager
def served(folder, *troubles):
    """Serve a folder while the block runs; yield its address."""
    command = [sys.executable, __file__, str(folder), *troubles]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def met(troubles, number):
    """Name the trouble that the GET of a number meets."""
    for trouble in troubles:
        kind, _, numbers = trouble.partition(":")
        for part in numbers.split(","):
            first, dash, last = part.partition("-")
            end = last or sys.maxsize if dash else first
            if int(first) <= number <= int(end):
                return kind
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder, troubles, numbers = Path(), (), count(1)

    def log_message(self, *arguments):
        """Keep quiet."""

    def do_HEAD(self):
        self.answer("HEAD", None)

    def do_GET(self):
        self.answer("GET", met(self.troubles, next(self.numbers)))

    def answer(self, method, trouble):
        file = self.folder / unquote(self.path.partition("?")[0].lstrip("/"))
        location = file.with_name(f"{file.name}.location")
        if location.is_file():
            self.send_response(302)
            self.send_header("Location", location.read_text())
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status = int(trouble) if trouble and trouble.isdigit() else None
        if status or not file.is_file():
            self.send_response(status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = file.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        part = data[first : int(wanted[2]) + 1 if wanted and wanted[2] else None]
        self.send_response(206 if wanted else 200)
        if wanted:
            last = first + len(part) - 1
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if method == "GET":
            self.wfile.write(part[: len(part) // 2] if trouble else part)
            self.close_connection = trouble == "drop"
            if trouble == "stall":
                threading.Event().wait()


if __name__ == "__main__":
    Handler.folder, Handler.troubles = Path(sys.argv[1]), sys.argv[2:]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
