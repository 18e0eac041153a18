"""Alibaba Cloud Auto Scaling (ESS): simple, step, target tracking and predictive scaling rules.

```
CloudMonitor datapoints ─▶ event-triggered task ─▶ simple or step rule ─ cooldown or warm-up ─ min/max ─▶ instances
                        └▶ target tracking rule ──────────────────────────────┘      ▲
history of at least a day ─▶ predictive rule ─ a task an hour ───────────────────────┘
```

The service is closed: what its documentation says is kept, and what it leaves open is named in
`docs/autoscalers/alibaba.md`. The forecast of predictive rules is a stand-in of ours.
"""

from __future__ import annotations

from hindscale.autoscalers.alibaba.manifest import read_rule, read_triggered_rules
from hindscale.autoscalers.alibaba.predictive import (
    BEHAVIORS,
    hourly_forecast,
    planned_bounds,
    predicted_instances,
    prediction_bounds,
)
from hindscale.autoscalers.alibaba.rules import (
    ADJUSTMENT_TYPES,
    COMPARISONS,
    TriggeredRule,
    adjusted_instances,
    is_triggered,
    rounded_percent,
    rule_instances,
)
from hindscale.autoscalers.alibaba.target_tracking import tracked_instances, tracking_alerts

__all__ = [
    "ADJUSTMENT_TYPES",
    "BEHAVIORS",
    "COMPARISONS",
    "TriggeredRule",
    "adjusted_instances",
    "hourly_forecast",
    "is_triggered",
    "planned_bounds",
    "predicted_instances",
    "prediction_bounds",
    "read_rule",
    "read_triggered_rules",
    "rounded_percent",
    "rule_instances",
    "tracked_instances",
    "tracking_alerts",
]
