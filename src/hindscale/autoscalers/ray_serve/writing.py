"""A deployment of a Serve config file, with its `autoscaling_config`: the inverse of `ray_serve.config`."""

from __future__ import annotations

import dataclasses
from typing import Any

from hindscale.autoscalers.ray_serve.config import AutoscalingConfig
from hindscale.autoscalers.writing import Workload, plain_number

__all__ = ["deployment_document"]


def deployment_document(config: AutoscalingConfig, workload: Workload) -> dict[str, Any]:
    """One entry of `deployments`; what is None is left to Ray Serve, as it is read."""
    written = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value is not None:
            written[field.name] = plain_number(value) if isinstance(value, float) else value
    if config.smoothing_factor == 1.0:
        del written["smoothing_factor"]  # deprecated, and without effect
    return {"name": workload.name, "autoscaling_config": written}
