from __future__ import annotations

from typing import Any

import pytest

from hindscale.autoscalers.hpa import Failure, Metric, MetricType, Settings, TargetType, propose, release_of
from hindscale.autoscalers.hpa.calculator import Proposal
from hindscale.autoscalers.hpa.pods import Pod, Readiness, Reading
from hindscale.autoscalers.hpa.settings import V1_28
from hindscale.autoscalers.hpa.tolerance import Tolerance
from hindscale.core import ParameterError

PODS = (Pod(name="a", requests={"cpu": 1000, "memory": 1000}, count=4),)
SEEN = {"a": Reading(value_milli=900)}


def wanted(kind: MetricType, target_type: TargetType, target: int, sample: Any, **given: Any) -> Proposal | Failure:
    metric = Metric(type=kind, name=given.pop("name", "cpu"), target_type=target_type, target=target)
    state: dict[str, Any] = {"pods": PODS, "current": 4, "status_replicas": 6, "now_s": 400.0} | given
    return propose(metric, sample, **state)


@pytest.mark.parametrize(
    ("kind", "target_type", "target", "sample", "replicas"),
    [
        (MetricType.RESOURCE, TargetType.UTILIZATION, 60, SEEN, 6),  # 90/60 * 4
        (MetricType.RESOURCE, TargetType.AVERAGE_VALUE, 600, SEEN, 6),  # 900/600 * 4
        (MetricType.CONTAINER_RESOURCE, TargetType.UTILIZATION, 60, SEEN, 6),
        (MetricType.PODS, TargetType.AVERAGE_VALUE, 600, SEEN, 6),
        (MetricType.OBJECT, TargetType.VALUE, 600, (900,), 6),  # 1.5 * 4 ready ones
        (MetricType.OBJECT, TargetType.AVERAGE_VALUE, 600, (900,), 2),  # ceil(1.5)
        (MetricType.EXTERNAL, TargetType.VALUE, 600, (400, 500), 6),
        (MetricType.EXTERNAL, TargetType.AVERAGE_VALUE, 600, (3600,), 6),  # 1.0: the status count
    ],
)
def test_each_metric_goes_by_its_own_rule(
    kind: MetricType, target_type: TargetType, target: int, sample: Any, replicas: int
) -> None:
    proposal = wanted(kind, target_type, target, sample)
    assert isinstance(proposal, Proposal)
    assert proposal.replicas == replicas


@pytest.mark.parametrize("kind", MetricType)
def test_a_failure_names_its_kind_of_metric(kind: MetricType) -> None:
    failure = wanted(kind, TargetType.AVERAGE_VALUE, 600, "the metrics API is down")
    assert failure == Failure(reason=f"FailedGet{kind}Metric", message="the metrics API is down")


def test_an_object_metric_with_several_values_fails() -> None:
    failure = wanted(MetricType.OBJECT, TargetType.VALUE, 600, (900, 900))
    assert failure == Failure(reason="FailedGetObjectMetric", message="expected one value of the object metric, got 2")


def test_a_pods_metric_that_is_called_cpu_knows_no_cpu_rule() -> None:
    starting = (Pod(name="a", readiness=Readiness.FALSE, started_s=390, readiness_changed_s=390),)
    known = wanted(MetricType.PODS, TargetType.AVERAGE_VALUE, 600, SEEN, pods=starting)
    assert isinstance(known, Proposal)
    assert isinstance(wanted(MetricType.RESOURCE, TargetType.AVERAGE_VALUE, 600, SEEN, pods=starting), Failure)


def test_the_tolerance_is_the_controllers_in_the_form_of_its_release() -> None:
    edge = {"a": Reading(value_milli=1100)}
    sizes = []
    for settings in (Settings(), Settings(release=V1_28), Settings(tolerance=0.05)):
        proposal = wanted(MetricType.PODS, TargetType.AVERAGE_VALUE, 1000, edge, settings=settings)
        assert isinstance(proposal, Proposal)
        sizes.append(proposal.replicas)
    assert sizes == [4, 5, 5]


@pytest.mark.parametrize("version", ["1.27", "2.0", "latest", "1", ""])
def test_versions_that_nobody_read_are_refused(version: str) -> None:
    with pytest.raises(ParameterError, match=r"version must be 'newest' or 1.28 or later"):
        release_of(version)


def test_a_tolerance_below_zero_is_refused() -> None:
    with pytest.raises(ParameterError, match="up must be a number >= 0"):
        Tolerance(up=-0.1)
    with pytest.raises(ParameterError, match="tolerance must be a number >= 0"):
        Settings(tolerance=-0.1)
