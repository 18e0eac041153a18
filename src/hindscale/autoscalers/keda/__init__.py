"""KEDA, as of its main branch of August 2026, stage by stage: the operator from 0 to 1 and back, and its HPA.

```
manifest ─▶ ScaledObject ─┬▶ operator_spec ─▶ poll          (0 to 1, any number to 0; every polling interval)
values ─▶ query ──────────┴▶ hpa_of ────────▶ hindscale.autoscalers.hpa             (1 to N; every 15 s)
```
`values` holds the rules of the external scaler contract.
"""

from __future__ import annotations

from hindscale.autoscalers.keda.fallback import Fallback, FallbackBehavior
from hindscale.autoscalers.keda.formula import Formula, parse_formula
from hindscale.autoscalers.keda.metrics import Query, query
from hindscale.autoscalers.keda.modifiers import COMPOSITE, ScalingModifiers
from hindscale.autoscalers.keda.polling import OperatorSpec, OperatorState, Step, poll
from hindscale.autoscalers.keda.scaled_object import ScaledObject, hpa_of, load_scaled_object, operator_spec
from hindscale.autoscalers.keda.triggers import Trigger, trigger_metric

__all__ = [
    "COMPOSITE",
    "Fallback",
    "FallbackBehavior",
    "Formula",
    "OperatorSpec",
    "OperatorState",
    "Query",
    "ScaledObject",
    "ScalingModifiers",
    "Step",
    "Trigger",
    "hpa_of",
    "load_scaled_object",
    "operator_spec",
    "parse_formula",
    "poll",
    "query",
    "trigger_metric",
]
