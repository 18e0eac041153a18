"""Elastic scaling for AI inference services, proven on recorded traffic before it runs.

```python
import hindscale as hs

trace = hs.read_trace("week.parquet")
result = hs.backtest(trace, policies=["target-tracking", "predictive"], slo="p99 < 2s")
print(result.table())
result.write_report("report.html")
```

The names below are loaded when they are first used, so that `import hindscale` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hindscale.backtesting import BacktestResult, backtest
    from hindscale.core import (
        Balancer,
        Constant,
        Decision,
        Empirical,
        Exponential,
        Guardrail,
        HindscaleError,
        Lognormal,
        Observation,
        Policy,
        ResourceRequest,
        ResourceUse,
        ServiceProfile,
        ServiceSpec,
        Slo,
        Target,
        TokenTime,
        control_step,
        run_loop,
    )
    from hindscale.guardrails.bounds import Bounds
    from hindscale.guardrails.cooldown import Cooldown
    from hindscale.guardrails.one_at_a_time import OneAtATime
    from hindscale.guardrails.rate_limit import RateLimit
    from hindscale.guardrails.stabilization import Stabilization
    from hindscale.guardrails.tolerance import Tolerance
    from hindscale.policies.fixed import Fixed
    from hindscale.policies.normal_model import NormalModel
    from hindscale.policies.predictive import Predictive
    from hindscale.policies.schedule import Schedule
    from hindscale.policies.target_tracking import TargetTracking
    from hindscale.policies.utilization import Utilization
    from hindscale.simulation import Cluster, Monitoring, NodePool, SimulationSettings, VerticalAutoscaler, simulate
    from hindscale.traces import (
        ArrivalProcess,
        RateTrace,
        RequestTrace,
        UtilizationTrace,
        application,
        applications,
        describe,
        read_trace,
        write_trace,
    )

__version__ = "0.1.0"

_ROOMS = {
    "hindscale.backtesting": ("BacktestResult", "backtest"),
    "hindscale.core": (
        "Balancer",
        "Constant",
        "Decision",
        "Empirical",
        "Exponential",
        "Guardrail",
        "HindscaleError",
        "Lognormal",
        "Observation",
        "Policy",
        "ResourceRequest",
        "ResourceUse",
        "ServiceProfile",
        "ServiceSpec",
        "Slo",
        "Target",
        "TokenTime",
        "control_step",
        "run_loop",
    ),
    "hindscale.guardrails.bounds": ("Bounds",),
    "hindscale.guardrails.cooldown": ("Cooldown",),
    "hindscale.guardrails.one_at_a_time": ("OneAtATime",),
    "hindscale.guardrails.rate_limit": ("RateLimit",),
    "hindscale.guardrails.stabilization": ("Stabilization",),
    "hindscale.guardrails.tolerance": ("Tolerance",),
    "hindscale.policies.fixed": ("Fixed",),
    "hindscale.policies.normal_model": ("NormalModel",),
    "hindscale.policies.predictive": ("Predictive",),
    "hindscale.policies.schedule": ("Schedule",),
    "hindscale.policies.target_tracking": ("TargetTracking",),
    "hindscale.policies.utilization": ("Utilization",),
    "hindscale.simulation": (
        "Cluster",
        "Monitoring",
        "NodePool",
        "SimulationSettings",
        "VerticalAutoscaler",
        "simulate",
    ),
    "hindscale.traces": (
        "ArrivalProcess",
        "RateTrace",
        "RequestTrace",
        "UtilizationTrace",
        "application",
        "applications",
        "describe",
        "read_trace",
        "write_trace",
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "ArrivalProcess",
    "BacktestResult",
    "Balancer",
    "Bounds",
    "Cluster",
    "Constant",
    "Cooldown",
    "Decision",
    "Empirical",
    "Exponential",
    "Fixed",
    "Guardrail",
    "HindscaleError",
    "Lognormal",
    "Monitoring",
    "NodePool",
    "NormalModel",
    "Observation",
    "OneAtATime",
    "Policy",
    "Predictive",
    "RateLimit",
    "RateTrace",
    "RequestTrace",
    "ResourceRequest",
    "ResourceUse",
    "Schedule",
    "ServiceProfile",
    "ServiceSpec",
    "SimulationSettings",
    "Slo",
    "Stabilization",
    "Target",
    "TargetTracking",
    "TokenTime",
    "Tolerance",
    "Utilization",
    "UtilizationTrace",
    "VerticalAutoscaler",
    "__version__",
    "application",
    "applications",
    "backtest",
    "control_step",
    "describe",
    "read_trace",
    "run_loop",
    "simulate",
    "write_trace",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'hindscale' has no attribute {name!r}")
    value = getattr(import_module(_ROOM_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
