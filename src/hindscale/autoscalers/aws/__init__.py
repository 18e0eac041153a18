"""AWS scaling policies: target tracking and step scaling, with the CloudWatch alarms that invoke them.

```
metric ─ 1-minute datapoints ─▶ alarms ─▶ scaling policy ─ cooldown or warm-up ─ min/max ─▶ capacity
```

Application Auto Scaling (SageMaker endpoints, ECS services) goes by cooldowns, Amazon EC2 Auto Scaling by
the warm-up of instances. The services are closed: what their documentation says is kept to the letter, and
what it leaves open is named in `docs/autoscalers/aws.md`.
"""

from __future__ import annotations

from hindscale.autoscalers.aws.activities import (
    Activity,
    Warmup,
    complete,
    scale_in_is_blocked,
    scale_out_base,
    track_warmup,
    warming_replicas,
)
from hindscale.autoscalers.aws.alarms import Alarm, alarm_state, breaches
from hindscale.autoscalers.aws.policies import read_scaling_policies, read_target_tracking
from hindscale.autoscalers.aws.step_scaling import StepPolicy, adjusted_capacity, rounded_percent, step_capacity
from hindscale.autoscalers.aws.target_tracking import target_tracking_alarms, tracked_capacity

__all__ = [
    "Activity",
    "Alarm",
    "StepPolicy",
    "Warmup",
    "adjusted_capacity",
    "alarm_state",
    "breaches",
    "complete",
    "read_scaling_policies",
    "read_target_tracking",
    "rounded_percent",
    "scale_in_is_blocked",
    "scale_out_base",
    "step_capacity",
    "target_tracking_alarms",
    "track_warmup",
    "tracked_capacity",
    "warming_replicas",
]
