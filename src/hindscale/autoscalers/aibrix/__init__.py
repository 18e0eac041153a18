"""AIBrix PodAutoscaler: the strategies APA and KPA, from a metric's windows to the replicas of a reconcile.

```
pods' mean ─ stable (180 s) and panic (60 s) window ─▶ APA or KPA ─ min/max
   ─ maximum over metrics ─ pending-replica guard ─ cooldown windows ─ min/max ─▶ replicas
```
"""

from __future__ import annotations

from hindscale.autoscalers.aibrix.algorithms import (
    ScalingContext,
    apa_replicas,
    apply_constraints,
    enters_panic,
    kpa_replicas,
)
from hindscale.autoscalers.aibrix.guards import Recommendation, pending_guard, stabilized
from hindscale.autoscalers.aibrix.manifest import PodAutoscaler, read_pod_autoscaler
from hindscale.autoscalers.aibrix.schedules import ScheduledBounds, bounds_at
from hindscale.autoscalers.aibrix.windows import recorded, window_average

__all__ = [
    "PodAutoscaler",
    "Recommendation",
    "ScalingContext",
    "ScheduledBounds",
    "apa_replicas",
    "apply_constraints",
    "bounds_at",
    "enters_panic",
    "kpa_replicas",
    "pending_guard",
    "read_pod_autoscaler",
    "recorded",
    "stabilized",
    "window_average",
]
