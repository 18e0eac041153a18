"""Reading a VerticalPodAutoscaler object: update policy and resource policy.

```yaml
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: chat}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  updatePolicy: {updateMode: InPlaceOrRecreate, minReplicas: 1}
  resourcePolicy:
    containerPolicies:
      - {containerName: "*", minAllowed: {cpu: 100m, memory: 1Gi}, maxAllowed: {cpu: "8"}}
```
"""

from __future__ import annotations

from pathlib import Path

from hindscale.autoscalers.kubernetes import Fields, forbidden, invalid, load_manifest, unsupported, whole_value
from hindscale.autoscalers.vpa.amounts import Amounts
from hindscale.autoscalers.vpa.policy import (
    CHANGE_REQUIREMENTS,
    CONTAINER_MODES,
    UPDATE_MODES,
    ContainerPolicy,
    EvictionRequirement,
    UpdatePolicy,
    VerticalPodAutoscaler,
)

__all__ = ["read_vertical_pod_autoscaler"]

API_VERSIONS = ("autoscaling.k8s.io/v1", "autoscaling.k8s.io/v1beta2")
RESOURCES = ("cpu", "memory")
CONTROLLED_VALUES = ("RequestsAndLimits", "RequestsOnly")


def read_vertical_pod_autoscaler(source: str | Path) -> VerticalPodAutoscaler:
    """The one VerticalPodAutoscaler in a file.

    Args:
        source: A path, or the YAML itself.

    Raises:
        ParameterError: If a field is missing, unknown or out of range, with its path.
    """
    manifest = load_manifest(source, kind="VerticalPodAutoscaler", api_versions=API_VERSIONS)
    manifest.only("apiVersion", "kind", "metadata", "spec", "status")
    spec = manifest.fields("spec").only("targetRef", "updatePolicy", "resourcePolicy", "recommenders", "startupBoost")
    if spec.has("startupBoost"):
        raise forbidden(spec.where("startupBoost"), "boosting CPU at start is not emulated; remove the field")
    target = spec.fields("targetRef").only("apiVersion", "kind", "name")
    metadata = manifest.fields("metadata", default=None)
    policies = spec.fields("resourcePolicy", default=None)
    return VerticalPodAutoscaler(
        name=metadata.text("name", default="") if metadata else "",
        target=f"{target.text('kind')}/{target.text('name')}",
        update_policy=_update_policy(spec.fields("updatePolicy", default=None)),
        container_policies=_container_policies(policies) if policies else (),
    )


def _update_policy(fields: Fields | None) -> UpdatePolicy:
    if fields is None:
        return UpdatePolicy()
    fields.only("updateMode", "minReplicas", "evictionRequirements", "evictAfterOOMSeconds")
    if fields.has("evictionRequirements") and fields.text("updateMode", default="Recreate") in {"Off", "Initial"}:
        raise forbidden(fields.where("evictionRequirements"), "nothing is evicted in this updateMode")
    seconds = fields.integer("evictAfterOOMSeconds", default=None, minimum=1)
    return UpdatePolicy(
        update_mode=fields.text("updateMode", default="Recreate", choices=UPDATE_MODES),
        min_replicas=fields.integer("minReplicas", default=None, minimum=1),
        eviction_requirements=tuple(_requirement(each) for each in fields.items("evictionRequirements")),
        evict_after_oom_s=None if seconds is None else float(seconds),
    )


def _requirement(fields: Fields) -> EvictionRequirement:
    fields.only("resources", "changeRequirement")
    if not fields.has("resources"):
        raise fields.required("resources")
    return EvictionRequirement(
        resources=_resources(fields, "resources"),
        change_requirement=fields.text("changeRequirement", choices=CHANGE_REQUIREMENTS),
    )


def _container_policies(fields: Fields) -> tuple[ContainerPolicy, ...]:
    policies = tuple(_container_policy(each) for each in fields.only("containerPolicies").items("containerPolicies"))
    for index, policy in enumerate(policies):
        if policy.container_name in {each.container_name for each in policies[:index]}:
            path = fields.where(f"containerPolicies[{index}].containerName")
            raise invalid(path, policy.container_name, "must be unique among the policies")
    return policies


def _container_policy(fields: Fields) -> ContainerPolicy:
    fields.only(
        "containerName",
        "mode",
        "minAllowed",
        "maxAllowed",
        "controlledResources",
        "controlledValues",
        "oomBumpUpRatio",
        "oomMinBumpUp",
    )
    mode = fields.text("mode", default="Auto", choices=CONTAINER_MODES)
    if mode == "Off" and fields.has("controlledValues"):
        raise forbidden(fields.where("controlledValues"), "must not be specified if mode is Off")
    low, high = _amounts(fields, "minAllowed"), _amounts(fields, "maxAllowed")
    _check_order(fields, low, high)
    return ContainerPolicy(
        container_name=fields.text("containerName"),
        mode=mode,
        min_allowed=low,
        max_allowed=high,
        controlled_resources=_resources(fields, "controlledResources")
        if fields.values.get("controlledResources") is not None
        else RESOURCES,
        controlled_values=fields.text("controlledValues", default="RequestsAndLimits", choices=CONTROLLED_VALUES),
        oom_bump_up_ratio=_ratio(fields),
        oom_min_bump_up_bytes=_whole(fields, "oomMinBumpUp"),
    )


def _amounts(fields: Fields, name: str) -> Amounts:
    amounts = fields.fields(name, default=None)
    if amounts is None:
        return Amounts()
    amounts.only(*RESOURCES)
    cpu = amounts.quantity("cpu", default=None)
    memory = _whole(amounts, "memory")
    for resource, value in (("cpu", cpu), ("memory", memory)):
        if value is not None and value < 0:
            raise amounts.invalid(resource, "must be greater than or equal to 0")
    return Amounts(cpu_millicores=cpu, memory_bytes=memory)


def _check_order(fields: Fields, low: Amounts, high: Amounts) -> None:
    pairs = (("cpu", low.cpu_millicores, high.cpu_millicores), ("memory", low.memory_bytes, high.memory_bytes))
    for resource, least, most in pairs:
        if least is not None and most is not None and most < least:
            value = fields.fields("maxAllowed").values[resource]
            raise invalid(fields.where(f"maxAllowed.{resource}"), value, "must be greater than or equal to minAllowed")


def _resources(fields: Fields, name: str) -> tuple[str, ...]:
    resources = fields.texts(name)
    for index, resource in enumerate(resources):
        if resource not in RESOURCES:
            raise unsupported(f"{fields.where(name)}[{index}]", resource, RESOURCES)
    return resources


def _ratio(fields: Fields) -> float | None:
    """A quantity such as `1.5`, at least 1."""
    milli = fields.quantity("oomBumpUpRatio", default=None)
    if milli is not None and milli < 1000:
        raise fields.invalid("oomBumpUpRatio", "must be greater than or equal to 1")
    return None if milli is None else milli / 1000


def _whole(fields: Fields, name: str) -> int | None:
    value = fields.values.get(name)
    return None if value is None else whole_value(value, path=fields.where(name))
