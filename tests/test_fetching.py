"""Documents of servers: within limits of length, time and redirects."""

import threading

import pytest
from support.watching import receiver

from anomvae.documents import DocumentError
from anomvae.fetching import fetched_document


def fetch(url, most=100, timeout=5.0):
    return fetched_document(url, timeout=timeout, most=most)


def test_a_document_that_is_moved_is_read_where_it_is(tmp_path):
    with receiver() as first, receiver() as second:
        first.status, first.headers = 302, {"Location": second.url}

        assert fetch(first.url) == b""
        assert len(second.requests) == 1


@pytest.mark.parametrize(
    ("status", "target", "answer"),
    [
        (404, None, "the server answers 404"),
        (302, None, "the server answers 302"),
        (302, "file:///etc/passwd", "another scheme"),
        (301, "/again", "more than 5 redirects"),
    ],
)
def test_an_answer_that_is_no_document_is_an_error(status, target, answer):
    with receiver() as server:
        server.status, server.headers = status, {"Location": target} if target else {}

        with pytest.raises(OSError, match=answer):
            fetch(server.url)
        assert len(server.requests) == (6 if target == "/again" else 1)


def test_a_slow_or_long_answer_ends(tmp_path):
    (tmp_path / "a.json").write_text("[" + " " * 200 + "]")
    with receiver() as server:
        server.delay = threading.Event()
        with pytest.raises(TimeoutError, match=r"within 0\.1 s"):
            fetch(server.url, timeout=0.1)
        server.delay.set()
    from support.servers import served

    with served(tmp_path) as url, pytest.raises(DocumentError, match="more than 100 bytes"):
        fetch(f"{url}/a.json")
