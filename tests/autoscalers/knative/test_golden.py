"""Cases worked by hand from the rules, one file for all stages; each names the rule it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hindscale.autoscalers.knative import (
    AutoscalerState,
    Condition,
    DeciderSpec,
    ReconcilerSpec,
    ReconcilerState,
    Revision,
    config_from_map,
    evaluate,
    initial_autoscaler_state,
    linear_average,
    new_collection,
    new_window,
    panic_window_s,
    record,
    record_value,
    resolve_target,
    revision_from_annotations,
    sample_size,
    stable_and_panic,
    weighted_average,
)
from hindscale.autoscalers.knative.activator import number_of_activators, serves_directly, wakes
from hindscale.autoscalers.knative.autoscaler import delayed, excess_burst_capacity
from hindscale.autoscalers.knative.metrics import total_from_sample
from hindscale.autoscalers.knative.reconciler import active_condition, scale
from hindscale.autoscalers.knative.window import smoothing_coefficient
from hindscale.core import ParameterError

GOLDEN = Path(__file__).parents[2] / "golden" / "knative.json"
CASES: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))


def run_resolve_target(config: dict[str, str] | None = None, revision: dict[str, Any] | None = None) -> object:
    return list(resolve_target(config_from_map(config or {}), Revision(**(revision or {}))))


def filled(window_s: float, records: list[list[float]]) -> Any:
    window = new_window(float(window_s))
    for time_s, value in records:
        window = record(window, time_s, value)
    return window


def run_stable_and_panic(
    window_s: float, panic_s: float, records: list[list[float]], now_s: float, *, scraped: bool = True
) -> object:
    collection = new_collection(window_s, panic_s, scraped=scraped)
    for time_s, value in records:
        collection = record_value(collection, time_s, value)
    averages = stable_and_panic(collection, now_s)
    return None if averages is None else list(averages)


def run_evaluate(
    spec: dict[str, Any],
    ready: int | None,
    averages: list[float] | None,
    *,
    state: dict[str, Any] | None = None,
    now_s: float = 0.0,
    start: bool = False,
) -> object:
    given = dict(state or {})
    given["delay"] = tuple((tick, pods) for tick, pods in given.get("delay", ()))
    before = initial_autoscaler_state(ready or 0, now_s) if start else AutoscalerState(**given)
    result, after = evaluate(
        DeciderSpec(**spec),
        before,
        now_s=now_s,
        ready_pods=ready,
        averages=None if averages is None else (averages[0], averages[1]),
    )
    return {
        "desired": result.desired_pods,
        "valid": result.valid,
        "panic": after.panic_time_s is not None,
        "panic_time_s": after.panic_time_s,
        "max_panic_pods": after.max_panic_pods,
    }


def run_delayed(delay_s: float, values: list[int], times: list[float] | None) -> object:
    delay: tuple[tuple[int, int], ...] = ()
    seen = []
    for tick, value in enumerate(values):
        pods, delay = delayed(delay, value, delay_s, times[tick] if times else 2.0 * tick)
        seen.append(pods)
    return seen


def status(state: dict[str, Any]) -> ReconcilerState:
    return ReconcilerState(**{**state, "condition": Condition(state["condition"])})


def run_scale(
    state: dict[str, Any],
    desired: int,
    spec: dict[str, Any] | None = None,
    now_s: float = 0.0,
    *,
    activator_in_path: bool = True,
) -> object:
    scaling = scale(
        ReconcilerSpec(**(spec or {})), status(state), desired, now_s=now_s, activator_in_path=activator_in_path
    )
    return {"want": scaling.want, "apply": scaling.apply, "again_in_s": scaling.again_in_s}


def message(call: Callable[[], object]) -> str:
    with pytest.raises(ParameterError) as raised:
        call()
    return str(raised.value)


def run_annotation_error(annotations: dict[str, str]) -> object:
    full = {f"autoscaling.knative.dev/{key}": value for key, value in annotations.items()}
    return message(lambda: revision_from_annotations(full))


CALLS: dict[str, Callable[..., object]] = {
    "resolve_target": run_resolve_target,
    "panic_window": lambda stable_s, percentage: panic_window_s(float(stable_s), percentage),
    "linear": lambda window_s, records, now_s: linear_average(filled(window_s, records), now_s),
    "weighted": lambda window_s, records, now_s: weighted_average(filled(window_s, records), now_s),
    "coefficient": smoothing_coefficient,
    "stable_and_panic": run_stable_and_panic,
    "sample_size": sample_size,
    "total_from_sample": total_from_sample,
    "evaluate": run_evaluate,
    "delayed": run_delayed,
    "excess_burst_capacity": lambda ready, total, tbc, panic: excess_burst_capacity(
        ready, total_value=total, target_burst_capacity=tbc, panic=panic
    ),
    "wakes": wakes,
    "scale": run_scale,
    "active_condition": lambda state, want, ready, spec=None: (
        active_condition(ReconcilerSpec(**(spec or {})), status(state), want=want, ready_pods=ready).value
    ),
    "serves_directly": serves_directly,
    "number_of_activators": lambda ready, total, tbc: number_of_activators(
        ready, total_value=total, target_burst_capacity=tbc
    ),
    "config_error": lambda data: message(lambda: config_from_map(data)),
    "annotation_error": run_annotation_error,
}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    given = dict(case["given"])
    found = CALLS[given.pop("call")](**given)
    expected = case["expected"]
    if isinstance(expected, dict) and isinstance(found, dict):
        found = {key: found[key] for key in expected}
    if isinstance(expected, float):
        # Worked by hand to six digits; whole and half numbers are exact.
        assert found == pytest.approx(expected, abs=5e-7)
    else:
        assert found == expected


def test_every_case_says_where_it_comes_from_and_why() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert all(case["source"].strip() and case["why"].strip() for case in CASES)
