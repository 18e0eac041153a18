"""hindscale's own columns in Parquet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hindscale.core.errors import TraceError
from hindscale.traces import RateTrace, RequestTrace, UtilizationTrace, read_trace, write_trace
from hindscale.traces.formats import parquet


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Path]:
    """Write a table with metadata."""

    def write(columns: dict[str, Any] | pa.Table, **metadata: str) -> Path:
        path = tmp_path / "trace.parquet"
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        pq.write_table(table.replace_schema_metadata(metadata), path)
        return path

    return write


def message_for(path: Path) -> str:
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint32(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(9, 2)])
def test_any_kind_of_number_will_do(stored: Callable[..., Path], kind: pa.DataType) -> None:
    trace = read_trace(stored({"arrival_s": pa.array([0, 1, 100], kind), "input_tokens": pa.array([1, 2, 3], kind)}))
    assert isinstance(trace, RequestTrace)
    assert trace.input_tokens is not None
    assert (trace.arrival_s.tolist(), trace.input_tokens.tolist()) == ([0, 1, 100], [1, 2, 3])


def test_a_large_file_is_read_in_batches(stored: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 7)
    trace = read_trace(stored({"arrival_s": np.arange(100), "note": ["x"] * 100, "output_tokens": np.arange(100) * 2}))
    assert isinstance(trace, RequestTrace)
    assert trace.output_tokens is not None
    np.testing.assert_array_equal(trace.arrival_s, np.arange(100))
    np.testing.assert_array_equal(trace.output_tokens, np.arange(100) * 2)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2024-05-12 00:00 UTC (Sunday)", datetime(2024, 5, 12, tzinfo=UTC)),
        ("1998-05-01 00:00:00 GMT", datetime(1998, 5, 1, tzinfo=UTC)),
        ("1995-07-01 00:00 -0400 (Saturday)", datetime(1995, 7, 1, tzinfo=timezone(timedelta(hours=-4)))),
        ("1995-07-01 00:00 +10:30", datetime(1995, 7, 1, tzinfo=timezone(timedelta(hours=10.5)))),
        ("1995-07-01 00:00:00-11:00", datetime(1995, 7, 1, tzinfo=timezone(timedelta(hours=-11)))),
        ("2014-07-01 00:00", datetime(2014, 7, 1, tzinfo=UTC)),
        ("2014-07-01", datetime(2014, 7, 1, tzinfo=UTC)),
        ("2024-11-15 00:00:00 (clock shifted by the source)", datetime(2024, 11, 15, tzinfo=UTC)),
    ],
)
def test_a_start_is_read_and_without_a_zone_it_is_utc(stored: Callable[..., Path], text: str, start: datetime) -> None:
    trace = read_trace(stored({"arrival_s": [0.0]}, start=text, kind="requests", source="here"))
    assert trace.start == start
    assert trace.start.tzinfo is not None
    assert trace.details == {"source": "here"}


@pytest.mark.parametrize("text", ["day 3 00:00 of the trace", "unknown (shifted)", "00:00 of an unknown day"])
def test_a_start_in_words_stays_a_note(stored: Callable[..., Path], text: str) -> None:
    trace = read_trace(stored({"arrival_s": [0.0]}, start=text))
    assert (trace.start, trace.details) == (None, {"start": text})


def test_the_stated_window_is_believed(stored: Callable[..., Path]) -> None:
    one = read_trace(stored({"time_s": [0], "requests": [5]}, window_s="300"))
    assert isinstance(one, RateTrace)
    assert (one.window_s, one.requests.tolist(), one.details) == (300, [5], {})
    gaps = stored({"time_s": [0, 120], "utilization": [0.5, 0.75]}, window_s="60")
    assert "one window (1min), but row 2 advances by 120 s" in message_for(gaps)
    filled = read_trace(gaps, fill="interpolate")
    assert isinstance(filled, UtilizationTrace)
    assert filled.utilization.tolist() == [0.5, 0.625, 0.75]


@pytest.mark.parametrize("text", ["a minute", "-60", "nan", "0", ""])
def test_a_window_that_is_no_length_is_refused(stored: Callable[..., Path], text: str) -> None:
    path = stored({"time_s": [0, 60], "requests": [1, 2]}, window_s=text)
    assert message_for(path) == f"window_s in its metadata must be a number > 0, was {text!r}"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"arrival_s": pa.array([], pa.float64())}, "arrival_s must hold at least one value, was empty"),
        ({"arrival_s": [0.0, None, 2.0]}, "arrival_s must be a number >= 0, but row 2 has nan"),
        ({"arrival_s": [0, None, 2]}, "arrival_s must be a number >= 0, but row 2 has nan"),
        ({"arrival_s": ["0", "1"]}, "arrival_s must hold numbers, holds string"),
        ({"arrival_s": pa.array([0, 1], pa.timestamp("ms"))}, "arrival_s must hold numbers, holds timestamp[ms]"),
        ({"arrival_s": [[0.0], [1.0]]}, "arrival_s must hold numbers, holds list<element: double>"),
        ({"Arrival_s": [0]}, "expected a trace, found the columns Arrival_s; rename 'Arrival_s' to 'arrival_s'"),
        ({"a": [0], "b": [0]}, "expected a trace, found the columns a, b; name the columns arrival_s"),
    ],
)
def test_columns_that_are_no_trace_are_refused(
    stored: Callable[..., Path], columns: dict[str, Any], message: str
) -> None:
    assert message_for(stored(columns)).startswith(message)


def test_a_column_twice_is_refused(stored: Callable[..., Path]) -> None:
    table = pa.Table.from_arrays([pa.array([0.0]), pa.array([1.0])], names=["arrival_s", "arrival_s"])
    assert message_for(stored(table)) == "expected each column once, found arrival_s again"


def test_a_damaged_file_is_refused(stored: Callable[..., Path]) -> None:
    path = stored({"arrival_s": np.random.default_rng(0).random(10_000).cumsum()})
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:4], whole[:-100] + bytes(50) + whole[-50:]):
        path.write_bytes(damaged)
        assert message_for(path).startswith("cannot be read: ")


def test_a_flipped_bit_in_a_trace_we_wrote_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "trace.parquet"
    write_trace(RequestTrace(name="a", arrival_s=np.random.default_rng(0).random(10_000).cumsum()), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert (
        message_for(path)
        == "cannot be read: could not verify page integrity, CRC checksum verification failed for page_ordinal 0"
    )


# -- the recordings we have


def test_recorded_traces_hold_what_their_table_says(real_traces: Path) -> None:
    """Kind, window and number of requests of the table in the recordings' README."""
    lines = (real_traces / "README.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    checked = 0
    for cells in (row for row in rows if len(row) == 12):
        trace = read_trace(real_traces / cells[0].strip("`"))
        kind = {"requests": RequestTrace, "rate": RateTrace, "utilization": UtilizationTrace}[cells[2]]
        assert isinstance(trace, kind), cells[0]
        if cells[3] != "-":
            assert getattr(trace, "window_s", None) == float(cells[3].removesuffix(" s")), cells[0]
        if not isinstance(trace, UtilizationTrace):
            assert round(trace.total_requests) == int(cells[5].replace(",", "")), cells[0]
        checked += 1
    assert checked == 19


def test_a_recording_keeps_its_columns(real_traces: Path) -> None:
    llm = read_trace(real_traces / "azure_llm_2023_conv.parquet")
    assert isinstance(llm, RequestTrace)
    assert llm.input_tokens is not None
    assert llm.output_tokens is not None
    # The first two rows of the original: 374,44 and 396,109.
    assert (llm.input_tokens[:2].tolist(), llm.output_tokens[:2].tolist()) == ([374, 396], [44, 109])
    images = read_trace(real_traces / "alibaba_genai_sd_nov.parquet")
    assert isinstance(images, RequestTrace)
    assert images.service_s is not None
    assert "CC BY 4.0" in llm.details["licence"]
