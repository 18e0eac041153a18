"""AIBrix's stages against numbers worked by hand, and what holds for all numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers import aibrix
from hindscale.autoscalers.aibrix import (
    Recommendation,
    ScalingContext,
    ScheduledBounds,
    apa_replicas,
    kpa_replicas,
    pending_guard,
    read_pod_autoscaler,
)
from hindscale.core import ParameterError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "aibrix.json").read_text())
POSITIONAL = {
    "apa_replicas": ("current",),
    "kpa_replicas": ("current",),
    "apply_constraints": ("replicas", "context"),
    "pending_guard": ("recommendation",),
    "stabilized": ("recommended",),
    "recorded": ("buckets", "value"),
    "window_average": ("buckets",),
    "bounds_at": ("week_s", "schedules"),
}


def call(function: str, **arguments: Any) -> Any:
    if "context" in arguments:
        arguments["context"] = ScalingContext(**{"max_replicas": 1000, **arguments["context"]})
    if "recommendation" in arguments:
        arguments["recommendation"] = Recommendation(**arguments["recommendation"])
    for name in ("buckets", "history"):
        if name in arguments:
            arguments[name] = tuple(tuple(one) for one in arguments[name])
    if "schedules" in arguments:
        arguments["schedules"] = [
            ScheduledBounds(**{**one, "days": tuple(one["days"])}) for one in arguments["schedules"]
        ]
    given = [arguments.pop(name) for name in POSITIONAL.get(function, ())]
    found = getattr(aibrix, function)(*given, **arguments)
    if function == "stabilized":
        return found[0]
    return found.replicas if isinstance(found, Recommendation) else plain(found)


def plain(value: Any) -> Any:
    return [plain(each) for each in value] if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_numbers_worked_by_hand(case: dict[str, Any]) -> None:
    assert call(**case["given"]) == case["expected"], case["why"]


contexts = st.builds(
    ScalingContext,
    max_replicas=st.just(1000),
    max_scale_up_rate=st.floats(1, 10),
    max_scale_down_rate=st.floats(1, 10),
    up_tolerance=st.floats(0, 0.5),
    down_tolerance=st.floats(0, 0.5),
)


@given(context=contexts, current=st.integers(0, 500), use=st.floats(0, 1e4), target=st.floats(0.01, 1e3))
def test_apa_never_turns_the_direction(context: ScalingContext, current: int, use: float, target: float) -> None:
    wanted = apa_replicas(current, use_per_pod=use, target=target, context=context)
    assert wanted >= current if use >= target else wanted <= current
    assert wanted <= context.max_scale_up_rate * current + 1


@given(
    context=contexts,
    current=st.integers(0, 500),
    stable=st.floats(0, 1e5),
    panic=st.floats(0, 1e5),
    target=st.floats(0.01, 1e3),
)
def test_panic_never_wants_fewer(
    context: ScalingContext, current: int, stable: float, panic: float, target: float
) -> None:
    calm, panicking = (
        kpa_replicas(current, stable=stable, panic=panic, target=target, context=context, in_panic=in_panic)
        for in_panic in (False, True)
    )
    assert panicking >= calm


@given(
    replicas=st.integers(0, 100),
    value=st.floats(0, 1e3),
    target=st.floats(0.1, 100),
    current=st.integers(0, 100),
    ready=st.integers(0, 100),
    strategy=st.sampled_from(["APA", "KPA"]),
)
def test_the_guard_stays_between_current_and_recommended(
    replicas: int, value: float, target: float, current: int, ready: int, strategy: str
) -> None:
    recommendation = Recommendation(replicas=replicas, metric_value=value, target=target)
    guarded = pending_guard(
        recommendation, current=current, ready=ready, pending=max(0, current - ready), strategy=strategy
    )
    low, high = sorted((replicas, current))
    assert low <= guarded.replicas <= high


MANIFEST = """
apiVersion: autoscaling.aibrix.ai/v1alpha1
kind: PodAutoscaler
metadata:
  name: llm
  annotations:
    autoscaling.aibrix.ai/max-scale-up-rate: "3"
    autoscaling.aibrix.ai/scale-down-cooldown-window: 2m
    other/thing: "x"
