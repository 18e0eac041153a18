"""The vocabulary: values, protocols, errors, the control step and the loop. Standard library only."""

from hindscale.core.control import (
    Actuator,
    Clock,
    ControlState,
    Guardrail,
    MetricsSource,
    Policy,
    Tick,
    control_step,
    initial_control_state,
    run_loop,
)
from hindscale.core.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Lognormal,
    TokenTime,
    distribution_from,
)
from hindscale.core.errors import (
    HindscaleError,
    InputError,
    MetricsUnavailable,
    OutputError,
    ParameterError,
    RunError,
    TraceError,
)
from hindscale.core.service import Balancer, ResourceRequest, ResourceUse, ServiceProfile, ServiceSpec
from hindscale.core.slo import Slo
from hindscale.core.units import format_duration, parse_duration
from hindscale.core.values import UPPER_BOUND, DataState, Decision, Observation, Target

__all__ = [
    "UPPER_BOUND",
    "Actuator",
    "Balancer",
    "Clock",
    "Constant",
    "ControlState",
    "DataState",
    "Decision",
    "Distribution",
    "Empirical",
    "Exponential",
    "Guardrail",
    "HindscaleError",
    "InputError",
    "Lognormal",
    "MetricsSource",
    "MetricsUnavailable",
    "Observation",
    "OutputError",
    "ParameterError",
    "Policy",
    "ResourceRequest",
    "ResourceUse",
    "RunError",
    "ServiceProfile",
    "ServiceSpec",
    "Slo",
    "Target",
    "Tick",
    "TokenTime",
    "TraceError",
    "control_step",
    "distribution_from",
    "format_duration",
    "initial_control_state",
    "parse_duration",
    "run_loop",
]
