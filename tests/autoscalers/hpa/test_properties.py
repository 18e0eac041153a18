"""What holds for every HPA, whatever the numbers."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.hpa import Hpa, Memory, Settings, reconcile
from hindscale.autoscalers.hpa.behavior import (
    Behavior,
    PolicyType,
    Recommendation,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    logged_recommendation,
)
from hindscale.autoscalers.hpa.calculator import Proposal, replicas_for_average, replicas_for_utilization
from hindscale.autoscalers.hpa.manifest import read_manifest
from hindscale.autoscalers.hpa.metrics import DEFAULT_METRIC, Failure
from hindscale.autoscalers.hpa.pods import Pod, PodPhase, Reading, group_pods

policies = st.builds(
    ScalingPolicy,
    type=st.sampled_from(PolicyType),
    value=st.integers(1, 200),
    period_s=st.sampled_from([15.0, 60.0, 1800.0]),
)
rules = st.builds(
    ScalingRules,
    stabilization_window_s=st.sampled_from([0.0, 60.0, 300.0, 3600.0]),
    select_policy=st.sampled_from(SelectPolicy),
    policies=st.lists(policies, min_size=1, max_size=3).map(tuple),
)
behaviors = st.none() | st.builds(Behavior, scale_up=rules, scale_down=rules)
proposals = st.integers(0, 300).map(lambda replicas: Proposal(replicas=replicas)) | st.just(
    Failure(reason="FailedGetResourceMetric", message="no metrics")
)
wishes = st.lists(proposals, min_size=1, max_size=40)


def walk(hpa: Hpa, wanted: list[Proposal | Failure], start: int) -> tuple[list[int], Memory]:
    memory, current, sizes = Memory(), start, []
    for tick, proposal in enumerate(wanted):
        outcome, memory = reconcile(hpa, memory, current=current, proposals=[proposal], now_s=15.0 * tick)
        current = outcome.replicas
        sizes.append(current)
    return sizes, memory


@given(wanted=wishes, behavior=behaviors, low=st.integers(1, 20), extra=st.integers(0, 80), start=st.integers(1, 200))
def test_bounds_hold_from_the_first_pass_on(
    wanted: list[Proposal | Failure], behavior: Behavior | None, low: int, extra: int, start: int
) -> None:
    hpa = Hpa(min_replicas=low, max_replicas=low + extra, metrics=(DEFAULT_METRIC,), behavior=behavior)
    sizes, _ = walk(hpa, wanted, start)
    outside = not low <= start <= low + extra
    first_failed = isinstance(wanted[0], Failure) and not outside
    assert all(low <= size <= low + extra for size in sizes[first_failed:]) or sizes[0] == start


@given(wanted=wishes, behavior=behaviors, cut=st.integers(0, 40))
def test_nothing_looks_into_the_future(wanted: list[Proposal | Failure], behavior: Behavior | None, cut: int) -> None:
    hpa = Hpa(max_replicas=100, metrics=(DEFAULT_METRIC,), behavior=behavior)
    assert walk(hpa, wanted, 5)[0][:cut] == walk(hpa, wanted[:cut], 5)[0]


@given(wanted=st.lists(st.integers(0, 300), min_size=500, max_size=500), behavior=behaviors)
def test_the_logs_stop_growing(wanted: list[int], behavior: Behavior | None) -> None:
    hpa = Hpa(max_replicas=100, metrics=(DEFAULT_METRIC,), behavior=behavior)
    _, memory = walk(hpa, [Proposal(replicas=each) for each in wanted], 5)
    assert len(memory.recommendations) <= 3600 / 15 + 2
    assert len(memory.up_events) <= 1800 / 15 + 2
    assert len(memory.down_events) <= 1800 / 15 + 2


@given(wanted=wishes, start=st.integers(1, 50))
def test_defaults_written_out_are_defaults_left_out(wanted: list[Proposal | Failure], start: int) -> None:
    head = (
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n"
        "spec:\n  scaleTargetRef: {kind: Deployment, name: chat}\n  maxReplicas: 40\n"
    )
    left_out = read_manifest(head + "  behavior: {}\n")
    written_out = read_manifest(
        head
        + "  minReplicas: 1\n"
        + "  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]\n"
        + "  behavior:\n"
        + "    scaleUp:\n      stabilizationWindowSeconds: 0\n      selectPolicy: Max\n"
        + "      policies:\n      - {type: Pods, value: 4, periodSeconds: 15}\n"
        + "      - {type: Percent, value: 100, periodSeconds: 15}\n"
        + "    scaleDown:\n      stabilizationWindowSeconds: 300\n      selectPolicy: Max\n"
        + "      policies: [{type: Percent, value: 100, periodSeconds: 15}]\n"
    )
    assert walk(left_out, wanted, start) == walk(written_out, wanted, start)


@given(
    values=st.lists(st.integers(0, 5000), min_size=1, max_size=8),
    missing=st.integers(0, 4),
    pending=st.integers(0, 4),
    target=st.integers(1, 150),
)
def test_an_entry_for_several_pods_stands_for_each_of_them(
    values: list[int], missing: int, pending: int, target: int
) -> None:
    value = values[0]
    many = [Pod(name=f"r{index}", requests={"cpu": 1000}) for index in range(len(values))]
    many += [Pod(name=f"m{index}", requests={"cpu": 1000}) for index in range(missing)]
    many += [Pod(name=f"p{index}", requests={"cpu": 1000}, phase=PodPhase.PENDING) for index in range(pending)]
    few = [Pod(name="r0", requests={"cpu": 1000}, count=len(values))]
    few += [Pod(name="m0", requests={"cpu": 1000}, count=missing)] if missing else []
    few += [Pod(name="p0", requests={"cpu": 1000}, phase=PodPhase.PENDING, count=pending)] if pending else []
    seen = {f"r{index}": Reading(value_milli=value) for index in range(len(values))}
    one = {"r0": Reading(value_milli=value)}
    current = len(values) + missing + pending
    assert replicas_for_utilization(
        many, seen, target_percent=target, current=current, now_s=400
    ) == replicas_for_utilization(few, one, target_percent=target, current=current, now_s=400)
    assert replicas_for_average(many, seen, target_milli=target * 10, current=current) == replicas_for_average(
        few, one, target_milli=target * 10, current=current
    )


@given(
    phases=st.lists(st.sampled_from(PodPhase), max_size=8),
    measured=st.integers(0, 8),
    deleting=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_every_pod_is_in_one_group(phases: list[PodPhase], measured: int, deleting: list[bool]) -> None:
    pods = [
        Pod(name=str(index), phase=phase, is_deleting=deleting[index], started_s=index * 100.0)
        for index, phase in enumerate(phases)
    ]
    seen = {str(index): Reading(value_milli=1, time_s=500) for index in range(measured)}
    groups = group_pods(pods, seen, resource="cpu", now_s=600)
    sorted_into = [*groups.ready, *groups.unready, *groups.missing, *groups.ignored]
    assert sorted(pod.name for pod in sorted_into) == sorted(pod.name for pod in pods)


@given(times=st.lists(st.floats(0, 1000), max_size=10), before_s=st.floats(0, 1000))
def test_the_log_grows_only_if_nothing_in_it_is_outdated(times: list[float], before_s: float) -> None:
    log = tuple(Recommendation(replicas=1, time_s=time_s) for time_s in times)
    after = logged_recommendation(log, 7, now_s=1000.0, outdated_before_s=before_s)
    grows = all(time_s >= before_s for time_s in times)
    assert len(after) == len(log) + grows
    assert after.count(Recommendation(replicas=7, time_s=1000.0)) == 1


def test_a_controller_restart_forgets_the_window() -> None:
    hpa = Hpa(max_replicas=100, metrics=(DEFAULT_METRIC,))
    log = (Recommendation(replicas=30, time_s=900.0),)
    held, _ = reconcile(hpa, Memory(recommendations=log), current=20, proposals=[Proposal(replicas=2)], now_s=1000.0)
    restarted, _ = reconcile(hpa, Memory(), current=20, proposals=[Proposal(replicas=2)], now_s=1000.0)
    assert held.replicas == 30  # what was wanted 100 s ago, though there are only 20
    assert restarted.replicas == 20  # the seed: at least it does not shrink


def test_the_operators_own_window_holds_where_behavior_says_none() -> None:
    hpa = Hpa(max_replicas=100, metrics=(DEFAULT_METRIC,), behavior=Behavior())
    log = (Recommendation(replicas=9, time_s=0.0),)
    for window_s, expected in ((300.0, 9), (60.0, 2)):
        outcome, _ = reconcile(
            hpa,
            Memory(recommendations=log),
            current=9,
            proposals=[Proposal(replicas=2)],
            now_s=100.0,
            settings=replace(Settings(), downscale_stabilization_s=window_s),
        )
        assert outcome.replicas == expected
