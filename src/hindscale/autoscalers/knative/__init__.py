"""The Knative Pod Autoscaler (KPA), as of Knative Serving's main branch of August 2026, stage by stage.

```
reports ─▶ metrics, window ─▶ autoscaler.evaluate ─▶ reconciler.reconcile ─▶ pods
           (averages)         (every 2 s)             (bounds, zero)
```
`config` and `revision` read what a cluster and a revision say; `target` turns both into the specs.
"""

from __future__ import annotations

from hindscale.autoscalers.knative.autoscaler import (
    TICK_INTERVAL_S,
    AutoscalerState,
    DeciderSpec,
    ScaleResult,
    evaluate,
    initial_autoscaler_state,
)
from hindscale.autoscalers.knative.config import AutoscalerConfig, config_from_map, load_config
from hindscale.autoscalers.knative.metrics import (
    Collection,
    new_collection,
    panic_window_s,
    record_value,
    sample_size,
    stable_and_panic,
)
from hindscale.autoscalers.knative.reconciler import initial_reconciler_state, reconcile
from hindscale.autoscalers.knative.revision import Revision, load_revision, revision_from_annotations
from hindscale.autoscalers.knative.status import Condition, ReconcilerSpec, ReconcilerState, Scaling
from hindscale.autoscalers.knative.target import decider_spec, empty_collection, reconciler_spec, resolve_target
from hindscale.autoscalers.knative.window import Window, linear_average, new_window, record, weighted_average

__all__ = [
    "TICK_INTERVAL_S",
    "AutoscalerConfig",
    "AutoscalerState",
    "Collection",
    "Condition",
    "DeciderSpec",
    "ReconcilerSpec",
    "ReconcilerState",
    "Revision",
    "ScaleResult",
    "Scaling",
    "Window",
    "config_from_map",
    "decider_spec",
    "empty_collection",
    "evaluate",
    "initial_autoscaler_state",
    "initial_reconciler_state",
    "linear_average",
    "load_config",
    "load_revision",
    "new_collection",
    "new_window",
    "panic_window_s",
    "reconcile",
    "reconciler_spec",
    "record",
    "record_value",
    "resolve_target",
    "revision_from_annotations",
    "sample_size",
    "stable_and_panic",
    "weighted_average",
]