spec:
  scalingStrategy: APA
  minReplicas: 2
  maxReplicas: 9
  observeWindowSeconds: 120
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  metricsSources:
  - metricSourceType: pod
    protocolType: http
    port: "8000"
    path: metrics
    targetMetric: gpu_cache_usage_perc
    targetValue: "0.5"
  schedules:
  - {name: day, startTime: "08:00", endTime: "18:00", daysOfWeek: [Mon, tue], minReplicas: 4}
"""


def test_a_manifest() -> None:
    read = read_pod_autoscaler(MANIFEST)
    assert read.strategy == "APA"
    assert read.settings == {
        "min_replicas": 2,
        "max_replicas": 9,
        "max_scale_up_rate": 3.0,
        "scale_down_cooldown_s": 120.0,
        "stable_window_s": 120.0,
        "metrics": ("kv-cache",),
        "targets": ("0.5",),
    }
    assert read.schedules == (
        ScheduledBounds(name="day", days=(0, 1), start_minute=480, end_minute=1080, min_replicas=4),
    )


def test_the_minimum_is_one_by_default() -> None:
    assert read_pod_autoscaler(MANIFEST.replace("  minReplicas: 2\n", "", 1)).settings["min_replicas"] == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "minReplicas: 2",
            "minReplicas: -1",
            "spec.minReplicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        ("maxReplicas: 9", "maxReplicas: 1", r"spec.minReplicas: Invalid value: 2: must be less .* \(1\)"),
        ("  maxReplicas: 9\n", "", "spec.maxReplicas: Required value"),
        ("maxReplicas: 9", "maxReplica: 9", "did you mean 'maxReplicas'"),
        ("scalingStrategy: APA", "scalingStrategy: HPA", "use the policy hpa"),
        ("scalingStrategy: APA", "scalingStrategy: apa", "Unsupported value"),
        ('targetValue: "0.5"', 'targetValue: "50"', "did you mean 0.5"),
        ('targetValue: "0.5"', "targetValue: 0.5", "targetValue: Invalid value: 0.5: must be a string"),
        ('targetValue: "0.5"', 'targetValue: "50%"', "must be a valid number"),
        ('targetValue: "0.5"', 'targetValue: "0"', "must be a finite number greater than 0"),
        ("gpu_cache_usage_perc", "cache", "Unsupported value"),
        ("metricSourceType: pod", "metricSourceType: resource", "absolute amounts are not simulated"),
        ('max-scale-up-rate: "3"', 'max-scale-up-rate: "0"', "max-scale-up-rate: Invalid value"),
        ("max-scale-up-rate", "max-scaleup-rate", "did you mean"),
        ("cooldown-window: 2m", 'cooldown-window: "120"', "must be a duration with its unit"),
        ("observeWindowSeconds: 120", "observeWindowSeconds: 30", r"panicWindowSeconds: .*observeWindowSeconds \(30\)"),
        ("observeWindowSeconds: 120", "observeWindowSeconds: 4000", "must be less than or equal to 3600"),
        ("observeWindowSeconds: 120", "predictive: {mode: Auto}", "predictive scaling is not emulated"),
        (
            'startTime: "08:00"',
            'startTime: "8:00"',
            r"schedules\[0\].startTime: Invalid value: \"8:00\": must use HH:MM",
        ),
        ('endTime: "18:00"', 'endTime: "07:00"', "must be earlier than endTime"),
        ("[Mon, tue]", "[Mon, someday]", r"daysOfWeek\[1\]: Invalid value"),
        (", minReplicas: 4}", "}", "at least one of minReplicas or maxReplicas"),
        (", minReplicas: 4}", ", minReplicas: 40}", "must not be greater than the maxReplicas"),
        (
            "minReplicas: 4}",
            "minReplicas: 4}\n  - {name: day, startTime: '20:00', endTime: '21:00', maxReplicas: 9}",
            "dupl",
        ),
        (
            "minReplicas: 4}",
            "minReplicas: 4}\n  - {name: b, startTime: '09:00', endTime: '21:00', maxReplicas: 9}",
            "overl",
        ),
    ],
)
def test_wrong_manifests_are_refused_with_their_path(old: str, new: str, message: str) -> None:
    assert old in MANIFEST
    with pytest.raises(ParameterError, match=message) as caught:
        read_pod_autoscaler(MANIFEST.replace(old, new, 1))
    assert "\n" not in str(caught.value)
