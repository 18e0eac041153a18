"""What a policy is written as is read back as the same policy: every emulated autoscaler, every parameter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from hindscale.autoscalers.writing import Workload
from hindscale.core import Observation, ParameterError, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.policies import POLICIES, build_policy
from hindscale.policies._writing import Emittable
from strategies import histories

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), min_replicas=1, max_replicas=30)
CHAT = Workload(name="chat", namespace="prod", min_replicas=1, max_replicas=30)
EMITTED = tuple(name for name, cls in POLICIES.classes.items() if hasattr(cls, "as_manifest"))

positive = st.floats(0.05, 500.0)
seconds = st.integers(0, 900).map(float)
share = st.floats(0.0, 0.9)
bounds = {"min_replicas": st.integers(1, 5), "max_replicas": st.integers(5, 60)}
percents = st.integers(1, 150).map(float)
rules = st.lists(
    st.builds("{} {}/{}s".format, st.sampled_from(["Pods", "Percent"]), st.integers(1, 200), st.integers(1, 1800)),
    min_size=1,
    max_size=3,
).map(tuple)
hpa_rules = {
    f"{way}_{what}": strategy
    for way in ("scale_up", "scale_down")
    for what, strategy in {
        "stabilization_s": st.integers(0, 3600),
        "select": st.sampled_from(["Max", "Min", "Disabled"]),
        "policies": rules,
    }.items()
}
controller = {
    "tolerance": share,
    "downscale_stabilization_s": seconds,
    "version": st.sampled_from(["1.28", "1.33", "newest"]),
}
cloud = {**bounds, "statistic": st.sampled_from(["Average", "Minimum", "Maximum"])}
ess_metrics = st.sampled_from(["cpu", "memory", "accelerator", "qps-per-replica"])
triggered = {
    **cloud,
    "metric": ess_metrics,
    "scale_out_threshold": st.floats(50, 90),
    "scale_in_threshold": st.floats(1, 40),
    "adjustment_type": st.sampled_from(["QuantityChangeInCapacity", "PercentChangeInCapacity"]),
    "min_adjustment_magnitude": st.integers(0, 5),
    "evaluation_count": st.integers(1, 5),
    "period_s": st.sampled_from([60.0, 120.0]),
}
aibrix = {
    **bounds,
    "stable_window_s": st.integers(60, 3600).map(float),
    "panic_window_s": st.integers(1, 60).map(float),
    "max_scale_up_rate": positive,
    "max_scale_down_rate": positive,
    "up_tolerance": share,
    "down_tolerance": share,
    "panic_threshold": positive,
    "scale_up_cooldown_s": seconds,
    "scale_down_cooldown_s": st.floats(0.5, 900.0),
    "interval_s": st.sampled_from([5.0, 10.0]),
}
PARAMETERS: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "hpa": {
        **bounds,
        **hpa_rules,
        **controller,
        "metric": st.sampled_from(["cpu", "memory", "accelerator", "concurrency"]),
        "target": percents,
        "cpu_request": st.sampled_from(["500m", "2"]),
        "memory_request": st.sampled_from(["16Gi"]),
        "metric_window_s": st.sampled_from([15.0, 30.0]),
        "cold_start_s": seconds,
        "interval_s": st.sampled_from([15.0, 30.0]),
    },
    "keda": {
        **controller,
        "metric": st.sampled_from(["concurrency", "queued_requests", "arrival_rate_rps"]),
        "target": positive,
        "activation": st.floats(0, 20),
        "metric_type": st.sampled_from(["AverageValue", "Value"]),
        "min_replica_count": st.integers(0, 5),
        "max_replica_count": st.integers(5, 60),
        "idle_replica_count": st.just(0),
        "polling_interval_s": st.integers(1, 90).map(float),
        "cooldown_period_s": seconds,
        "initial_cooldown_period_s": seconds,
        "interval_s": st.sampled_from([1.0, 15.0]),
    },
    "knative": {
        "metric": st.sampled_from(["concurrency", "rps"]),
        "container_concurrency": st.integers(0, 1000),
        "target": positive,
        "target_utilization_percentage": st.floats(1, 100),
        "window_s": st.integers(6, 3600).map(float),
        "panic_window_percentage": st.floats(1, 100),
        "panic_threshold_percentage": st.floats(110, 1000),
        "max_scale_up_rate": st.floats(1.5, 1000),
        "max_scale_down_rate": st.floats(1.5, 10),
        "target_burst_capacity": st.sampled_from([-1.0, 0.0, 211.5]),
        "min_scale": st.integers(0, 5),
        "max_scale": st.integers(5, 60),
        "initial_scale": st.integers(0, 4),
        "activation_scale": st.integers(5, 5),
        "scale_down_delay_s": seconds,
        "enable_scale_to_zero": st.booleans(),
        "scale_to_zero_grace_period_s": st.floats(1, 90),
        "scale_to_zero_pod_retention_period_s": st.floats(0.5, 90),
        "progress_deadline_s": st.integers(1, 900).map(float),
        "metric_aggregation_algorithm": st.sampled_from(["linear", "weighted-exponential"]),
        "interval_s": st.sampled_from([1.0, 2.0]),
    },
    "ray-serve": {
        **bounds,
        "initial_replicas": st.just(5),
        "target_ongoing_requests": positive,
        "metrics_interval_s": positive,
        "look_back_period_s": positive,
        "smoothing_factor": positive,
        "upscale_smoothing_factor": positive,
        "downscale_smoothing_factor": positive,
        "upscaling_factor": positive,
        "downscaling_factor": positive,
        "upscale_delay_s": seconds,
        "downscale_delay_s": seconds,
        "downscale_to_zero_delay_s": seconds,
        "aggregation_function": st.sampled_from(["mean", "max", "min"]),
        "interval_s": st.sampled_from([1.0, 2.0]),
    },
    "skyserve": {
        **bounds,
        "target_qps_per_replica": positive,
        "num_overprovision": st.integers(0, 5),
        "upscale_delay_s": st.floats(0, 900),
        "downscale_delay_s": st.floats(0, 900),
        "interval_s": st.sampled_from([1.0, 5.0]),
    },
    "aws-target-tracking": {
        **cloud,
        "metric": st.sampled_from(["cpu", "memory", "accelerator", "requests-per-replica", "concurrency-per-replica"]),
        "target_value": positive,
        "disable_scale_in": st.booleans(),
        "scale_out_cooldown_s": seconds,
        "scale_in_cooldown_s": seconds,
        "scale_out_datapoints": st.integers(1, 5),
        "scale_in_datapoints": st.integers(1, 20),
        "low_share": st.floats(0.5, 1.0),
        "interval_s": st.sampled_from([15.0, 60.0]),
    },
    "aws-step-scaling": {
        **cloud,
        "metric": st.sampled_from(["cpu", "memory", "accelerator"]),
        "scale_out_threshold": st.floats(50, 90),
        "scale_out_steps": st.just(("0:12.5=1", "12.5:=4")),
        "scale_in_threshold": st.floats(1, 40),
        "scale_in_steps": st.sampled_from([(), (":0=-1",)]),
        "adjustment_type": st.sampled_from(["ChangeInCapacity", "PercentChangeInCapacity"]),
        "min_adjustment_magnitude": st.integers(0, 5),
        "evaluation_periods": st.integers(3, 5),
        "datapoints_to_alarm": st.integers(1, 3),
        "treat_missing_data": st.sampled_from(["missing", "notBreaching", "breaching", "ignore"]),
        "cooldown_s": seconds,
        "period_s": st.sampled_from([60.0, 120.0]),
        "interval_s": st.sampled_from([15.0, 60.0]),
    },
    "aibrix-apa": {
        **aibrix,
        "metrics": st.just(("running-per-replica",)),
        "targets": st.floats(0.5, 90).map(lambda target: (repr(target),)),
    },
    "aibrix-kpa": {
        **aibrix,
        "metrics": st.just(("total-qps",)),
        "targets": st.floats(0.5, 90).map(lambda target: (repr(target),)),
    },
    "alibaba-target-tracking": {
        **cloud,
        "metric": ess_metrics,
        "target_value": positive,
        "disable_scale_in": st.booleans(),
        "scale_out_evaluation_count": st.integers(1, 5),
        "scale_in_evaluation_count": st.integers(1, 20),
        "estimated_instance_warmup_s": seconds,
        "low_share": st.floats(0.5, 1.0),
        "period_s": st.sampled_from([60.0, 120.0]),
        "interval_s": st.sampled_from([15.0, 60.0]),
    },
    "alibaba-predictive": {
        **bounds,
        "metric": ess_metrics,
        "target_value": positive,
        "predict_only": st.booleans(),
        "value_behavior": st.sampled_from(["PredictiveValueOverrideMax", "PredictiveValueOverrideMaxWithBuffer"]),
        "value_buffer_percent": st.integers(0, 100),
        "task_buffer_s": st.integers(0, 60).map(lambda minutes: 60.0 * minutes),
        "estimated_instance_warmup_s": seconds,
        "interval_s": st.sampled_from([15.0, 60.0]),
    },
    "alibaba-simple": {
        **triggered,
        "scale_out_adjustment": st.integers(1, 9),
        "scale_in_adjustment": st.integers(-9, -1),
        "cooldown_s": seconds,
        "interval_s": st.sampled_from([15.0, 60.0]),
    },
    "alibaba-step": {
        **triggered,
        "scale_out_steps": st.just(("0:2.5=1", "2.5:=3")),
        "scale_in_steps": st.just((":0=-2",)),
        "estimated_instance_warmup_s": seconds,
        "interval_s": st.sampled_from([15.0, 60.0]),
    },
    "target-tracking": {"target_per_replica": positive, "tolerance": share},
}  # fmt: skip
NEEDED = {
    "aibrix-apa": {"metrics": ("running-per-replica",), "targets": ("4",)},
    "aibrix-kpa": {"metrics": ("total-qps",), "targets": ("4",)},
}
# They name a file, or choose in one; several signals and targets need one too.
OF_FILES = {"manifest", "config_map", "deployment", "signals", "targets", "begins_at_s"}
# They need others to go with them: tests of their own have them.
ELSEWHERE = {"scale_to_zero", "estimated_instance_warmup_s", "period_s"}


def emittable(name: str, given: Mapping[str, object]) -> Any:
    policy = build_policy(name, SPEC, {**NEEDED.get(name, {}), **given})
    assert isinstance(policy, Emittable)
    return policy


def read_back(policy: Any) -> Any:
    written = policy.as_manifest(CHAT)
    return build_policy(written.reader, SPEC, written.parameters(written.text))


def decisions(policy: Policy[Any], history: list[Observation]) -> list[int]:
    state, decided = policy.initial_state(), []
    for each in history:
        decision, state = policy.decide(each, state)
        decided.append(decision.desired_replicas)
    return decided


@pytest.mark.parametrize("name", sorted(set(EMITTED) - {"target-tracking"}))
@given(data=st.data())
def test_what_is_written_is_read_back_and_decides_the_same(name: str, data: st.DataObject) -> None:
    given_ = data.draw(st.fixed_dictionaries({}, optional=dict(PARAMETERS[name])))
    history = data.draw(histories())
    try:
        policy = emittable(name, given_)
        again = read_back(policy)
    except ParameterError:  # parameters that contradict each other, or that the format refuses
        assume(False)
        raise
    assert again.as_manifest(CHAT).means_the_same_as(policy.as_manifest(CHAT))
    assert decisions(again, history) == decisions(policy, history)


@pytest.mark.parametrize("name", ["aws-target-tracking", "alibaba-target-tracking", "knative", "ray-serve", "skyserve"])
@given(data=st.data())
def test_where_a_reader_gives_every_parameter_they_are_equal_one_by_one(name: str, data: st.DataObject) -> None:
    given_ = data.draw(st.fixed_dictionaries({}, optional=dict(PARAMETERS[name])))
    try:
        policy = emittable(name, given_)
        again = read_back(policy)
    except ParameterError:
        assume(False)
        raise
    assert dataclasses.replace(again, manifest="") == policy


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, parameter) for name in EMITTED for parameter in PARAMETERS.get(name, {})],
)
def test_no_parameter_is_lost(name: str, parameter: str) -> None:
    """Another value of any parameter gives another manifest, or something else beside it, or is refused."""
    matter = {"hpa": {"metric": "cpu"}}.get(name, {}) | MATTERS.get((name, parameter), {})
    usual = emittable(name, matter).as_manifest(CHAT)
    other = OTHERS.get((name, parameter), OTHER.get(parameter))
    try:
        changed = emittable(name, {**matter, parameter: other}).as_manifest(CHAT)
    except ParameterError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert not changed.means_the_same_as(usual)
    assert not refusal or parameter in refusal


MATTERS: Mapping[tuple[str, str], Mapping[str, object]] = {
    ("keda", "idle_replica_count"): {"min_replica_count": 2},
    ("aws-step-scaling", "scale_in_threshold"): {"metric": "cpu"},
    ("alibaba-simple", "min_adjustment_magnitude"): {"adjustment_type": "PercentChangeInCapacity"},
    ("alibaba-step", "min_adjustment_magnitude"): {"adjustment_type": "PercentChangeInCapacity"},
}
OTHER: Mapping[str, object] = {
    "min_replicas": 2, "max_replicas": 17, "min_scale": 2, "max_scale": 17, "initial_scale": 3, "activation_scale": 4,
    "min_replica_count": 2, "max_replica_count": 17, "idle_replica_count": 0, "initial_replicas": 1,
    "metric": "memory", "target": 61.0, "target_value": 33.5, "target_per_replica": 3.3, "tolerance": 0.05,
    "scale_up_stabilization_s": 30, "scale_up_select": "Min", "scale_up_policies": ("Pods 3/30s",),
    "scale_down_stabilization_s": 30, "scale_down_select": "Min", "scale_down_policies": ("Pods 3/30s",),
    "downscale_stabilization_s": 120.0, "version": "1.28", "cpu_request": "500m", "memory_request": "4Gi",
    "metric_window_s": 30.0, "cold_start_s": 77.0, "interval_s": 5.0, "activation": 2.0, "metric_type": "Value",
    "polling_interval_s": 7.0, "cooldown_period_s": 33.0, "initial_cooldown_period_s": 33.0, "container_concurrency": 9,
    "target_utilization_percentage": 55.5, "window_s": 90.0, "panic_window_percentage": 20.0,
    "panic_threshold_percentage": 300.0, "max_scale_up_rate": 3.0, "max_scale_down_rate": 3.0,
    "target_burst_capacity": -1.0, "scale_down_delay_s": 30.0, "enable_scale_to_zero": False,
    "scale_to_zero_grace_period_s": 45.0, "scale_to_zero_pod_retention_period_s": 45.0, "progress_deadline_s": 45.0,
    "metric_aggregation_algorithm": "weighted-exponential", "target_ongoing_requests": 3.5, "metrics_interval_s": 5.0,
    "look_back_period_s": 20.0, "smoothing_factor": 0.5, "upscale_smoothing_factor": 0.5,
    "downscale_smoothing_factor": 0.5, "upscaling_factor": 0.5, "downscaling_factor": 0.5, "upscale_delay_s": 7.0,
    "downscale_delay_s": 7.0, "downscale_to_zero_delay_s": 7.0, "aggregation_function": "max",
    "target_qps_per_replica": 3.3, "num_overprovision": 2, "statistic": "Maximum", "disable_scale_in": True,
    "scale_out_cooldown_s": 33.0, "scale_in_cooldown_s": 33.0, "scale_out_datapoints": 2, "scale_in_datapoints": 7,
    "low_share": 0.8, "scale_out_threshold": 77.0, "scale_out_steps": ("0:=2",), "scale_in_threshold": 1.5,
    "scale_in_steps": (":0=-2",), "min_adjustment_magnitude": 3, "evaluation_periods": 3, "datapoints_to_alarm": 1,
    "treat_missing_data": "breaching", "cooldown_s": 33.0, "period_s": 120.0, "stable_window_s": 240.0,
    "panic_window_s": 30.0, "up_tolerance": 0.2, "down_tolerance": 0.2, "panic_threshold": 3.0,
    "scale_up_cooldown_s": 30.0, "scale_down_cooldown_s": 30.0, "scale_out_evaluation_count": 2,
    "scale_in_evaluation_count": 2, "estimated_instance_warmup_s": 60.0, "predict_only": True,
    "value_behavior": "PredictiveValueOverrideMax", "value_buffer_percent": 10, "task_buffer_s": 120.0,
    "evaluation_count": 2, "scale_out_adjustment": 2, "scale_in_adjustment": -2,
}  # fmt: skip
OTHERS: Mapping[tuple[str, str], object] = {
    ("keda", "metric"): "queued_requests",
    ("knative", "metric"): "rps",
    ("aibrix-apa", "metrics"): ("waiting-per-replica",),
    ("aibrix-apa", "targets"): ("4.0000001",),
    ("aibrix-kpa", "metrics"): ("total-concurrency",),
    ("aibrix-kpa", "targets"): ("4.0000001",),
    ("aws-step-scaling", "adjustment_type"): "ChangeInCapacity",
    ("alibaba-simple", "adjustment_type"): "PercentChangeInCapacity",
    ("alibaba-step", "adjustment_type"): "PercentChangeInCapacity",
    ("knative", "interval_s"): 1.0,
    ("skyserve", "interval_s"): 1.0,
    ("ray-serve", "interval_s"): 2.0,
}


def test_the_tables_above_know_every_parameter() -> None:
    for name in EMITTED:
        fields = {field.name for field in dataclasses.fields(POLICIES.classes[name]) if field.init}
        assert not fields - set(PARAMETERS[name]) - OF_FILES - ELSEWHERE, name


@pytest.mark.parametrize("name", EMITTED)
def test_every_reader_of_yaml_takes_it_for_the_same(name: str) -> None:
    written = emittable(name, {}).as_manifest(CHAT)
    assert list(yaml.safe_load_all(written.text)) == list(written.documents)


@pytest.mark.parametrize(
    ("name", "given_", "message"),
    [
        ("keda", {"polling_interval_s": 7.5}, "pollingInterval takes whole seconds, was 7.5; round it"),
        (
            "aws-target-tracking",
            {"metric": "qps-per-replica"},
            (
                "metric=qps-per-replica: AWS publishes none such; known: cpu, memory, accelerator,"
                " requests-per-replica, concurrency-per-replica"
            ),
        ),
        (
            "aws-target-tracking",
            {"metric": "memory", "estimated_instance_warmup_s": 60.0},
            (
                "metric=memory: an Auto Scaling group of EC2 (estimated_instance_warmup_s is given) publishes"
                " none such; known: cpu"
            ),
        ),
        (
            "aws-target-tracking",
            {"metric": "concurrency-per-replica", "period_s": 30.0},
            (
                "period_s=30: Application Auto Scaling takes datapoints of a minute, or of 10 s for the average of this"
                " metric; leave it out"
            ),
        ),
        (
            "alibaba-step",
            {"metric": "concurrency-per-replica"},
            "metric=concurrency-per-replica: ESS scales on none such; known: cpu, memory, accelerator, qps-per-replica",
        ),
        (
            "alibaba-predictive",
            {"task_buffer_s": 90.0},
            "PredictiveTaskBufferTime takes whole minutes, was 90 s; round it",
        ),
        (
            "aibrix-apa",
            {"metrics": ("cpu",)},
            (
                "metric cpu: AIBrix would read absolute amounts of it, not a share; known: concurrency-per-replica,"
                " qps-per-replica, kv-cache, waiting-per-replica, running-per-replica, total-concurrency, total-qps"
            ),
        ),
    ],
)
def test_what_a_format_cannot_carry_is_refused(name: str, given_: Mapping[str, object], message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        emittable(name, given_).as_manifest(CHAT)
    assert str(raised.value) == message


def test_a_group_of_ec2_goes_by_warm_up() -> None:
    given_ = {"metric": "cpu", "estimated_instance_warmup_s": 90.0, "period_s": 10.0}
    for name, more in (("aws-target-tracking", {}), ("aws-step-scaling", {})):
        policy = emittable(name, {**given_, **more})
        document = policy.as_manifest(CHAT).documents[0]
        assert (document["MinSize"], document["MaxSize"]) == (1, 30)
        assert read_back(policy).estimated_instance_warmup_s == 90.0
        assert read_back(policy).period_s == 10.0
        assert "Cooldown" not in str(document)


def test_a_cluster_that_scales_an_hpa_to_zero_needs_its_gate(tmp_path: Any) -> None:
    path = tmp_path / "hpa.yaml"
    path.write_text(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec:\n"
        "  scaleTargetRef: {kind: Deployment, name: m}\n  minReplicas: 0\n  maxReplicas: 9\n  metrics:\n"
        "  - {type: External, external: {metric: {name: queue}, target: {type: Value, value: 2500m}}}\n"
    )
    policy = emittable("hpa", {"manifest": str(path), "scale_to_zero": True, "signals": ("queue=queued_requests",)})
    written = policy.as_manifest(CHAT)
    assert written.parameters("") == {
        "manifest": "",
        "scale_to_zero": True,
        "signals": ("queue=queued_requests",),
    }
    assert any(note.startswith("Written anew from ") for note in written.notes)
    assert read_back(policy).as_manifest(CHAT).means_the_same_as(written)


@pytest.mark.parametrize(
    ("name", "given_", "signal"),
    [
        ("hpa", {"metric": "accelerator"}, "accelerator_percent"),
        ("hpa", {"metric": "concurrency"}, "concurrency"),
        ("target-tracking", {}, "concurrency"),
    ],
)
def test_a_metric_may_be_called_as_it_is_where_it_runs(name: str, given_: dict[str, object], signal: str) -> None:
    there = dataclasses.replace(CHAT, metric="vllm:num_requests_running")
    policy = emittable(name, given_)
    written = policy.as_manifest(there)
    assert 'name: "vllm:num_requests_running"' in written.text
    assert written.parameters("")["signals"] == (f"vllm:num_requests_running={signal}",)
    again = build_policy(written.reader, SPEC, written.parameters(written.text))
    assert again.as_manifest(there).means_the_same_as(written)


def test_a_metric_of_kubernetes_itself_keeps_its_name() -> None:
    policy = emittable("hpa", {"metric": "cpu"})
    with pytest.raises(ParameterError, match="metric 'gpu' would name one metric of the user's own, but this follows"):
        policy.as_manifest(dataclasses.replace(CHAT, metric="gpu"))


KEDA = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: m, annotations: {autoscaling.keda.sh/paused-scale-in: "true"}}
spec:
  scaleTargetRef: {name: m}
  fallback: {failureThreshold: 3, replicas: 6, behavior: currentReplicas}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleUp: {tolerance: 0.00001, policies: [{type: Pods, value: 4, periodSeconds: 60}]}}
    scalingModifiers: {formula: "queue + 2 * load", target: "1.001", activationTarget: "0.5"}
  triggers:
  - {type: prometheus, name: queue, metadata: {serverAddress: "http://p", query: q, threshold: "1.001"}}
  - {type: external, name: load, metadata: {scalerAddress: "s:1"}, useCachedMetrics: true}
  - {type: cpu, metricType: Utilization, metadata: {value: "60"}}
"""


