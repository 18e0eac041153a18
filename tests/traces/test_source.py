"""Opening a file: whatever is wrong with it is one line that names it and the place."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hindscale.core.errors import TraceError
from hindscale.traces import RequestTrace, read_trace, source
from hindscale.traces.source import TraceSource

PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
MANY_ROWS = "arrival_s\n" + "".join(f"{i}\n" for i in range(100_000))


def requests_in(path: Path) -> RequestTrace:
    trace = read_trace(path)
    assert isinstance(trace, RequestTrace)
    return trace


# -- compression


@pytest.mark.parametrize("ending", PACKERS)
def test_compression_is_recognised_by_content(file_with: Callable[..., Path], ending: str) -> None:
    path = file_with(PACKERS[ending](b"arrival_s\n0\n1.5\n"), "packed.log")
    assert requests_in(path).arrival_s.tolist() == [0, 1.5]


@pytest.mark.parametrize("ending", PACKERS)
def test_a_truncated_archive_is_refused(refusal: Callable[..., str], ending: str) -> None:
    packed = PACKERS[ending](MANY_ROWS.encode())
    message = refusal(packed[: len(packed) // 2], f"trace.csv.{ending}")
    assert message == "cannot be read: Compressed file ended before the end-of-stream marker was reached"


@pytest.mark.parametrize("ending", PACKERS)
def test_a_damaged_archive_is_refused(refusal: Callable[..., str], ending: str) -> None:
    packed = bytearray(PACKERS[ending](MANY_ROWS.encode()))
    packed[500:600] = bytes(100)
    assert refusal(bytes(packed), f"trace.csv.{ending}").startswith("cannot be read: ")


# -- no trace at all


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a trace, the file is empty"),
        (b" \n\n\t\n", "expected a trace, found nothing but white space"),
        (gzip.compress(b""), "expected a trace, found nothing but white space"),
        (bytes(range(256)), "expected a table or a log in text, found binary data (a zero byte)"),
        (b"PK\x03\x04rest", "expected a table or a log in text, found a ZIP archive or a spreadsheet; unpack it"),
        (b"\x28\xb5\x2f\xfdrest", "expected a table or a log in text, found a file compressed with Zstandard"),
        (
            "arrival_s\n0\n".encode("utf-16"),
            "expected a table or a log in text, found text in UTF-16; save it in UTF-8",
        ),
        (gzip.compress(b"PAR1...PAR1"), "expected a table or a log in text, found Parquet that was compressed once"),
        (bytes(range(128, 256)), "expected a known trace format, found bytes that are not UTF-8; "),
        (b"<!DOCTYPE html>\n<html>", "expected a known trace format, found '<!DOCTYPE html>'; "),
        (b"a" * 200_000, f"expected a known trace format, found '{'a' * 80}'; "),
    ],
)
def test_what_is_no_trace_is_called_what_it_is(refusal: Callable[..., str], content: bytes, message: str) -> None:
    assert refusal(content).startswith(message)


def test_random_bytes_are_refused_in_one_line(refusal: Callable[..., str]) -> None:
    dice = random.Random(1)
    for size in (1, 10, 1000, 100_000):
        # A header that is right, and rubbish below it; or rubbish from the start.
        refusal(dice.randbytes(size))
        refusal(b"arrival_s,input_tokens\n" + dice.randbytes(size))
        refusal(b"PAR1" + dice.randbytes(size))
        refusal(b"\x1f\x8b" + dice.randbytes(size))


def test_a_terabyte_of_zeros_is_refused_by_its_beginning(tmp_path: Path) -> None:
    """To read it all would take hours."""
    sparse = tmp_path / "zeros.csv"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TraceError, match="found binary data"):
        read_trace(sparse)


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        (MANY_ROWS, "line 100002: "),
        ("52 " * 50_000, "count 50,001 must be a number"),
        ('h - - [10/Oct/2000:13:55:36 -0700] "GET /"\n' * 2000, "line 2001: "),
        ('{"timestamp": 0, "input_length": 1, "output_length": 2}\n' * 2000, "line 2001: "),
    ],
    ids=["csv", "counts", "log", "json-lines"],
)
def test_zeros_behind_a_good_beginning_are_not_all_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beginning: str, message: str
) -> None:
    """As a machine leaves behind that lost its power while writing."""
    monkeypatch.setattr(source, "LINE_BYTES", 1 << 20)
    sparse = tmp_path / "trace"
    with sparse.open("wb") as file:
        file.write(beginning.encode())
        file.truncate(1 << 40)
    with pytest.raises(TraceError, match=message):
        read_trace(sparse)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    expected = {
        tmp_path: "expected a file, is a directory; name one file in it",
        tmp_path / "missing.csv": "no such file",
        tmp_path / "gone": "no such file",
        tmp_path / "pipe": "expected a regular file, is a pipe or a device; save it to a file first",
        Path("/dev/zero"): "expected a regular file, is a pipe or a device; save it to a file first",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
    }
    for path, message in expected.items():
        with pytest.raises(TraceError) as caught:
            read_trace(path)
        assert str(caught.value) == f"{path}: {message}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_refused(file_with: Callable[..., Path]) -> None:
    path = file_with("arrival_s\n0\n")
    path.chmod(0)
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    assert str(caught.value) == f"{path}: cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("week.csv.gz", "week"),
        ("2026.parquet", "2026"),
        ("week.head2000.csv", "week.head2000"),
        (".hidden", ".hidden"),
        ("plain", "plain"),
    ],
)
def test_a_trace_is_called_after_its_file(file_with: Callable[..., Path], file: str, name: str) -> None:
    assert read_trace(file_with("arrival_s\n0\n", file)).name == name
    assert read_trace(file_with("arrival_s\n0\n", file), name="mine").name == "mine"


# -- tables


@pytest.mark.parametrize(
    "table",
    [
        "arrival_s,input_tokens\n0,1\n1.5,2000\n",
        "arrival_s,input_tokens\n0,1\n1.5,2000",
        "arrival_s,input_tokens\r\n0,1\r\n1.5,2000\r\n",
        "\ufeffarrival_s,input_tokens\n0,1\n1.5,2000\n",
        '"arrival_s","input_tokens"\n"0","1"\n"1.5","2000"\n',
        "arrival_s, input_tokens\n0, 1\n1.5, 2000\n",
        '"arrival_s", "input_tokens"\n0 , 1\n 1.5 , 2000\n',
        "arrival_s,input_tokens\n0,1\n\n1.5,2000\n\n\n",
        "arrival_s,input_tokens\n0.0,1e0\n15E-1,2e3\n",
        "input_tokens,arrival_s\n1,0\n2000,1.5\n",
        "arrival_s,input_tokens,\n0,1,\n1.5,2000,\n",
        'prompt,arrival_s,input_tokens\n"a, ""b""\n\nc",0,1\nx,1.5,2000\n',
        "arrival_s,model,input_tokens\n0,caf\xe9,1\n1.5,b,2000\n".encode("latin-1"),
    ],
    ids=[
        "plain",
        "no line end",
        "CRLF",
        "byte order mark",
        "quotes",
        "spaces",
        "quotes and spaces",
        "blank lines",
        "exponents",
        "another order",
        "trailing commas",
        "line ends in cells",
        "another encoding",
    ],
)
def test_tables_as_people_write_them(file_with: Callable[..., Path], table: str | bytes) -> None:
    trace = requests_in(file_with(table))
    assert trace.arrival_s.tolist() == [0, 1.5]
    assert trace.input_tokens is not None
    assert trace.input_tokens.tolist() == [1, 2000]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("arrival_s", "expected rows below the header, found none"),
        ("arrival_s\n\n", "expected rows below the header, found none"),
        ("arrival_s,input_tokens\n0,1\n1\n2,3\n", "line 3: expected 2 cells, found 1"),
        ("arrival_s,input_tokens\n0,1\n1,2,3\n2,3\n", "line 3: expected 2 cells, found 3"),
        ("arrival_s,input_tokens\n0,1\n1,abc\n2,3\n", "line 3: input_tokens must be a number, was 'abc'"),
        ("\ufeffarrival_s\n0\n\nx\n", "line 4: arrival_s must be a number, was 'x'"),
        ("arrival_s\r\n0\r\n1_0\r\n", "line 3: arrival_s must be a number, was '1_0'"),
        ('arrival_s\n0\n"1,000"\n', "line 3: arrival_s must be a number, was '1,000'"),
        ('prompt,arrival_s\n"a\nb",0\nc,x\n', "line 4: arrival_s must be a number, was 'x'"),
        # NA is an empty cell, not the first bad one.
        ("arrival_s,input_tokens\n0,NA\n1,abc\n", "line 3: input_tokens must be a number, was 'abc'"),
        ("arrival_s\n0\n" + "9" * 5000 + "x\n", f"line 3: arrival_s must be a number, was '{'9' * 60}'"),
        ("arrival_s,arrival_s\n0,1\n", "line 1: expected each column once, found arrival_s again"),
        ("arrival_s\n0\n\n,\n", "line 4: expected 1 cells, found 2"),
    ],
)
def test_a_bad_cell_is_named_by_its_line(refusal: Callable[..., str], table: str, message: str) -> None:
    assert refusal(table) == message


def test_a_bad_cell_is_found_behind_many_rows(refusal: Callable[..., str]) -> None:
    assert refusal(MANY_ROWS + "x\n") == "line 100002: arrival_s must be a number, was 'x'"
    assert refusal(gzip.compress((MANY_ROWS + "1,2\n").encode())) == "line 100002: expected 1 cells, found 2"


def test_a_table_is_the_same_in_blocks(file_with: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK_BYTES", 1000)
    np.testing.assert_array_equal(requests_in(file_with(MANY_ROWS)).arrival_s, np.arange(100_000))


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (["2026-01-05 12:00:00", "2026-01-05 12:00:01.5"], 1.5),
        (["2026-01-05T12:00:00", "2026-01-05T12:00:01"], 1),
        (["2026-01-05T12:00:00Z", "2026-01-05T12:00:01.25Z"], 1.25),
        (["2026-01-05 14:00:00+02:00", "2026-01-05 12:00:01.123456789+00:00"], 1.123456789),
        (["2026-01-05 07:00:00-0500", "2026-01-05 12:00+00"], 0),
    ],
)
def test_timestamps_with_and_without_a_zone(file_with: Callable[..., Path], times: list[str], seconds: float) -> None:
    path = file_with("t,n\n" + "".join(f"{when},1\n" for when in times))
    columns = TraceSource.open(path).csv_columns(["n"], timestamps=["t"])
    noon = np.datetime64("2026-01-05T12:00:00", "ns")
    assert columns["t"].tolist() == [noon.item(), noon.item() + round(seconds * 1e9)]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2026-01-05", "yesterday"], "line 3: t must be a time such as 2026-01-31 23:59:59, was 'yesterday'"),
        (["2026-01-05", "2026-02-30"], "line 3: t must be a time such as 2026-01-31 23:59:59, was '2026-02-30'"),
        (["1767614400"], "line 2: t must be a time such as 2026-01-31 23:59:59, was '1767614400'"),
        (
            ["2026-01-05 12:00:00", "2026-01-05 12:00:00Z"],
            "line 3: t must be a time without a zone, like the first, was '2026-01-05 12:00:00Z'",
        ),
        (
            ["2026-01-05 12:00:00Z", "2026-01-05 12:00:00"],
            "line 3: t must be a time with a zone, like the first, was '2026-01-05 12:00:00'",
        ),
    ],
)
def test_what_is_no_timestamp_is_named(file_with: Callable[..., Path], times: list[str], message: str) -> None:
    path = file_with("t,n\n" + "".join(f"{when},1\n" for when in times))
    with pytest.raises(TraceError) as caught:
        TraceSource.open(path).csv_columns(["n"], timestamps=["t"])
    assert str(caught.value) == f"{path}: {message}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.text(max_size=300))
def test_any_text_below_a_header_is_read_or_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b"arrival_s,input_tokens\n" + content.encode("utf-8", errors="surrogatepass"))
    try:
        read_trace(path)
    except TraceError as error:
        message = str(error)
    else:
        return
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
