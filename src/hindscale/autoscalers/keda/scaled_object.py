"""A user's own ScaledObject, `keda.sh/v1alpha1`, with its defaults, its validation errors, and the HPA it makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hindscale.autoscalers.hpa.behavior import Behavior, SelectPolicy
from hindscale.autoscalers.hpa.manifest import behavior_from
from hindscale.autoscalers.hpa.metrics import Metric, MetricType
from hindscale.autoscalers.hpa.settings import Settings
from hindscale.autoscalers.hpa.values import Hpa
from hindscale.autoscalers.keda._annotations import Pauses, pauses_from
from hindscale.autoscalers.keda.fallback import Fallback, FallbackBehavior
from hindscale.autoscalers.keda.modifiers import COMPOSITE, ScalingModifiers, modifiers_from
from hindscale.autoscalers.keda.polling import COOLDOWN_PERIOD_S, POLLING_INTERVAL_S, OperatorSpec
from hindscale.autoscalers.keda.triggers import Trigger, trigger_from, trigger_metric
from hindscale.autoscalers.kubernetes import Fields, load_manifest
from hindscale.core.errors import ParameterError

__all__ = [
    "DEFAULT_MAX_REPLICA_COUNT",
    "ScaledObject",
    "hpa_of",
    "load_scaled_object",
    "operator_spec",
]

KIND, API_VERSION = "ScaledObject", "keda.sh/v1alpha1"
DEFAULT_MAX_REPLICA_COUNT = 100
_SETTINGS = Settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledObject:
    """The spec of a ScaledObject, as far as it decides.

    Attributes:
        triggers: At least one.
        min_replica_count: minReplicaCount.
        max_replica_count: maxReplicaCount.
        idle_replica_count: idleReplicaCount; None for unset.
        polling_interval_s: pollingInterval, in seconds; for 0 to 1 and back alone.
        cooldown_period_s: cooldownPeriod, in seconds; for the fall to 0 or idle alone.
        initial_cooldown_period_s: initialCooldownPeriod, in seconds.
        fallback: None for no fallback.
        modifiers: None for no formula.
        behavior: Of the HPA; None for none, which is another algorithm than the defaults of one.
        pauses: What the annotations say.
    """

    triggers: tuple[Trigger, ...]
    min_replica_count: int = 0
    max_replica_count: int = DEFAULT_MAX_REPLICA_COUNT
    idle_replica_count: int | None = None
    polling_interval_s: float = POLLING_INTERVAL_S
    cooldown_period_s: float = COOLDOWN_PERIOD_S
    initial_cooldown_period_s: float = 0.0
    fallback: Fallback | None = None
    modifiers: ScalingModifiers | None = None
    behavior: Behavior | None = None
    pauses: Pauses = Pauses()

    def __post_init__(self) -> None:
        if self.min_replica_count > self.max_replica_count:
            raise ParameterError(
                f"minReplicaCount={self.min_replica_count} must be less than or equal to"
                f" maxReplicaCount={self.max_replica_count}"
            )
        idle = self.idle_replica_count
        if idle is not None and idle >= self.min_replica_count:
            raise ParameterError(f"idleReplicaCount={idle} must be less than minReplicaCount={self.min_replica_count}")

    @property
    def has_only_resources(self) -> bool:
        """Whether all triggers are cpu and memory: these alone never reach 0."""
        return all(trigger.is_resource for trigger in self.triggers)


def operator_spec(scaled: ScaledObject, *, created_s: float = 0.0) -> OperatorSpec:
    """What the operator is told.

    Args:
        scaled: The ScaledObject.
        created_s: When it was created, in seconds.
    """
    return OperatorSpec(
        min_replica_count=scaled.min_replica_count,
        idle_replica_count=scaled.idle_replica_count,
        cooldown_period_s=scaled.cooldown_period_s,
        initial_cooldown_period_s=scaled.initial_cooldown_period_s,
        created_s=created_s,
        fallback_replicas=None if scaled.fallback is None else scaled.fallback.replicas,
        is_paused=scaled.pauses.is_paused,
        paused_replicas=scaled.pauses.replicas,
        is_scale_in_paused=scaled.pauses.is_scale_in_paused,
        is_scale_out_paused=scaled.pauses.is_scale_out_paused,
        is_forced=scaled.pauses.is_forced,
    )


def hpa_of(scaled: ScaledObject) -> Hpa:
    """The HPA that KEDA creates, with external metrics; resource triggers stay what they are.

    Raises:
        ParameterError: If a trigger's target is not known.

    Source: keda `controllers/keda/hpa.go`, newHPAForScaledObject.

    >>> hpa = hpa_of(ScaledObject(triggers=(Trigger(type="prometheus", target_milli=5000),)))
    >>> hpa.min_replicas, hpa.max_replicas, hpa.metrics[0].name
    (1, 100, 's0-prometheus')
    """
    return Hpa(
        min_replicas=max(1, scaled.min_replica_count),
        max_replicas=scaled.max_replica_count,
        metrics=_metrics(scaled),
        behavior=_behavior(scaled),
    )


def _metrics(scaled: ScaledObject) -> tuple[Metric, ...]:
    modifiers = scaled.modifiers
    if modifiers is None:
        return tuple(trigger_metric(trigger) for trigger in scaled.triggers)
    composite = Metric(
        type=MetricType.EXTERNAL,
        name=COMPOSITE,
        target_type=modifiers.metric_type,
        target=modifiers.target_milli,
    )
    return (*(trigger_metric(trigger) for trigger in scaled.triggers if trigger.is_resource), composite)


def _behavior(scaled: ScaledObject) -> Behavior | None:
    """The behavior as written, with the directions that the annotations pause disabled."""
    pauses = scaled.pauses
    if not (pauses.is_scale_in_paused or pauses.is_scale_out_paused):
        return scaled.behavior
    behavior = scaled.behavior or Behavior()
    up, down = behavior.scale_up, behavior.scale_down
    return Behavior(
        scale_up=replace(up, select_policy=SelectPolicy.DISABLED) if pauses.is_scale_out_paused else up,
        scale_down=replace(down, select_policy=SelectPolicy.DISABLED) if pauses.is_scale_in_paused else down,
    )


def load_scaled_object(source: str | Path, *, settings: Settings = _SETTINGS) -> ScaledObject:
    """The ScaledObject in a YAML file, or in a text of several lines.

    Args:
        source: A path, or the text itself.
        settings: Of the cluster's HPA controller, which `behavior` is checked against.

    Raises:
        ParameterError: If KEDA's admission would not take it, or would ignore a part of it.

    Source: keda `apis/keda/v1alpha1/scaledobject_types.go`, `scaledobject_webhook.go`.
    """
    manifest = load_manifest(source, kind=KIND, api_versions=(API_VERSION,))
    manifest.only("apiVersion", "kind", "metadata", "spec", "status")
    metadata = manifest.fields("metadata", default=None)
    pauses = Pauses() if metadata is None else pauses_from(metadata)
    spec = manifest.fields("spec").only(
        "scaleTargetRef",
        "pollingInterval",
        "cooldownPeriod",
        "initialCooldownPeriod",
        "idleReplicaCount",
        "minReplicaCount",
        "maxReplicaCount",
        "fallback",
        "advanced",
        "triggers",
    )
    _target_ref(spec)
    triggers = _triggers(spec)
    least, most, idle = _replica_counts(spec)
    fallback = spec.fields("fallback", default=None)
    advanced = spec.fields("advanced", default=None)
    return ScaledObject(
        triggers=triggers,
        min_replica_count=least,
        max_replica_count=most,
        idle_replica_count=idle,
        polling_interval_s=float(spec.integer("pollingInterval", default=30, minimum=1)),
        cooldown_period_s=float(spec.integer("cooldownPeriod", default=300, minimum=0)),
        initial_cooldown_period_s=float(spec.integer("initialCooldownPeriod", default=0, minimum=0)),
        fallback=None if fallback is None else _fallback(fallback, triggers),
        modifiers=None if advanced is None else modifiers_from(advanced, triggers),
        behavior=None if advanced is None else _hpa_behavior(advanced, settings),
        pauses=pauses,
    )


def _target_ref(spec: Fields) -> None:
    reference = spec.fields("scaleTargetRef").only("name", "apiVersion", "kind", "envSourceContainerName")
    reference.text("name")


def _replica_counts(spec: Fields) -> tuple[int, int, int | None]:
    """The minimum, the maximum and the idle count: idle < min <= max."""
    least: int = spec.integer("minReplicaCount", default=0, minimum=0)
    most: int = spec.integer("maxReplicaCount", default=DEFAULT_MAX_REPLICA_COUNT, minimum=1)
    idle: int | None = spec.integer("idleReplicaCount", default=None, minimum=0)
    if least > most:
        raise spec.invalid("minReplicaCount", f"must be less than or equal to maxReplicaCount={most}")
    if idle is not None and idle >= least:
        raise spec.invalid("idleReplicaCount", f"must be less than minReplicaCount={least}")
    return least, most, idle


def _triggers(spec: Fields) -> tuple[Trigger, ...]:
    triggers = tuple(trigger_from(fields, index) for index, fields in enumerate(spec.items("triggers")))
    if not triggers:
        raise spec.required("triggers", "must hold at least one")
    names = [trigger.name for trigger in triggers if trigger.name]
    for index, trigger in enumerate(triggers):
        if trigger.name and names.count(trigger.name) > 1:
            raise spec.items("triggers")[index].invalid("name", "must be unique among the triggers")
    return triggers


def _fallback(fields: Fields, triggers: tuple[Trigger, ...]) -> Fallback:
    fields.only("failureThreshold", "replicas", "behavior")
    if all(trigger.is_resource for trigger in triggers):
        raise ParameterError(f"{fields.where('replicas')}: Forbidden: cpu and memory triggers have no fallback")
    behaviors = [behavior.value for behavior in FallbackBehavior]
    return Fallback(
        failure_threshold=fields.integer("failureThreshold", minimum=0),
        replicas=fields.integer("replicas", minimum=0),
        behavior=FallbackBehavior(fields.text("behavior", default="static", choices=behaviors)),
    )


def _hpa_behavior(advanced: Fields, settings: Settings) -> Behavior | None:
    config = advanced.fields("horizontalPodAutoscalerConfig", default=None)
    if config is None:
        return None
    behavior = config.only("behavior", "name").fields("behavior", default=None)
    return None if behavior is None else behavior_from(behavior, settings=settings)
