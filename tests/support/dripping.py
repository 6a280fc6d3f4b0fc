"""A server on localhost that answers a byte at a time, so that no time-out of a socket ends it."""

import socket
import threading
from contextlib import contextmanager, suppress

PATIENCE = 5.0  # s after which the server gives up


@contextmanager
def dripping(start=b"", pause=0.02):
    """Send ``start``, then a byte every ``pause`` seconds while the block runs; yield the port."""
    over = threading.Event()

    def drip(connection):
        with connection, suppress(OSError):
            connection.sendall(start)
            for _ in range(round(PATIENCE / pause)):
                if over.wait(pause):
                    return
                connection.sendall(b"x")

    def serve():
        while not over.is_set():
            with suppress(OSError):
                threading.Thread(target=drip, args=[listener.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            server.join()
