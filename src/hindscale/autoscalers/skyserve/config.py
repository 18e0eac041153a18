"""SkyServe's `replica_policy`, and where it stands in a SkyPilot task file."""

from __future__ import annotations

from pathlib import Path

from hindscale.autoscalers._configs import read_mapping
from hindscale.autoscalers.kubernetes.fields import Fields

__all__ = ["read_replica_policy"]

_KNOWN = (
    *("min_replicas", "max_replicas", "target_qps_per_replica", "num_overprovision"),
    *("upscale_delay_seconds", "downscale_delay_seconds"),
)
_SPOT = ("dynamic_ondemand_fallback", "base_ondemand_fallback_replicas", "spot_placer", "queue_length_threshold")


def read_replica_policy(source: str | Path) -> dict[str, object]:
    """What a task file (`service.replica_policy`), a service or a bare `replica_policy` says.

    Raises:
        ParameterError: With the field's path.

    Source: SkyPilot `sky/serve/service_spec.py`.
    """
    top = read_mapping(source)
    service = top.fields("service", default=top)
    if service.has("replicas"):
        if service.has("replica_policy"):
            raise service.invalid("replicas", "cannot be given beside replica_policy")
        replicas = service.integer("replicas", minimum=0)
        return {"min_replicas": replicas, "max_replicas": max(1, replicas)}
    if service is not top or top.has("replica_policy"):
        return _policy(service.fields("replica_policy"))
    return _policy(top)


def _policy(fields: Fields) -> dict[str, object]:
    fields.only(*_KNOWN, *_SPOT)
    for name in _SPOT:
        if fields.has(name) and fields.values[name]:
            raise fields.invalid(name, "spot and pool policies are not emulated; remove it")
    read: dict[str, object] = {"min_replicas": fields.integer("min_replicas", minimum=0)}
    if fields.has("max_replicas"):
        low = read["min_replicas"]
        read["max_replicas"] = fields.integer("max_replicas", minimum=max(1, low) if isinstance(low, int) else 1)
    if isinstance(fields.values.get("target_qps_per_replica"), dict):
        raise fields.invalid("target_qps_per_replica", "rates by accelerator need a mixed fleet; give one number")
    if fields.has("target_qps_per_replica"):
        if not fields.has("max_replicas"):
            raise fields.required("max_replicas", "must be set where target_qps_per_replica is set")
        read["target_qps_per_replica"] = fields.number("target_qps_per_replica", minimum=0)
        if not read["target_qps_per_replica"]:
            raise fields.invalid("target_qps_per_replica", "must be greater than 0")
    elif fields.has("max_replicas") and read["max_replicas"] != read["min_replicas"]:
        raise fields.required("target_qps_per_replica", "max_replicas is set, and nothing says when to scale")
    if fields.has("num_overprovision"):
        read["num_overprovision"] = fields.integer("num_overprovision", minimum=0)
    for name in ("upscale_delay_seconds", "downscale_delay_seconds"):
        if fields.has(name):
            read[name.replace("_seconds", "_s")] = fields.number(name, minimum=0)
    return read
