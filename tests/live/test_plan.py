"""A plan is written down and read again without a difference, since decisions are made again from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from hindscale.core import ParameterError, ServiceProfile, Slo
from hindscale.live.plan import Plan
from hindscale.policies import POLICIES
from live.doubles import a_plan
from networks import random_network, written
from strategies import profiles

NEEDS_MORE = {"schedule": "schedule:entries=08:00=10;20:00=2", "fixed": "fixed:replicas=2", "dqn": "dqn:path={path}"}
OTHER = "target-tracking:tolerance=0.2"


@given(profile=profiles)
def test_a_plan_written_down_is_the_same_when_it_is_read(profile: ServiceProfile) -> None:
    plan = a_plan(profile=profile, slo=Slo.parse("p95 < 250ms"), is_paused=True)
    read = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert read == plan
    assert read.build(plan.policy) == plan.build(plan.policy)


@pytest.mark.parametrize("name", POLICIES.classes)
def test_every_policy_can_decide_and_stand_beside(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "policy.safetensors", replace(random_network(), interval_s=1.0))
    text = NEEDS_MORE.get(name, name).format(path=path)
    plan = a_plan(policy=text, shadows=(OTHER,))
    assert plan.limits(text)[-1].name == "bounds"
    assert plan.interval_s(text) > 0
    promoted = plan.promoted(OTHER)
    assert (promoted.policy, promoted.shadows) == (OTHER, (text,))


def test_a_policy_that_needs_hindsight_cannot_run_live() -> None:
    with pytest.raises(ParameterError, match="fixed"):
        a_plan(policy="fixed")


def test_each_policy_is_there_once() -> None:
    with pytest.raises(ParameterError, match="'knative' appears twice"):
        a_plan(policy="knative", shadows=("knative",))


def test_what_emulates_a_whole_autoscaler_keeps_the_bounds_only() -> None:
    plan = a_plan(policy="knative", guardrails=("stabilization",))
    assert [limit.name for limit in plan.limits("knative")] == ["bounds"]
    assert [limit.name for limit in plan.limits(plan.shadows[0])] == ["stabilization", "bounds"]
