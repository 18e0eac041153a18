"""From the fields of the policy `keda` to the ScaledObject, its HPA, and what each trigger measures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from hindscale.autoscalers.hpa import Hpa, Settings, TargetType, release_of, tolerance_of
from hindscale.autoscalers.hpa.settings import SYNC_PERIOD_S
from hindscale.autoscalers.hpa.tolerance import Tolerance
from hindscale.autoscalers.keda import (
    OperatorSpec,
    ScaledObject,
    Trigger,
    hpa_of,
    load_scaled_object,
    operator_spec,
)
from hindscale.core.checks import require_at_least, require_count, require_nonnegative, require_positive
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.policies._hpa_signals import SIGNALS, Signal, parse_signals

__all__ = ["Plan", "common_interval_s", "plan_of"]

DEFAULT_TYPE = "prometheus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the policy's parameters come to.

    Attributes:
        scaled: The ScaledObject.
        operator: What the operator is told of it.
        hpa: What the HPA is told of it.
        settings: The HPA controller's.
        tolerance: What the HPA leaves alone.
        signals: What each trigger measures.
    """

    scaled: ScaledObject
    operator: OperatorSpec
    hpa: Hpa
    settings: Settings
    tolerance: Tolerance
    signals: tuple[Signal, ...]


def plan_of(policy: Any) -> Plan:
    """The plan for a policy's fields.

    Raises:
        ParameterError: If one is out of range, contradicts another, or names what nobody measures.
    """
    settings = Settings(
        tolerance=policy.tolerance,
        downscale_stabilization_s=policy.downscale_stabilization_s,
        release=release_of(policy.version),
    )
    scaled = _scaled(policy, settings)
    hpa = hpa_of(scaled)
    return Plan(
        scaled=scaled,
        operator=operator_spec(scaled),
        hpa=hpa,
        settings=settings,
        tolerance=tolerance_of(hpa, settings),
        signals=_signals(scaled.triggers, parse_signals(policy.signals)),
    )


def _scaled(policy: Any, settings: Settings) -> ScaledObject:
    """The manifest's ScaledObject, or one with a single trigger, changed by the policy's own parameters."""
    if policy.manifest:
        scaled = load_scaled_object(policy.manifest, settings=settings)
    else:
        scaled = ScaledObject(triggers=(_trigger(policy),))
    fields = (
        "min_replica_count",
        "max_replica_count",
        "idle_replica_count",
        "polling_interval_s",
        "cooldown_period_s",
        "initial_cooldown_period_s",
    )
    given = {field: getattr(policy, field) for field in fields if getattr(policy, field) is not None}
    _check(given)
    return replace(scaled, triggers=_with_targets(scaled.triggers, policy.targets), **given)


def _check(given: dict[str, Any]) -> None:
    require_count(
        **{name: value for name, value in given.items() if name in {"min_replica_count", "idle_replica_count"}}
    )
    require_at_least(1, **{name: value for name, value in given.items() if name == "max_replica_count"})
    require_positive(**{name: value for name, value in given.items() if name == "polling_interval_s"})
    require_nonnegative(**{name: value for name, value in given.items() if name.endswith("cooldown_period_s")})


def _trigger(policy: Any) -> Trigger:
    if policy.target is None:
        raise ParameterError("target must be given, or a manifest whose triggers say it")
    require_positive(target=policy.target)
    require_nonnegative(activation=policy.activation)
    kinds = {kind.value: kind for kind in (TargetType.AVERAGE_VALUE, TargetType.VALUE)}
    if policy.metric_type not in kinds:
        raise ParameterError(
            f"metric_type must be AverageValue or Value, was {policy.metric_type!r};"
            f" {did_you_mean(policy.metric_type, kinds)}"
        )
    return Trigger(
        type=DEFAULT_TYPE,
        name=policy.metric,
        target_type=kinds[policy.metric_type],
        target_milli=math.trunc(policy.target * 1000),
        activation=policy.activation,
    )


def _with_targets(triggers: tuple[Trigger, ...], entries: tuple[str, ...]) -> tuple[Trigger, ...]:
    """The triggers with targets that their metadata do not say, from entries such as `queue=10`."""
    given = {}
    labels = [trigger.label for trigger in triggers]
    for entry in entries:
        label, equals, text = (part.strip() for part in entry.partition("="))
        if not equals or label not in labels:
            raise ParameterError(
                f"targets must be written TRIGGER=NUMBER, was {entry!r}; {did_you_mean(label, labels)}"
            )
        given[label] = _positive(text, entry)
    return tuple(
        replace(trigger, target_milli=math.trunc(given[trigger.label] * 1000)) if trigger.label in given else trigger
        for trigger in triggers
    )


def _positive(text: str, entry: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ParameterError(f"targets must be numbers > 0, was {entry!r}")
    return value


def _signals(triggers: tuple[Trigger, ...], mapped: dict[str, str]) -> tuple[Signal, ...]:
    labels = [trigger.label for trigger in triggers]
    for label in mapped:
        if label not in labels:
            raise ParameterError(f"signals: there is no trigger {label!r}; {did_you_mean(label, labels)}")
    return tuple(_signal(trigger, mapped) for trigger in triggers)


def _signal(trigger: Trigger, mapped: dict[str, str]) -> Signal:
    if trigger.is_resource:
        if trigger.target_type is not TargetType.UTILIZATION:
            raise ParameterError(
                f"trigger {trigger.label}: {trigger.type} is emulated against Utilization only: nobody measures cores"
                " or bytes; set metricType: Utilization"
            )
        return SIGNALS[f"{trigger.type}_utilization"]
    signal = mapped.get(trigger.label, trigger.label)
    if signal not in SIGNALS:
        raise ParameterError(
            f"trigger {trigger.label} ({trigger.type}): say what it measures, such as"
            f" signals={trigger.label}=queued_requests, one of {', '.join(SIGNALS)}"
        )
    return SIGNALS[signal]


def common_interval_s(polling_s: float) -> float:
    """The longest interval that meets polls and syncs; a second where the polls fall between whole ones."""
    return float(math.gcd(int(polling_s), int(SYNC_PERIOD_S))) if float(polling_s).is_integer() else 1.0
