"""Paths inside a budget, and what it was stated on. How files are read and refused is in test_check.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.cli.budget_config import entry_with_paths, fingerprints_of, with_paths
from hindscale.cli.config import BacktestConfig

names = st.text(alphabet="abc-./", min_size=1, max_size=12)


def upper(path: str) -> str:
    return path.upper()


@given(traces=st.lists(names), policy=st.sampled_from(["hpa", "hpa:manifest=no/such.yaml", "predictive:alpha=0.7"]))
def test_what_is_no_file_stays_as_it_is(traces: list[str], policy: str) -> None:
    values = {"traces": ["chatbot", *(f"no-such-folder/{name}" for name in traces)], "policies": [policy], "seeds": 2}
    assert with_paths(values, upper) == values


def test_files_are_rewritten_wherever_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "hpa.yaml", "vpa.yaml", "cpu"):
        Path(name).write_text("")
    values = {
        "traces": ["a.csv", "chatbot"],
        "policies": ["hpa:metric=cpu,manifest=hpa.yaml", "fixed"],
        "vertical": {"manifest": "vpa.yaml", "update_mode": "Off"},
    }
    # "cpu" is a file here, too, but nobody would take the metric for a path.
    assert with_paths(values, upper) == {
        "traces": ["A.CSV", "chatbot"],
        "policies": ["hpa:metric=cpu,manifest=HPA.YAML", "fixed"],
        "vertical": {"manifest": "VPA.YAML", "update_mode": "Off"},
    }
    assert entry_with_paths("knative:a=1, b=2", upper) == "knative:a=1, b=2"


def test_fingerprints_are_of_the_traffic_and_of_named_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("steps.csv").write_text("arrival_s\n1\n2\n3\n")
    config = BacktestConfig(traces=["steps.csv"], policies=["fixed:replicas=1"], slo="p90<5s")
    first = fingerprints_of(config.backtest(), config)
    assert set(first.traces) == {"steps"}
    assert first.files == {}
    Path("steps.csv").write_text("arrival_s\n1.0\n2.0\n3.0\n")  # the same traffic, written in another way
    assert fingerprints_of(config.backtest(), config) == first
    Path("steps.csv").write_text("arrival_s\n1\n2\n4\n")
    assert fingerprints_of(config.backtest(), config) != first
