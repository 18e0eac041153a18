"""SkyServe's request-rate autoscaler: requests of the last minute over the target rate, with hysteresis.

```
requests of 60 s ─ / 60 / target_qps_per_replica ─ ⌈⌉ ─ min/max ─ counters ─ + num_overprovision ─▶ replicas
```
"""

from __future__ import annotations

from hindscale.autoscalers.skyserve.config import read_replica_policy
from hindscale.autoscalers.skyserve.mixed import (
    Replica,
    fit_target,
    instance_aware_target,
    scale_down_order,
    spot_and_ondemand_replicas,
)
from hindscale.autoscalers.skyserve.request_rate import (
    DECISION_INTERVAL_S,
    DEFAULT_DOWNSCALE_DELAY_S,
    DEFAULT_UPSCALE_DELAY_S,
    NO_REPLICA_DECISION_INTERVAL_S,
    QPS_WINDOW_S,
    Hysteresis,
    ReplicaPolicy,
    clipped,
    decision_interval_s,
    final_target_replicas,
    target_replicas,
    with_hysteresis,
)

__all__ = [
    "DECISION_INTERVAL_S",
    "DEFAULT_DOWNSCALE_DELAY_S",
    "DEFAULT_UPSCALE_DELAY_S",
    "NO_REPLICA_DECISION_INTERVAL_S",
    "QPS_WINDOW_S",
    "Hysteresis",
    "Replica",
    "ReplicaPolicy",
    "clipped",
    "decision_interval_s",
    "final_target_replicas",
    "fit_target",
    "instance_aware_target",
    "read_replica_policy",
    "scale_down_order",
    "spot_and_ondemand_replicas",
    "target_replicas",
    "with_hysteresis",
]
