"""Scaling policies as AWS has them: the JSON or YAML body of PutScalingPolicy, and of PutMetricAlarm beside it."""

from __future__ import annotations

from pathlib import Path

from hindscale.autoscalers._configs import read_mapping
from hindscale.autoscalers._steps import steps_from
from hindscale.autoscalers.aws.alarms import COMPARISONS, TREATMENTS, Alarm
from hindscale.autoscalers.aws.step_scaling import ADJUSTMENT_TYPES, StepPolicy
from hindscale.autoscalers.kubernetes.fields import Fields
from hindscale.core.errors import ParameterError

__all__ = ["HIGH_RESOLUTION_S", "PREDEFINED_METRICS", "metric_named", "read_scaling_policies", "read_target_tracking"]

HIGH_RESOLUTION_S = 10.0
PREDEFINED_METRICS = {
    "ASGAverageCPUUtilization": "cpu",
    "ECSServiceAverageCPUUtilization": "cpu",
    "ECSServiceAverageMemoryUtilization": "memory",
    "ALBRequestCountPerTarget": "requests-per-replica",
    "SageMakerVariantInvocationsPerInstance": "requests-per-replica",
    "SageMakerInferenceComponentInvocationsPerCopy": "requests-per-replica",
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": "concurrency-per-replica",
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": "concurrency-per-replica",
}
CUSTOM_METRICS = {
    "CPUUtilization": "cpu",
    "MemoryUtilization": "memory",
    "GPUUtilization": "accelerator",
    "InvocationsPerInstance": "requests-per-replica",
    "InvocationsPerCopy": "requests-per-replica",
    "RequestCountPerTarget": "requests-per-replica",
    "ConcurrentRequestsPerModel": "concurrency-per-replica",
    "ConcurrentRequestsPerCopy": "concurrency-per-replica",
}
_COMMON = ("PolicyName", "PolicyType", "ServiceNamespace", "ResourceId", "ScalableDimension", "AutoScalingGroupName")
_TRACKING = ("PredefinedMetricSpecification", "CustomizedMetricSpecification", "TargetValue", "DisableScaleIn")


def metric_named(fields: Fields, name: str, known: dict[str, str]) -> str:
    """Which of our metrics a CloudWatch metric is.

    Raises:
        ParameterError: If the simulation does not measure it.
    """
    return known[fields.text(name, choices=tuple(known))]


def read_target_tracking(source: str | Path) -> dict[str, object]:
    """A target tracking policy as settings: metric, target_value, cooldowns or warm-up.

    `TargetTrackingScalingPolicyConfiguration` is Application Auto Scaling's, `TargetTrackingConfiguration`
    that of EC2 Auto Scaling. `MinCapacity` and `MaxCapacity` (or `MinSize` and `MaxSize`) may stand beside.

    Raises:
        ParameterError: With the field's path.
    """
    top = read_mapping(source)
    bounds = _bounds(top)
    body = top.fields("TargetTrackingScalingPolicyConfiguration", default=None)
    ec2 = top.fields("TargetTrackingConfiguration", default=None)
    if body is None and ec2 is None:
        # A bare configuration, as `--target-tracking-scaling-policy-configuration file://` takes it.
        return {**bounds, **_application_tracking(top)} if top.has("TargetValue") else _missing(top)
    known = ("TargetTrackingScalingPolicyConfiguration", "TargetTrackingConfiguration", "EstimatedInstanceWarmup")
    top.only(*_COMMON, *known, *_BOUNDS)
    top.text("PolicyType", default="", choices=("TargetTrackingScaling",))
    if body is not None:
        return {**bounds, **_application_tracking(body)}
    assert ec2 is not None
    warmup_s = top.number("EstimatedInstanceWarmup", default=300.0, minimum=0)
    ec2.only(*_TRACKING)
    return {**bounds, **_tracked(ec2), "estimated_instance_warmup_s": warmup_s}


def _missing(top: Fields) -> dict[str, object]:
    raise top.required("TargetTrackingScalingPolicyConfiguration")


def _application_tracking(body: Fields) -> dict[str, object]:
    body.only(*_TRACKING, "ScaleOutCooldown", "ScaleInCooldown", *_BOUNDS)
    read = _tracked(body)
    for name, setting in (("ScaleOutCooldown", "scale_out_cooldown_s"), ("ScaleInCooldown", "scale_in_cooldown_s")):
        if body.has(name):
            read[setting] = float(body.integer(name, minimum=0))
    return read


def _tracked(body: Fields) -> dict[str, object]:
    target = body.number("TargetValue")
    if target <= 0:
        raise body.invalid("TargetValue", "must be greater than 0")
    predefined = body.fields("PredefinedMetricSpecification", default=None)
    customized = body.fields("CustomizedMetricSpecification", default=None)
    if (predefined is None) == (customized is None):
        raise body.required("PredefinedMetricSpecification", "give either a predefined or a customized metric")
    read: dict[str, object] = {
        "target_value": target,
        "disable_scale_in": body.boolean("DisableScaleIn", default=False),
    }
    if predefined is not None:
        predefined.only("PredefinedMetricType", "ResourceLabel")
        read["metric"] = metric_named(predefined, "PredefinedMetricType", PREDEFINED_METRICS)
        if predefined.text("PredefinedMetricType").endswith("HighResolution"):
            read["period_s"] = HIGH_RESOLUTION_S
    elif customized is not None:
        customized.only("MetricName", "Namespace", "Dimensions", "Statistic", "Unit", "Period")
        read["metric"] = metric_named(customized, "MetricName", CUSTOM_METRICS)
        read["statistic"] = customized.text("Statistic", default="Average", choices=("Average", "Minimum", "Maximum"))
        read["period_s"] = customized.number("Period", default=60.0, minimum=1)
    return read


