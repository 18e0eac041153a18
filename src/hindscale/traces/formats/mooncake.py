"""Mooncake: one JSON object a line with `timestamp` (ms), `input_length`, `output_length`, `hash_ids`.

Source: kvcache-ai/Mooncake, FAST25-release (Qin et al., FAST 2025).
"""

from __future__ import annotations

import json as python_json

import pyarrow as pa
from pyarrow import json

from hindscale.core.errors import TraceError
from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.requests import request_trace
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RequestTrace

_FIELDS = ("timestamp", "input_length", "output_length")


def _read(source: TraceSource, options: ReadOptions) -> RequestTrace:
    schema = pa.schema([(field, pa.float64()) for field in _FIELDS])
    try:
        with source.unpacked() as file:
            table = json.read_json(
                file,
                # A line with many hash ids is long: blocks must hold at least one line.
                read_options=json.ReadOptions(block_size=1 << 24),
                parse_options=json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
            )
    except TraceError:
        _refuse_first_bad_line(source)
        raise
    columns = {field: table.column(field).to_numpy() for field in _FIELDS}
    return request_trace(
        source.name,
        options,
        arrival_s=columns["timestamp"] / 1000.0,
        input_tokens=columns["input_length"],
        output_tokens=columns["output_length"],
    )


def _refuse_first_bad_line(source: TraceSource) -> None:
    """Arrow counts rows inside a block: look again, slowly, and name the line."""
    for number, line in enumerate(source.text_lines(), start=1):
        try:
            row = python_json.loads(line) if line.strip() else {}
            is_good = all(isinstance(row.get(field, 0), int | float) for field in _FIELDS)
        except (ValueError, AttributeError, RecursionError):
            is_good = False
        if not is_good:
            raise TraceError(f"{source.path}: line {number}: expected an object of numbers, was {line[:60]!r}")


FORMAT = TraceFormat(
    name="mooncake",
    expects="JSON lines with timestamp (ms), input_length, output_length",
    matches=lambda source: (
        bool(source.lines) and source.lines[0].startswith("{") and all(f'"{f}"' in source.lines[0] for f in _FIELDS)
    ),
    read=_read,
)
