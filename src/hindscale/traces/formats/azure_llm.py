"""Azure LLM inference traces (2023 and 2024): `TIMESTAMP,ContextTokens,GeneratedTokens`.

Source: Azure/AzurePublicDataset, AzureLLMInferenceTrace_*.csv (CC BY 4.0; Patel et al., Splitwise, ISCA 2024).
"""

from __future__ import annotations

from hindscale.traces.formats import ReadOptions, TraceFormat
from hindscale.traces.requests import request_trace
from hindscale.traces.source import TraceSource
from hindscale.traces.types import RequestTrace
from hindscale.traces.windows import instants


def _read(source: TraceSource, options: ReadOptions) -> RequestTrace:
    # The 2024 files carry a zone offset, the 2023 ones do not.
    columns = source.csv_columns(["ContextTokens", "GeneratedTokens"], timestamps=["TIMESTAMP"])
    arrival_s, start = instants(source.name, "TIMESTAMP", columns["TIMESTAMP"])
    return request_trace(
        source.name,
        options,
        arrival_s=arrival_s,
        input_tokens=columns["ContextTokens"],
        output_tokens=columns["GeneratedTokens"],
        start=start,
    )


FORMAT = TraceFormat(
    name="azure-llm",
    expects="CSV with TIMESTAMP, ContextTokens, GeneratedTokens",
    matches=lambda source: source.has_columns("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
    read=_read,
)
