"""The formats together: each file is claimed by one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hindscale.traces.formats import ReadOptions, known_formats
from hindscale.traces.source import TraceSource

FORMAT_OF_NATIVE = {
    "BurstGPT_1.first3rows.csv": "burstgpt",
    "alibaba_genai_lora_request_trace.head2000.csv": "alibaba-genai",
    "azure_functions_2019_invocations.example.csv": "azure-functions-2019",
    "azure_functions_2021.example200.csv": "azure-functions-2021",
    "azure_llm_2023_conv.head2000.csv": "azure-llm",
    "mooncake_synthetic_trace.head2000.jsonl": "mooncake",
    "nab_cpu_utilization_asg_misconfiguration.head2000.csv": "nab",
    "nab_elb_request_count_8c0756.head2000.csv": "nab",
    "servegen_m-small_chunk-1-trace.head2000.csv": "servegen",
    "twitter_2021_workload.first7200.txt": "counts",
    "worldcup98_invocation_count.head2000.csv": "worldcup98",
}


def claims(path: Path) -> list[str]:
    source = TraceSource.open(path)
    return [each.name for each in known_formats() if each.matches(source)]


@pytest.mark.parametrize(("file", "name"), FORMAT_OF_NATIVE.items())
def test_one_format_claims_each_native_file(real_traces: Path, file: str, name: str) -> None:
    assert claims(real_traces / "native" / file) == [name]


def test_one_format_claims_each_recorded_trace(real_traces: Path) -> None:
    assert {path.name for path in (real_traces / "native").iterdir()} == set(FORMAT_OF_NATIVE)
    for path in real_traces.glob("*.parquet"):
        assert claims(path) == ["parquet"]


def test_every_format_says_what_it_expects() -> None:
    names = [each.name for each in known_formats()]
    assert names[0] == "csv"
    assert len(names) == len(set(names)) == 14
    assert all(each.expects for each in known_formats())


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="fill must be zero or interpolate"):
        ReadOptions(fill="mean")  # type: ignore[arg-type]
