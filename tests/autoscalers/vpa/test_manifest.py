"""VerticalPodAutoscaler objects: what is read, and what is refused in one line with its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.manifest import read_vertical_pod_autoscaler
from hindscale.autoscalers.vpa.policy import (
    ContainerPolicy,
    EvictionRequirement,
    UpdatePolicy,
    VerticalPodAutoscaler,
    policy_for,
)
from hindscale.core.errors import ParameterError

HEAD = """\
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: chat, labels: {app: chat}}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
"""


def test_defaults() -> None:
    read = read_vertical_pod_autoscaler(HEAD)
    assert read == VerticalPodAutoscaler(name="chat", target="Deployment/chat")
    assert read.update_policy.update_mode == "Recreate"


def test_everything(tmp_path: Path) -> None:
    path = tmp_path / "vpa.yaml"
    path.write_text(
        HEAD
        + """\
  recommenders: [{name: custom}]
  updatePolicy:
    updateMode: InPlaceOrRecreate
    minReplicas: 1
    evictAfterOOMSeconds: 300
    evictionRequirements:
      - {resources: [cpu, memory], changeRequirement: TargetHigherThanRequests}
  resourcePolicy:
    containerPolicies:
      - containerName: "*"
        minAllowed: {cpu: 100m, memory: 1Gi}
        maxAllowed: {cpu: 8, memory: 1.5Gi}
        controlledResources: [memory]
        controlledValues: RequestsOnly
        oomBumpUpRatio: "1.5"
        oomMinBumpUp: 200Mi
      - {containerName: proxy, mode: "Off"}
"""
    )
    read = read_vertical_pod_autoscaler(path)
    assert read.update_policy == UpdatePolicy(
        update_mode="InPlaceOrRecreate",
        min_replicas=1,
        eviction_requirements=(
            EvictionRequirement(resources=("cpu", "memory"), change_requirement="TargetHigherThanRequests"),
        ),
        evict_after_oom_s=300.0,
    )
    assert read.container_policies == (
        ContainerPolicy(
            container_name="*",
            min_allowed=Amounts(cpu_millicores=100, memory_bytes=2**30),
            max_allowed=Amounts(cpu_millicores=8000, memory_bytes=3 * 2**29),
            controlled_resources=("memory",),
            controlled_values="RequestsOnly",
            oom_bump_up_ratio=1.5,
            oom_min_bump_up_bytes=200 * 2**20,
        ),
        ContainerPolicy(container_name="proxy", mode="Off"),
    )
    assert policy_for("proxy", read.container_policies) == read.container_policies[1]
    assert policy_for("model", read.container_policies) == read.container_policies[0]
    assert policy_for("model", read.container_policies[1:]) is None


def with_policy(text: str) -> str:
    return f"{HEAD}  resourcePolicy: {{containerPolicies: [{{containerName: a, {text}}}]}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD + "  updatePolicy: {updateMode: Rolling}\n",
            'updateMode: Unsupported value: "Rolling"',
        ),
        (
            HEAD + "  updatePolicy: {minReplicas: 0}\n",
            "spec.updatePolicy.minReplicas: Invalid value: 0: must be greater than or equal to 1",
        ),
        (HEAD + "  updatepolicy: {}\n", "unknown field \"spec.updatepolicy\"; did you mean 'updatePolicy'?"),
        (HEAD + "  startupBoost: {cpu: {}}\n", "spec.startupBoost: Forbidden: boosting CPU at start is not emulated"),
        (
            HEAD + "  updatePolicy: {updateMode: 'Off', evictionRequirements: [{resources: [cpu]}]}\n",
            "spec.updatePolicy.evictionRequirements: Forbidden: nothing is evicted in this updateMode",
        ),
        (
            HEAD + "  updatePolicy: {evictionRequirements: [{changeRequirement: TargetHigherThanRequests}]}\n",
            "spec.updatePolicy.evictionRequirements[0].resources: Required value",
        ),
        (HEAD.replace("name: chat}\n", "}\n"), "spec.targetRef.name: Required value"),
        (HEAD.replace("/v1\n", "/v9\n", 1), 'apiVersion: Unsupported value: "autoscaling.k8s.io/v9"'),
        (
            with_policy("minAllowed: {cpu: 70%}"),
            "spec.resourcePolicy.containerPolicies[0].minAllowed.cpu: Invalid value",
        ),
        (
            with_policy("minAllowed: {cpu: -1}"),
            "containerPolicies[0].minAllowed.cpu: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            with_policy("minAllowed: {gpu: 1}"),
            'containerPolicies[0].minAllowed.gpu"',
        ),
        (
            with_policy("minAllowed: {cpu: 2}, maxAllowed: {cpu: 1}"),
            "containerPolicies[0].maxAllowed.cpu: Invalid value: 1: must be greater than or equal to minAllowed",
        ),
        (
            with_policy("controlledResources: [cpu, gpu]"),
            'containerPolicies[0].controlledResources[1]: Unsupported value: "gpu"',
        ),
        (with_policy("mode: auto"), 'containerPolicies[0].mode: Unsupported value: "auto"'),
        (with_policy("oomBumpUpRatio: 0.5"), "containerPolicies[0].oomBumpUpRatio: Invalid value: 0.5"),
        (
            with_policy("mode: 'Off', controlledValues: RequestsOnly"),
            "containerPolicies[0].controlledValues: Forbidden: must not be specified if mode is Off",
        ),
        (
            HEAD + "  resourcePolicy: {containerPolicies: [{containerName: a}, {containerName: a}]}\n",
            'containerPolicies[1].containerName: Invalid value: "a": must be unique',
        ),
        (
            HEAD + "  resourcePolicy: {containerPolicies: [{mode: Auto}]}\n",
            "containerPolicies[0].containerName: Required",
        ),
    ],
)
def test_what_cannot_be_is_one_line_with_its_path(text: str, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        read_vertical_pod_autoscaler(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
