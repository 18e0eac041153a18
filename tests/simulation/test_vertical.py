"""What a vertical autoscaler may be, and which replicas it can work on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.policy import EvictionRequirement
from hindscale.backtesting import Backtest
from hindscale.backtesting.backtest import policy_entries
from hindscale.core import ParameterError, ResourceRequest, ResourceUse, ServiceProfile
from hindscale.simulation import SimulationSettings, VerticalAutoscaler
from hindscale.simulation.vertical import require_resizable
from hindscale.traces import RateTrace

PROFILE = ServiceProfile(
    name="chat",
    resources={"cpu": ResourceUse(), "memory": ResourceUse(idle=0.5, full=0.7)},
    resource_request=ResourceRequest(cpu_cores=0.5, memory_gib=1.5, accelerators=1),
)
MANIFEST = """
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: chat}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  updatePolicy:
    updateMode: Recreate
    minReplicas: 3
    evictionRequirements:
      - {resources: [cpu], changeRequirement: TargetHigherThanRequests}
  resourcePolicy:
    containerPolicies:
      - {containerName: sidecar, mode: "Off"}
      - {containerName: chat, minAllowed: {cpu: 100m, memory: 1Gi}, maxAllowed: {cpu: "8"}, controlledResources: [cpu]}
"""


def test_a_manifest_is_read_for_the_services_own_container() -> None:
    assert VerticalAutoscaler.from_manifest(MANIFEST, container="chat") == VerticalAutoscaler(
        update_mode="Recreate",
        min_replicas=3,
        min_allowed=Amounts(cpu_millicores=100, memory_bytes=2**30),
        max_allowed=Amounts(cpu_millicores=8000),
        controlled_resources=("cpu",),
        eviction_requirements=(EvictionRequirement(resources=("cpu",), change_requirement="TargetHigherThanRequests"),),
    )


def test_what_is_given_wins_over_the_manifest() -> None:
    read = VerticalAutoscaler.from_manifest(MANIFEST, container="chat", update_mode="Off", min_replicas=None)
    assert (read.update_mode, read.min_replicas) == ("Off", None)


def test_an_object_without_policies_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "vpa.yaml"
    path.write_text(MANIFEST[: MANIFEST.index("  updatePolicy")])
    assert VerticalAutoscaler.from_manifest(path, container="anything") == VerticalAutoscaler()


@pytest.mark.parametrize(
    ("text", "container", "message"),
    [
        (MANIFEST, "model", r"containerPolicies: none is for container 'model' or for '\*'; name the service like one"),
        (MANIFEST, "sidecar", r"containerPolicies: mode of container 'sidecar' is Off, so nothing would be"),
        (
            MANIFEST.replace("Mode: Recreate", "Mode: InPlaceOrRecreate"),
            "chat",
            r"vertical\.update_mode: InPlaceOrRecreate resizes replicas in place, which is not simulated; use Recreate",
        ),
        (MANIFEST.replace("minReplicas: 3", "minReplicas: 0"), "chat", r"spec\.updatePolicy\.minReplicas"),
    ],
)
def test_manifests_that_cannot_be_simulated_are_refused(text: str, container: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        VerticalAutoscaler.from_manifest(text, container=container)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"update_mode": "recreate"}, r"vertical\.update_mode: unknown 'recreate'; did you mean 'Recreate'\?"),
        ({"update_mode": "InPlace"}, r"vertical\.update_mode: InPlace resizes replicas in place"),
        ({"min_replicas": 0}, r"vertical\.min_replicas must be a whole number >= 1"),
        ({"controlled_resources": ()}, r"vertical\.controlled_resources must name cpu, memory or both, was empty"),
        ({"controlled_resources": ("gpu",)}, r"vertical\.controlled_resources: unknown 'gpu'; did you mean 'cpu'\?"),
        ({"updater_interval_s": 0.0}, r"vertical\.updater_interval_s must be a number > 0"),
        ({"cpu_histogram_decay_half_life_s": float("inf")}, r"vertical\.cpu_histogram_decay_half_life_s"),
        (
            {"min_allowed": Amounts(cpu_millicores=3), "max_allowed": Amounts(cpu_millicores=2)},
            r"vertical\.min_allowed\.cpu must be <= max_allowed\.cpu, but 3 > 2",
        ),
        ({"min_allowed": Amounts(memory_bytes=-1)}, r"vertical\.min_allowed\.memory must be a whole number >= 0"),
        (
            {"eviction_requirements": (EvictionRequirement(resources=("cpu",), change_requirement="Higher"),)},
            r"vertical\.eviction_requirements: unknown 'Higher'; known: Target",
        ),
    ],
)
def test_autoscalers_that_cannot_be_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        VerticalAutoscaler(**given)


def test_what_is_requested_before_anything_changes_is_in_whole_units() -> None:
    assert require_resizable(VerticalAutoscaler(), PROFILE) == Amounts(cpu_millicores=500, memory_bytes=3 * 2**29)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (
            replace(PROFILE, resource_request=None),
            r"cpu is controlled, but .* chat requests none; set .*\.cpu_cores, or leave cpu out of vertical\.",
        ),
        (replace(PROFILE, resource_request=ResourceRequest(cpu_cores=1)), r"memory .* requests none; .*\.memory_gib"),
        (
            replace(PROFILE, resources={"cpu": ResourceUse()}),
            r"memory is controlled, but how much of it a replica of chat uses is not stated; set service\.resources\.",
        ),
    ],
)
def test_replicas_whose_use_is_not_known_are_refused_before_the_run(profile: ServiceProfile, message: str) -> None:
    trace = RateTrace(name="t", window_s=60.0, requests=[60.0])
    settings = SimulationSettings(vertical=VerticalAutoscaler())
    with pytest.raises(ParameterError, match=message):
        Backtest(traces=(trace,), policies=policy_entries(("fixed",)), service=profile, settings=settings)


def test_it_says_what_it_does() -> None:
    assert str(VerticalAutoscaler()) == "Recreate, cpu and memory"
    assert str(VerticalAutoscaler(update_mode="Off", controlled_resources=("cpu",))) == "Off, cpu"
