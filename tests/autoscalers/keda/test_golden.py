"""Cases worked by hand from the rules, one file for all stages; each names the rule it comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hindscale.autoscalers.hpa import TargetType
from hindscale.autoscalers.keda import (
    Fallback,
    FallbackBehavior,
    OperatorSpec,
    OperatorState,
    ScaledObject,
    ScalingModifiers,
    Trigger,
    hpa_of,
    parse_formula,
    poll,
    query,
)
from hindscale.autoscalers.keda._annotations import Pauses
from hindscale.autoscalers.keda.values import (
    builtin_milli,
    external_milli,
    external_number,
    reconnect_after_s,
    scaler_metadata,
    server_metric_name,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "keda.json"
CASES: list[dict[str, Any]] = json.loads(GOLDEN.read_text(encoding="utf-8"))


def trigger(index: int, given: dict[str, Any]) -> Trigger:
    kind = TargetType(given.get("target_type", "AverageValue"))
    return Trigger(**{**given, "index": index, "target_type": kind})


def scaled_object(
    triggers: list[dict[str, Any]],
    fallback: dict[str, Any] | None = None,
    modifiers: dict[str, Any] | None = None,
    pauses: dict[str, Any] | None = None,
    **given: Any,
) -> ScaledObject:
    behavior = FallbackBehavior((fallback or {}).get("behavior", "static"))
    return ScaledObject(
        triggers=tuple(trigger(index, each) for index, each in enumerate(triggers)),
        fallback=None if fallback is None else Fallback(**{**fallback, "behavior": behavior}),
        modifiers=None
        if modifiers is None
        else ScalingModifiers(**{**modifiers, "formula": parse_formula(modifiers["formula"])}),
        pauses=Pauses(**(pauses or {})),
        **given,
    )


def run_hpa_of(**given: Any) -> object:
    hpa = hpa_of(scaled_object(**given))
    behavior = hpa.behavior
    return {
        "min": hpa.min_replicas,
        "max": hpa.max_replicas,
        "metrics": [[each.type.value, each.name, each.target_type.value, each.target] for each in hpa.metrics],
        "behavior": behavior is not None,
        "select": behavior and [behavior.scale_up.select_policy.value, behavior.scale_down.select_policy.value],
    }


def run_poll(
    current: int,
    now_s: float,
    *,
    is_active: bool,
    has_error: bool = False,
    spec: dict[str, Any] | None = None,
    state: float | None = None,
) -> object:
    step, after = poll(
        OperatorSpec(**(spec or {})),
        OperatorState(last_active_s=state),
        current=current,
        is_active=is_active,
        has_error=has_error,
        now_s=now_s,
    )
    return {"replicas": step.replicas, "ready": step.ready, "last_active_s": after.last_active_s}


def run_query(
    values: list[float | None],
    failures: list[int] | None = None,
    current: int = 2,
    ready: int = 2,
    active: list[bool] | None = None,
    **given: Any,
) -> object:
    found = query(
        scaled_object(**given),
        values,
        failures=failures or [0] * len(values),
        current=current,
        ready_replicas=ready,
        active=active,
    )
    return {
        "is_active": found.is_active,
        "has_error": found.has_error,
        "milli": dict(found.milli),
        "failures": list(found.failures),
    }


CALLS: dict[str, Callable[..., object]] = {
    "hpa_of": run_hpa_of,
    "poll": run_poll,
    "query": run_query,
    "formula": lambda text: parse_formula(text).value({}),
    "external_number": external_number,
    "external_milli": lambda value: external_milli(float(value)),
    "builtin_milli": builtin_milli,
    "server_metric_name": server_metric_name,
    "reconnect_after_s": reconnect_after_s,
    "scaler_metadata": scaler_metadata,
}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    given = dict(case["given"])
    call = given.pop("call")
    found, expected = CALLS[call](**given), case["expected"]
    if isinstance(expected, dict) and isinstance(found, dict) and call != "scaler_metadata":
        found = {key: found[key] for key in expected}
    assert found == expected


def test_every_case_says_where_it_comes_from_and_why() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert all(case["source"].strip() and case["why"].strip() for case in CASES)
