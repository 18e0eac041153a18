"""Ray Serve's deployment autoscaling: the default, request-based policy.

```
samples (0.5 s) ─ mean over the look-back ─ report (10 s) ─▶ total requests
total requests ─▶ desired ─ factors ─ bounds ─ delays ─▶ target replicas        (control loop, 0.1 s)
```
"""

from __future__ import annotations

from hindscale.autoscalers.ray_serve.config import AutoscalingConfig, config_from, read_config
from hindscale.autoscalers.ray_serve.metrics import (
    handle_metrics_timeout_s,
    merge_instantaneous_total,
    time_weighted_average,
    window_average,
)
from hindscale.autoscalers.ray_serve.policy import (
    CONTROL_LOOP_INTERVAL_S,
    apply_bounds,
    apply_delays,
    apply_scaling_factors,
    capacity_adjusted_replicas,
    cold_start_replicas,
    decision_replicas,
    desired_replicas,
)

__all__ = [
    "CONTROL_LOOP_INTERVAL_S",
    "AutoscalingConfig",
    "apply_bounds",
    "apply_delays",
    "apply_scaling_factors",
    "capacity_adjusted_replicas",
    "cold_start_replicas",
    "config_from",
    "decision_replicas",
    "desired_replicas",
    "handle_metrics_timeout_s",
    "merge_instantaneous_total",
    "read_config",
    "time_weighted_average",
    "window_average",
]
