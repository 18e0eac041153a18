"""Kubernetes' HorizontalPodAutoscaler v2, stage by stage.

```
manifest ─▶ Hpa      pods, readings ─▶ propose (calculator, totals) ─▶ reconcile ─▶ Outcome
                                                                 (stabilization, limits)
```
`settings` says what differs between releases.
"""

from __future__ import annotations

from hindscale.autoscalers.hpa.metrics import Failure, Metric, MetricType, TargetType, propose
from hindscale.autoscalers.hpa.reconcile import reconcile
from hindscale.autoscalers.hpa.settings import Settings, release_of
from hindscale.autoscalers.hpa.values import Condition, Hpa, Memory, Outcome, tolerance_of

__all__ = [
    "Condition",
    "Failure",
    "Hpa",
    "Memory",
    "Metric",
    "MetricType",
    "Outcome",
    "Settings",
    "TargetType",
    "propose",
    "reconcile",
    "release_of",
    "tolerance_of",
]
