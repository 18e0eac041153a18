from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax", reason="needs the extra `train`")
pytest.importorskip("safetensors", reason="needs the extra `train`")

from courses import wave
from hindscale.cli.main import main
from hindscale.policies._dqn_network import read_network
from hindscale.traces import RateTrace, write_trace

QUICK = ("--steps", "25600", "--episode", "60", "--seeds", "1", "--max-replicas", "30", "--jobs", "1")


@pytest.fixture
def trace(tmp_path: Path) -> str:
    write_trace(wave(8.0), tmp_path / "wave.csv")
    return str(tmp_path / "wave.csv")


def call(*arguments: object) -> int:
    return main(["train", *map(str, arguments)])


def test_a_trace_becomes_a_policy_that_runs(trace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, page = tmp_path / "policy.safetensors", tmp_path / "page.html"
    assert call(trace, "-o", output, "--report", page, *QUICK) == 0
    printed = capsys.readouterr()
    for policy in ("dqn", "utilization:upper=", "predictive", "optimum (hindsight)"):
        assert policy in printed.out
    assert "policy.safetensors: seed 0 of 1, 25,600 steps" in printed.err
    assert page.read_text().startswith("<!doctype html>")
    assert {path.name for path in tmp_path.iterdir()} == {"wave.csv", "policy.safetensors", "page.html"}
    training = read_network(output).training
    assert list(training["traces"]) == ["wave"]
    assert training["settings"]["steps"] == 25_600
    assert main(["backtest", trace, "--policy", f"dqn={output}", "--max-replicas", "30", "--seeds", "1"]) == 0
    assert "dqn" in capsys.readouterr().out


def test_without_the_extra_it_says_what_to_install(
    trace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("jax", "optax") else found(name))
    assert call(trace, "-o", tmp_path / "p.safetensors") == 2
    assert capsys.readouterr().err == (
        "hindscale: training needs jax, optax, not installed here; pip install 'hindscale[train]'\n"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--churn", "-1"), "churn must be a number >= 0, was -1.0"),
        (("--churn", "nan"), "churn must be a number >= 0, was nan"),
        (("--most-caution", "nan"), "most_caution must be a number > 0, was nan"),
        (("--hold-out", "1.5"), "hold_out must be in [0, 1), was 1.5"),
        (("--seeds", "0"), "seeds must be a whole number >= 1, was 0"),
        (("--episode", "100000"), "wave: lasts 6h, shorter than an episode of 100000 intervals"),
        (("--start", "nowhere.safetensors"), "nowhere.safetensors: cannot be read"),
    ],
)
def test_wrong_input_is_one_line(
    trace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], message: str
) -> None:
    assert call(trace, "-o", tmp_path / "p.safetensors", *given) in (1, 2)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"hindscale: {message}")
    assert not (tmp_path / "p.safetensors").exists()


def test_a_trace_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trace(RateTrace(name="zero", window_s=60.0, requests=np.zeros(600)), tmp_path / "zero.csv")
    assert call(tmp_path / "zero.csv", "-o", tmp_path / "p.safetensors") != 0
    assert "holds no requests" in capsys.readouterr().err
