"""Reading any format, writing hindscale's own: what was written comes back, and failures leave nothing."""

from __future__ import annotations

import errno
import gzip
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hindscale.core.errors import OutputError, ParameterError
from hindscale.traces import RateTrace, RequestTrace, Trace, UtilizationTrace, read_trace, write_trace
from hindscale.traces.columns import columns_of
from hindscale.traces.reading import recognise
from hindscale.traces.source import TraceSource
from strategies import rate_traces, request_traces

ENDINGS = (".parquet", ".csv", ".csv.gz")
MANY = RequestTrace(name="many", arrival_s=np.cumsum(np.random.default_rng(0).random(100_000)))


# -- recognising


@pytest.mark.parametrize(
    ("header", "way_out"),
    [
        ("ARRIVAL_S,INPUT_TOKENS", "rename 'ARRIVAL_S' to 'arrival_s', or see `hindscale traces formats`"),
        ("Time_s,Requests", "rename 'Time_s' to 'time_s' and 'Requests' to 'requests', or see"),
        ("arival_s,input_tokens", "rename 'arival_s' to 'arrival_s', or see"),
        ("time_s,foo", "name the columns arrival_s (seconds since the beginning), or time_s with requests or"),
        ("requests", "name the columns arrival_s (seconds since the beginning), or time_s with requests or"),
        ("arrival_s;input_tokens", "separate the cells by commas, not semicolons"),
        ('"time_s";"requests"', "separate the cells by commas, not semicolons"),
        ("arrival_s\tinput_tokens", "separate the cells by commas, not tabs"),
        ("# my trace", "name the columns arrival_s"),
        ('{"a": 1}', "name the columns arrival_s"),
        ("[1, 2, 3]", "name the columns arrival_s"),
    ],
)
def test_an_unknown_table_is_shown_the_way_out(refusal: Callable[..., str], header: str, way_out: str) -> None:
    message = refusal(f"{header}\n0;1\n")
    assert message.startswith(f"expected a known trace format, found {header!r}; {way_out}")


def test_the_name_of_a_file_does_not_matter(file_with: Callable[..., Path]) -> None:
    for name in ("trace.parquet", "trace.json", "trace.csv.gz", "trace"):
        assert recognise(TraceSource.open(file_with("arrival_s\n0\n", name))).name == "csv"


def test_hindscales_own_columns_win_over_another_format(file_with: Callable[..., Path]) -> None:
    """Whoever adds arrival_s to the table of another format means it."""
    trace = read_trace(file_with("app,func,end_timestamp,duration,arrival_s\na,f,10,2,3\n"))
    assert isinstance(trace, RequestTrace)
    assert trace.arrival_s.tolist() == [3]


# -- errors and options


def test_errors_of_values_name_the_file_and_not_the_trace(refusal: Callable[..., str]) -> None:
    assert refusal("arrival_s\n0\n-1\n") == "arrival_s must be a number >= 0, but row 2 has -1"
    assert refusal("time_s,requests\n0,1\n60,-1\n", name="x") == "requests must be a number >= 0, but row 2 has -1"


def test_sorting_is_asked_for(file_with: Callable[..., Path], refusal: Callable[..., str]) -> None:
    table = "arrival_s,input_tokens\n5,50\n2,20\n"
    assert refusal(table).endswith("row 2 has 2 after 5; sort the file, or read it with --sort")
    trace = read_trace(file_with(table), sort=True)
    assert isinstance(trace, RequestTrace)
    assert trace.input_tokens is not None
    assert (trace.arrival_s.tolist(), trace.input_tokens.tolist()) == ([2, 5], [20, 50])


def test_a_bad_row_is_named_by_its_place_before_sorting(refusal: Callable[..., str]) -> None:
    assert refusal("arrival_s\n5\nnan\n2\n", sort=True) == "arrival_s must be a number >= 0, but row 2 has nan"
    assert refusal("time_s,requests\n60,1\n0,nan\n", sort=True) == "requests must be a number >= 0, but row 2 has nan"


def test_an_unknown_fill_is_refused(file_with: Callable[..., Path]) -> None:
    with pytest.raises(ParameterError, match="fill must be zero or interpolate, was 'mean'"):
        read_trace(file_with("time_s,requests\n0,1\n60,1\n"), fill="mean")  # type: ignore[arg-type]


# -- writing