def read_scaling_policies(source: str | Path) -> tuple[dict[str, object], tuple[StepPolicy, ...]]:
    """Step scaling policies with their alarms, from one file: `ScalingPolicies` and `MetricAlarms`.

    These are the bodies of PutScalingPolicy and PutMetricAlarm. An alarm belongs to the policy whose name
    ends one of its `AlarmActions`; one policy and one alarm belong together without.

    Returns:
        Settings (metric, statistic, bounds, warm-up), and the policies.

    Raises:
        ParameterError: With the field's path.
    """
    top = read_mapping(source).only("ScalingPolicies", "MetricAlarms", *_BOUNDS)
    policies, alarms = top.items("ScalingPolicies"), top.items("MetricAlarms")
    if not policies:
        raise top.required("ScalingPolicies")
    settings: dict[str, object] = dict(_bounds(top))
    read = []
    for policy in policies:
        alarm = _alarm_of(policy, alarms, is_only=len(policies) == len(alarms) == 1, where=top)
        read.append(_step_policy(policy, _alarm(alarm, settings), settings))
    return settings, tuple(read)


def _alarm_of(policy: Fields, alarms: tuple[Fields, ...], *, is_only: bool, where: Fields) -> Fields:
    if is_only:
        return alarms[0]
    name = policy.text("PolicyName")
    found = [alarm for alarm in alarms if any(action.split("/")[-1] == name for action in alarm.texts("AlarmActions"))]
    if len(found) != 1:
        raise where.required("MetricAlarms", f"exactly one with an AlarmActions entry that ends in {name!r}")
    return found[0]


_ALARM_ONLY = ("AlarmName", "AlarmDescription", "AlarmActions", "Namespace", "Dimensions", "Unit", "ActionsEnabled")


def _alarm(fields: Fields, settings: dict[str, object]) -> Alarm:
    fields.only(
        *(*_ALARM_ONLY, "MetricName", "Statistic", "Period", "EvaluationPeriods", "DatapointsToAlarm"),
        *("Threshold", "ComparisonOperator", "TreatMissingData"),
    )
    statistic = fields.text("Statistic", default="Average", choices=("Average", "Minimum", "Maximum"))
    period_s = fields.number("Period", default=60.0, minimum=1)
    shared = {
        "metric": metric_named(fields, "MetricName", CUSTOM_METRICS),
        "statistic": statistic,
        "period_s": period_s,
    }
    for name, value in shared.items():
        if settings.setdefault(name, value) != value:
            raise ParameterError(
                f"{fields.where('MetricName')}: all alarms must have the same metric, statistic, period"
            )
    periods = fields.integer("EvaluationPeriods", minimum=1)
    return Alarm(
        threshold=fields.number("Threshold"),
        comparison=fields.text("ComparisonOperator", choices=tuple(COMPARISONS)),
        evaluation_periods=periods,
        datapoints_to_alarm=fields.integer("DatapointsToAlarm", default=periods, minimum=1, maximum=periods),
        period_s=period_s,
        treat_missing_data=fields.text("TreatMissingData", default="missing", choices=TREATMENTS),
    )


def _step_policy(fields: Fields, alarm: Alarm, settings: dict[str, object]) -> StepPolicy:
    inner = fields.fields("StepScalingPolicyConfiguration", default=None)
    fields.text("PolicyType", default="", choices=("StepScaling",))
    own = ("AdjustmentType", "StepAdjustments", "MinAdjustmentMagnitude", "MetricAggregationType")
    if inner is not None:
        fields.only(*_COMMON, "StepScalingPolicyConfiguration")
        body = inner.only(*own, "Cooldown")
    else:
        body = fields.only(*_COMMON, *own, "EstimatedInstanceWarmup")
        settings["estimated_instance_warmup_s"] = body.number("EstimatedInstanceWarmup", default=300.0, minimum=0)
    aggregation = body.text("MetricAggregationType", default="", choices=("Average", "Minimum", "Maximum"))
    if aggregation and aggregation != settings["statistic"]:
        raise body.invalid("MetricAggregationType", f"must be the alarm's Statistic, {settings['statistic']}")
    return StepPolicy(
        alarm=alarm,
        steps=steps_from(body, "StepAdjustments"),
        adjustment_type=body.text("AdjustmentType", choices=ADJUSTMENT_TYPES),
        min_adjustment_magnitude=body.integer("MinAdjustmentMagnitude", default=0, minimum=0),
        cooldown_s=body.number("Cooldown", default=300.0, minimum=0),
    )


_BOUNDS = ("MinCapacity", "MaxCapacity", "MinSize", "MaxSize")


def _bounds(top: Fields) -> dict[str, object]:
    bounds: dict[str, object] = {}
    for name, minimum in (("MinCapacity", 0), ("MinSize", 0), ("MaxCapacity", 1), ("MaxSize", 1)):
        if top.has(name):
            bounds["min_replicas" if name.startswith("Min") else "max_replicas"] = top.integer(name, minimum=minimum)
    return bounds
