"""Files over HTTP, with ranges: ``python ranges.py FOLDER`` prints the address and serves.

GDAL holds Python's lock while it opens an address, so the server is a process of its own.
"""

import io
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Ranges(SimpleHTTPRequestHandler):
    """Serves files, and parts of them, as stores of objects do."""

    def send_head(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return None
        content, range_ = path.read_bytes(), self.headers.get("Range")
        start, end = 0, len(content)
        if range_ is not None:
            first, _, last = range_.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or end), end - 1) + 1
        self.send_response(200 if range_ is None else 206)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        if range_ is not None:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        if path.suffix == ".json":
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        return io.BytesIO(content[start:end])

    def log_message(self, *arguments):
        """Keep quiet."""


@contextmanager
def served_folder(folder):
    """Serve a folder on localhost; yield its address."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=sys.argv[1])) as running:
        sys.stdout.write(f"http://127.0.0.1:{running.server_port}\n")
        sys.stdout.flush()
        running.serve_forever()
