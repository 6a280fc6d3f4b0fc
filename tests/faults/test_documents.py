"""Documents that others wrote: limits of depth, length, numbers and encoding."""

import pytest

from anomvae.documents import MAX_DEPTH, DocumentError, read_json, read_toml


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_json_holds_finite_numbers_only(number):
    with pytest.raises(DocumentError, match="not a finite number"):
        read_json(f'{{"a": [1, {number}]}}')


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
def test_toml_holds_finite_numbers_only(number):
    with pytest.raises(DocumentError, match="not a finite number"):
        read_toml(f"a = {number}")


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 2_000, 1_000_000])
def test_deep_nesting_is_refused_at_any_depth(depth):
    with pytest.raises(DocumentError, match="nested deeper"):
        read_json(nested(depth))
    with pytest.raises(DocumentError, match="nested deeper"):
        read_toml(f"a = {nested(min(depth, 20_000))}")


@pytest.mark.parametrize(
    "text",
    [".".join("a" * 20_000) + " = 1", f"a = {{{'.'.join('b' * 20_000)} = 1}}", "#" * 2_000_001],
)
def test_toml_that_takes_minutes_to_read_is_refused(text):
    with pytest.raises(DocumentError, match="at most"):
        read_toml(text)


def test_nesting_within_the_limit_is_read():
    assert str(read_json(nested(MAX_DEPTH))) == nested(MAX_DEPTH)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe{}", b'{"a": "\xe9"}', "1" * 5_000, b"\x00", '{"a": 1,}']
)
def test_what_is_no_document_is_a_document_error(content):
    with pytest.raises(DocumentError):
        read_json(content)
    with pytest.raises(DocumentError):
        read_toml(b"=" + (content if isinstance(content, bytes) else content.encode()))


def test_a_byte_order_mark_is_no_content():
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
