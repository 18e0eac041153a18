from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.live.load_parser import AnswerParser, BadAnswer

ANSWERS = {
    "sized": (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", (200, True, True)),
    "empty": (b"HTTP/1.1 404 Not Found\r\nContent-Length:0\r\nConnection: Close\r\n\r\n", (404, False, False)),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", (204, True, False)),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
        (200, True, True),
    ),
    "trailer": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n", (200, True, False)),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\ncontent-length: 1\r\n\r\n!", (503, True, True)),
    "old": (b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n!", (200, False, True)),
}


def parts(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[low:high] for low, high in pairwise(edges)]


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(0, 200)))
def test_an_answer_reads_the_same_in_pieces_of_any_size(name: str, cuts: list[int]) -> None:
    data, (status, keeps_alive, has_body) = ANSWERS[name]
    parser = AnswerParser()
    for number, part in enumerate(pieces := parts(data, cuts)):
        parser.feed(part)
        assert parser.is_done == (number == len(pieces) - 1)
    assert (parser.status, parser.keeps_alive, parser.has_body) == (status, keeps_alive, has_body)


@given(st.sampled_from(sorted(ANSWERS)), st.integers(0, 200))
def test_a_connection_that_ends_early_leaves_no_answer(name: str, cut: int) -> None:
    data, _ = ANSWERS[name]
    parser = AnswerParser()
    parser.feed(data[: cut % len(data)])
    assert not parser.end()


def test_without_a_length_the_end_of_the_connection_is_the_end_of_the_answer() -> None:
    parser = AnswerParser()
    parser.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert not parser.is_done
    assert parser.has_body
    assert parser.end()
    assert not parser.keeps_alive


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n\r\n", "expected an answer in HTTP/1.1"),
        (b"HTTP/1.1 abc\r\n\r\n", "expected an answer in HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\n", "content-length must be a number"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "expected the size of a chunk"),
        (b"HTTP/1.1 204 No\r\n\r\nextra", "more came than was asked for"),
        (b"HTTP/1.1 200 OK\r\n" + b"a" * 70_000, "a header of more than 65536 bytes"),
    ],
)
def test_what_is_no_answer_is_said(data: bytes, message: str) -> None:
    with pytest.raises(BadAnswer, match=message):
        AnswerParser().feed(data)
