"""Manifests as people write them."""

from __future__ import annotations

import pytest

from hindscale.autoscalers.hpa import TargetType
from hindscale.autoscalers.keda import Fallback, FallbackBehavior, ScaledObject, hpa_of, load_scaled_object
from hindscale.autoscalers.keda._annotations import Pauses
from hindscale.core import ParameterError

MANIFEST = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: llama
  annotations:
    autoscaling.keda.sh/paused-scale-in: "true"
    example.com/owner: ml
spec:
  scaleTargetRef:
    name: llama
  pollingInterval: 10
  cooldownPeriod: 600
  minReplicaCount: 2
  maxReplicaCount: 30
  idleReplicaCount: 0
  fallback:
    failureThreshold: 3
    replicas: 6
  advanced:
    restoreToOriginalReplicaCount: true
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown:
          stabilizationWindowSeconds: 60
    scalingModifiers:
      formula: "queue + running / 2"
      target: "7.5"
      activationTarget: "1"
  triggers:
    - type: prometheus
      name: queue
      metadata:
        serverAddress: http://prometheus:9090
        query: sum(vllm:num_requests_waiting)
        threshold: "5"
        activationThreshold: "0.5"
    - type: external
      name: running
      metricType: Value
      metadata:
        scalerAddress: scaler:6000
    - type: cpu
      metricType: Utilization
      metadata:
        value: "80"
"""


def test_everything_that_decides_is_read() -> None:
    scaled = load_scaled_object(MANIFEST)
    queue, running, cpu = scaled.triggers
    assert (queue.target_milli, queue.activation, queue.label) == (5000, 0.5, "queue")
    assert (running.target_milli, running.target_type, running.is_external) == (None, TargetType.VALUE, True)
    assert (cpu.target_milli, cpu.target_type, cpu.is_resource) == (80, TargetType.UTILIZATION, True)
    assert (scaled.min_replica_count, scaled.max_replica_count, scaled.idle_replica_count) == (2, 30, 0)
    assert (scaled.polling_interval_s, scaled.cooldown_period_s, scaled.initial_cooldown_period_s) == (10.0, 600.0, 0.0)
    assert scaled.fallback == Fallback(failure_threshold=3, replicas=6, behavior=FallbackBehavior.STATIC)
    assert scaled.pauses == Pauses(is_scale_in_paused=True)
    assert scaled.modifiers is not None
    assert (scaled.modifiers.target_milli, scaled.modifiers.activation_target) == (7500, 1.0)
    assert scaled.modifiers.formula.value({"queue": 3.0, "running": 4.0}) == 5.0
    assert scaled.behavior is not None
    assert scaled.behavior.scale_down.stabilization_window_s == 60.0
    assert [metric.name for metric in hpa_of(scaled).metrics] == ["cpu", "composite-metric"]


MINIMAL = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
spec:
  scaleTargetRef: {name: x}
  triggers:
    - type: prometheus
      metadata: {serverAddress: "http://p", query: q, threshold: "5"}
"""


def test_defaults_written_out_behave_like_defaults_left_out() -> None:
    written = MINIMAL.replace(
        "scaleTargetRef: {name: x}",
        "scaleTargetRef: {name: x}\n  pollingInterval: 30\n  cooldownPeriod: 300\n  initialCooldownPeriod: 0"
        "\n  minReplicaCount: 0\n  maxReplicaCount: 100",
    ).replace("- type: prometheus", "- type: prometheus\n      metricType: AverageValue\n      useCachedMetrics: false")
    written = written.replace('threshold: "5"', 'threshold: "5", activationThreshold: "0"')
    one, other = load_scaled_object(written), load_scaled_object(MINIMAL)
    assert hpa_of(one) == hpa_of(other)
    for scaled in (one, other):
        assert scaled.triggers[0].activation == 0.0
        assert (scaled.polling_interval_s, scaled.cooldown_period_s, scaled.max_replica_count) == (30.0, 300.0, 100)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("minReplicaCount: 2", "minReplicaCount: -1", "spec.minReplicaCount: Invalid value: -1"),
        ("minReplicaCount: 2", "minReplicaCount: 31", "must be less than or equal to maxReplicaCount=30"),
        ("idleReplicaCount: 0", "idleReplicaCount: 2", "spec.idleReplicaCount: Invalid value: 2: must be less than"),
        (
            "pollingInterval: 10",
            "pollingInterval: 10s",
            'Invalid value: "10s": must be an integer',
        ),
        ("pollingInterval: 10", "pollInterval: 10", "did you mean 'pollingInterval'?"),
        ('threshold: "5"', 'treshold: "5"', "spec.triggers[0].metadata.threshold: Required value"),
        ('threshold: "5"', 'threshold: "0"', "must be greater than 0"),
        ('threshold: "5"', "threshold: 5", "must be a string"),
        ("metricType: Value", "metricType: Utilization", "Utilization is for cpu and memory only"),
        ("metricType: Utilization", "metricType: Value", "cpu is held against Utilization or AverageValue"),
        ('value: "80"', 'value: "80%"', "did you mean 80?"),
        ("scalerAddress: scaler:6000", "address: x", "metadata.scalerAddress: Required value"),
        ("queue + running / 2", "queue + waiting", "no external trigger is named 'waiting'"),
        ("queue + running / 2", "queue +", "spec.advanced.scalingModifiers.formula: Invalid value"),
        ('target: "7.5"', 'target: "0"', "spec.advanced.scalingModifiers.target: Invalid value"),
        ("name: running", "name: queue", "must be unique"),
        ("failureThreshold: 3", "failureThreshold: -3", "spec.fallback.failureThreshold: Invalid value: -3"),
        ("paused-scale-in", "paused-scalein", "did you mean 'paused-scale-in'?"),
        ('"true"', '"maybe"', "must be a boolean"),
        ("kind: ScaledObject", "kind: ScaledJob", "Unsupported value"),
    ],
)
def test_a_wrong_field_is_named(old: str, new: str, message: str) -> None:
    assert old in MANIFEST
    with pytest.raises(ParameterError) as raised:
        load_scaled_object(MANIFEST.replace(old, new, 1))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_fallback_needs_a_trigger_that_is_not_cpu_or_memory() -> None:
    text = MINIMAL.replace("type: prometheus", "type: cpu\n      metricType: Utilization").replace("threshold", "value")
    with pytest.raises(ParameterError, match="cpu and memory triggers have no fallback"):
        load_scaled_object(text.replace("triggers:", "fallback: {failureThreshold: 1, replicas: 1}\n  triggers:"))


def test_a_target_that_only_the_scaler_knows_is_asked_for() -> None:
    text = MINIMAL.replace("type: prometheus", "type: external").replace("serverAddress", "scalerAddress")
    scaled = load_scaled_object(text)
    with pytest.raises(ParameterError, match="targets=s0=10"):
        hpa_of(scaled)


def test_counts_are_checked_however_they_are_given() -> None:
    triggers = load_scaled_object(MINIMAL).triggers
    with pytest.raises(ParameterError, match="minReplicaCount=5"):
        ScaledObject(triggers=triggers, min_replica_count=5, max_replica_count=4)
    with pytest.raises(ParameterError, match="idleReplicaCount=5"):
        ScaledObject(triggers=triggers, min_replica_count=5, idle_replica_count=5)