@st.composite
def requests_with_columns(draw: st.DrawFn) -> RequestTrace:
    trace = draw(request_traces())
    values = st.none() | st.lists(st.floats(0, 1e6), min_size=len(trace.arrival_s), max_size=len(trace.arrival_s)).map(
        np.array
    )
    return replace(trace, input_tokens=draw(values), output_tokens=draw(values), service_s=draw(values))


utilizations = st.builds(
    UtilizationTrace,
    name=st.just("u"),
    window_s=st.sampled_from([57.0, 1 / 3, 1234567.5]),
    utilization=st.lists(st.floats(0, 1), min_size=2, max_size=20).map(np.array),
)
zones = st.sampled_from([UTC, timezone(timedelta(hours=-4)), timezone(timedelta(hours=10, minutes=30))])
starts = st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=zones)
details = st.dictionaries(st.sampled_from(["source", "licence", "ü"]), st.text(max_size=5).filter(str.isprintable))


@pytest.mark.parametrize("ending", ENDINGS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(trace=requests_with_columns() | rate_traces() | utilizations, start=starts, details=details)
def test_what_was_written_is_read_back(
    tmp_path: Path, ending: str, trace: Trace, start: datetime | None, details: dict[str, str]
) -> None:
    trace = replace(trace, start=start, details=details)
    path = tmp_path / f"trace{ending}"
    columns = columns_of(trace)
    if ending != ".parquet" and "time_s" in columns and len(columns["time_s"]) == 1:
        with pytest.raises(ParameterError, match=r"CSV cannot tell how long a single window is; write it as .parquet"):
            write_trace(trace, path)
        return
    write_trace(trace, path)
    back = read_trace(path, name=trace.name)
    assert type(back) is type(trace)
    assert list(columns_of(back)) == list(columns)
    for column, values in columns_of(back).items():
        np.testing.assert_allclose(values, columns[column], rtol=1e-12)
    if ending == ".parquet":
        assert (back.start, back.details) == (start, details)
        assert getattr(back, "window_s", None) == getattr(trace, "window_s", None)
    path.unlink()


def test_csv_is_for_people(tmp_path: Path) -> None:
    write_trace(RateTrace(name="r", window_s=60, requests=np.array([1.5, 20.0])), tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text() == '"time_s","requests"\n0,1.5\n60,20\n'
    write_trace(RequestTrace(name="a", arrival_s=np.array([0.25])), tmp_path / "a.csv.gz")
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == b'"arrival_s"\n0.25\n'


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv.bz2", "parquet", "a.gz"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterError, match=r"a trace is written as .parquet, .csv or .csv.gz"):
        write_trace(MANY, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A disk that is full after some bytes, as the kernel sees it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_write_that_fails_half_way_leaves_what_was_there(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"trace{ending}"
    path.write_text("what was there")
    with files_no_larger_than(10_000), pytest.raises(OutputError) as caught:
        write_trace(MANY, path)
    assert str(caught.value) == f"{path}: cannot be written: {os.strerror(errno.EFBIG)}"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "what was there"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_disk_that_is_full_when_flushed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        write_trace(MANY, tmp_path / f"trace{ending}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere/a.csv: cannot be written: No such file or directory"):
        write_trace(MANY, tmp_path / "nowhere" / "a.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_closed_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        write_trace(MANY, tmp_path / "a.csv")


def test_a_written_file_is_readable_by_others_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_trace(MANY, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_mode == (tmp_path / "plain").stat().st_mode


# -- the recordings we have


def test_every_recorded_trace_is_read_and_comes_back(real_traces: Path, tmp_path: Path) -> None:
    paths = [*real_traces.glob("*.parquet"), *(real_traces / "native").iterdir()]
    assert len(paths) == 30
    for path in paths:
        trace = read_trace(path)
        write_trace(trace, tmp_path / "again.parquet")
        again = read_trace(tmp_path / "again.parquet", name=trace.name)
        assert type(again) is type(trace)
        assert (again.start, again.details) == (trace.start, trace.details)
        for column, values in columns_of(trace).items():
            np.testing.assert_array_equal(columns_of(again)[column], values)


def test_a_compressed_recording_reads_the_same(real_traces: Path, tmp_path: Path) -> None:
    for path in (real_traces / "native").iterdir():
        (tmp_path / path.name).write_bytes(gzip.compress(path.read_bytes()))
        plain, packed = columns_of(read_trace(path)), columns_of(read_trace(tmp_path / path.name))
        for column, values in plain.items():
            np.testing.assert_array_equal(packed[column], values)