def test_everything_of_a_scaled_object_is_written_again() -> None:
    given_ = {"manifest": KEDA, "signals": ("queue=queued_requests", "load=concurrency"), "targets": ("load=4",)}
    policy = emittable("keda", given_)
    document = policy.as_manifest(CHAT).documents[0]
    assert document["metadata"]["annotations"] == {"autoscaling.keda.sh/paused-scale-in": "true"}
    assert document["spec"]["fallback"] == {"failureThreshold": 3, "replicas": 6, "behavior": "currentReplicas"}
    behavior = document["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"]["tolerance"] == "0.00001"
    assert read_back(policy).as_manifest(CHAT).means_the_same_as(policy.as_manifest(CHAT))


def test_an_object_metric_cannot_be_written_without_its_object() -> None:
    manifest = (
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec:\n"
        "  scaleTargetRef: {kind: Deployment, name: m}\n  maxReplicas: 9\n  metrics:\n"
        "  - type: Object\n    object: {describedObject: {kind: Service, name: s}, metric: {name: queue},\n"
        "      target: {type: Value, value: 2}}\n"
    )
    policy = emittable("hpa", {"manifest": manifest, "signals": ("queue=queued_requests",)})
    with pytest.raises(ParameterError, match="metric 'queue': the object that it describes is not kept"):
        policy.as_manifest(CHAT)


@given(
    target=positive,
    tolerance=st.sampled_from([0.0, 0.05, 0.1, 0.3]),
    loads=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 50)), min_size=1, max_size=40),
)
def test_target_tracking_as_an_hpa_decides_by_the_same_rule(
    target: float, tolerance: float, loads: list[tuple[int, int]]
) -> None:
    # In thousandths: what an HPA counts in.
    policy = emittable("target-tracking", {"target_per_replica": round(target, 3), "tolerance": tolerance})
    at_once = dataclasses.replace(CHAT, scale_down_window_s=0.0, max_replicas=10_000)
    written = policy.as_manifest(at_once)
    hpa = build_policy(written.reader, SPEC, written.parameters(written.text))
    state, replicas = hpa.initial_state(), 3
    for tick, (ongoing, queued) in enumerate(loads):
        seen = Observation(
            time_s=15.0 * tick,
            measured_at_s=15.0 * tick,
            ready_replicas=replicas,
            arrival_rate_rps=1.0,
            ongoing_requests=float(ongoing),
            queued_requests=float(queued),
        )
        wanted = max(1, policy.decide(seen, None)[0].desired_replicas)
        decision, state = hpa.decide(seen, state)
        assert decision.desired_replicas == wanted
        replicas = wanted
