"""Scaling policies of AWS as the bodies that its API takes: the inverse of `aws.policies`.

Which service is scaled follows from the metric: CPU and memory are those of an ECS service, requests and GPUs those of
a SageMaker endpoint; with a warm-up in place of cooldowns it is an Auto Scaling group of EC2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hindscale.autoscalers._steps import steps_document
from hindscale.autoscalers.aws.policies import HIGH_RESOLUTION_S
from hindscale.autoscalers.aws.step_scaling import StepPolicy
from hindscale.autoscalers.writing import Workload, plain_number, whole_seconds
from hindscale.core.errors import ParameterError

__all__ = ["Scalable", "put_notes", "scalable_of", "step_document", "tracking_document"]

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchMetric:
    """A metric as AWS has it.

    Attributes:
        name: In CloudWatch.
        namespace: In CloudWatch.
        predefined: Its name in target tracking; empty where there is none.
        predefined_period_s: The period of that.
    """

    name: str
    namespace: str
    predefined: str = ""
    predefined_period_s: float = MINUTE_S


_ECS = {
    "cpu": CloudWatchMetric(name="CPUUtilization", namespace="AWS/ECS", predefined="ECSServiceAverageCPUUtilization"),
    "memory": CloudWatchMetric(
        name="MemoryUtilization", namespace="AWS/ECS", predefined="ECSServiceAverageMemoryUtilization"
    ),
}
_SAGEMAKER = {
    "accelerator": CloudWatchMetric(name="GPUUtilization", namespace="/aws/sagemaker/Endpoints"),
    "requests-per-replica": CloudWatchMetric(
        name="InvocationsPerInstance",
        namespace="AWS/SageMaker",
        predefined="SageMakerVariantInvocationsPerInstance",
    ),
    "concurrency-per-replica": CloudWatchMetric(
        name="ConcurrentRequestsPerModel",
        namespace="AWS/SageMaker",
        predefined="SageMakerVariantConcurrentRequestsPerModelHighResolution",
        predefined_period_s=HIGH_RESOLUTION_S,
    ),
}
_EC2 = {
    "cpu": CloudWatchMetric(name="CPUUtilization", namespace="AWS/EC2", predefined="ASGAverageCPUUtilization"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalable:
    """What is scaled, and the metric it is scaled on, in the words of AWS.

    Attributes:
        identity: Fields that name it in a policy.
        metric: What it is scaled on.
        dimensions: Of that metric, by name.
        bounds: Names of the two bounds.
    """

    identity: Mapping[str, str]
    metric: CloudWatchMetric
    dimensions: Mapping[str, str]
    bounds: tuple[str, str] = ("MinCapacity", "MaxCapacity")

    @property
    def is_group(self) -> bool:
        """Whether it is an Auto Scaling group of EC2, which goes by warm-up."""
        return "AutoScalingGroupName" in self.identity


def scalable_of(metric: str, workload: Workload, *, has_warmup: bool) -> Scalable:
    """What of AWS has such a metric.

    Args:
        metric: Ours, such as cpu or requests-per-replica.
        workload: Its name is the endpoint's, the service's or the group's; its namespace the cluster's of ECS.
        has_warmup: Whether it goes by warm-up instead of cooldowns.

    Raises:
        ParameterError: If AWS does not publish that metric.
    """
    name = workload.name
    if has_warmup and metric in _EC2:
        group = {"AutoScalingGroupName": name}
        return Scalable(identity=group, metric=_EC2[metric], dimensions=group, bounds=("MinSize", "MaxSize"))
    if not has_warmup and metric in _ECS:
        cluster = workload.namespace or "default"
        identity = {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{cluster}/{name}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        return Scalable(
            identity=identity, metric=_ECS[metric], dimensions={"ClusterName": cluster, "ServiceName": name}
        )
    if not has_warmup and metric in _SAGEMAKER:
        identity = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{name}/variant/AllTraffic",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        dimensions = {"EndpointName": name, "VariantName": "AllTraffic"}
        return Scalable(identity=identity, metric=_SAGEMAKER[metric], dimensions=dimensions)
    known = ", ".join(_EC2 if has_warmup else (*_ECS, *_SAGEMAKER))
    kind = "an Auto Scaling group of EC2 (estimated_instance_warmup_s is given)" if has_warmup else "AWS"
    raise ParameterError(f"metric={metric}: {kind} publishes none such; known: {known}")


def put_notes(scalable: Scalable, *, has_alarms: bool = False) -> tuple[str, ...]:
    """How the document is put into an account."""
    low, high = scalable.bounds
    owner = "update-auto-scaling-group" if scalable.is_group else "register-scalable-target"
    first = f"{low} and {high} are of `{owner}`, which comes first."
    if not has_alarms:
        return first, "All else is what `put-scaling-policy --cli-input-yaml` takes."
    return (
        first,
        "Each of ScalingPolicies is what `put-scaling-policy --cli-input-yaml` takes.",
        "Each of MetricAlarms is what `put-metric-alarm` takes, AlarmActions the PolicyARN that the former answers.",
    )


def tracking_document(
    scalable: Scalable,
    workload: Workload,
    *,
    target_value: float,
    statistic: str,
    period_s: float,
    disable_scale_in: bool,
    cooldowns_s: tuple[float, float],
    warmup_s: float | None,
    bounds: tuple[int, int],
) -> dict[str, Any]:
    """The body of PutScalingPolicy for target tracking, with the bounds of the target beside it.

    Args:
        scalable: What is scaled.
        workload: Gives the policy its name.
        target_value: In the metric's unit.
        statistic: How samples become a datapoint.
        period_s: Length of a datapoint's period.
        disable_scale_in: Whether nothing is ever removed.
        cooldowns_s: Out and in; for what goes by cooldowns.
        warmup_s: For what goes by warm-up.
        bounds: Least and most capacity.

    Raises:
        ParameterError: If a field cannot carry its value.
    """
    body: dict[str, Any] = {"TargetValue": plain_number(target_value), **_metric(scalable, statistic, period_s)}
    body["DisableScaleIn"] = disable_scale_in
    document: dict[str, Any] = {
        "PolicyName": f"{workload.name}-target-tracking",
        "PolicyType": "TargetTrackingScaling",
        **scalable.identity,
    }
    if warmup_s is not None:
        document["EstimatedInstanceWarmup"] = whole_seconds(warmup_s, field="EstimatedInstanceWarmup")
        document["TargetTrackingConfiguration"] = body
    else:
        for field, seconds in zip(("ScaleOutCooldown", "ScaleInCooldown"), cooldowns_s, strict=True):
            body[field] = whole_seconds(seconds, field=field)
        document["TargetTrackingScalingPolicyConfiguration"] = body
    return document | dict(zip(scalable.bounds, bounds, strict=True))


def _metric(scalable: Scalable, statistic: str, period_s: float) -> dict[str, Any]:
    """The metric that target tracking has by itself, or else one of CloudWatch."""
    metric = scalable.metric
    if metric.predefined and statistic == "Average" and period_s == metric.predefined_period_s:
        return {"PredefinedMetricSpecification": {"PredefinedMetricType": metric.predefined}}
    written = _of_cloud_watch(scalable, statistic)
    if period_s != MINUTE_S:
        if not scalable.is_group:
            raise ParameterError(
                f"period_s={period_s:g}: Application Auto Scaling takes datapoints of a minute"
                f"{_but(metric)}; leave it out"
            )
        written["Period"] = whole_seconds(period_s, field="Period")
    return {"CustomizedMetricSpecification": written}


def _but(metric: CloudWatchMetric) -> str:
    is_fine = metric.predefined and metric.predefined_period_s != MINUTE_S
    return f", or of {metric.predefined_period_s:g} s for the average of this metric" if is_fine else ""


def _of_cloud_watch(scalable: Scalable, statistic: str) -> dict[str, Any]:
    return {
        "MetricName": scalable.metric.name,
        "Namespace": scalable.metric.namespace,
        "Dimensions": [{"Name": name, "Value": value} for name, value in scalable.dimensions.items()],
        "Statistic": statistic,
    }


def step_document(
    scalable: Scalable,
    workload: Workload,
    policies: Sequence[StepPolicy],
    *,
    statistic: str,
    warmup_s: float | None,
    bounds: tuple[int, int],
) -> dict[str, Any]:
    """Bodies of PutScalingPolicy for step scaling and of PutMetricAlarm, with the bounds of the target beside them.

    Raises:
        ParameterError: If a field cannot carry its value.
    """
    names = [f"{workload.name}-{number}-{_direction(each)}" for number, each in enumerate(policies, start=1)]
    return {
        "ScalingPolicies": [
            _step_policy(scalable, name, each, statistic, warmup_s) for name, each in zip(names, policies, strict=True)
        ],
        "MetricAlarms": [_alarm(scalable, name, each, statistic) for name, each in zip(names, policies, strict=True)],
        **dict(zip(scalable.bounds, bounds, strict=True)),
    }


def _direction(policy: StepPolicy) -> str:
    return "out" if policy.alarm.comparison.startswith("Greater") else "in"


def _step_policy(
    scalable: Scalable, name: str, policy: StepPolicy, statistic: str, warmup_s: float | None
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "AdjustmentType": policy.adjustment_type,
        "MetricAggregationType": statistic,
        "StepAdjustments": steps_document(policy.steps),
    }
    if policy.min_adjustment_magnitude and policy.adjustment_type == "PercentChangeInCapacity":
        # Of a percentage alone: the API refuses it beside the other types.
        body["MinAdjustmentMagnitude"] = policy.min_adjustment_magnitude
    document: dict[str, Any] = {"PolicyName": name, "PolicyType": "StepScaling", **scalable.identity}
    if warmup_s is not None:
        return {**document, **body, "EstimatedInstanceWarmup": whole_seconds(warmup_s, field="EstimatedInstanceWarmup")}
    body["Cooldown"] = whole_seconds(policy.cooldown_s, field="Cooldown")
    return {**document, "StepScalingPolicyConfiguration": body}


def _alarm(scalable: Scalable, name: str, policy: StepPolicy, statistic: str) -> dict[str, Any]:
    alarm = policy.alarm
    return {
        "AlarmName": name,
        "AlarmActions": [f"policyName/{name}"],
        **_of_cloud_watch(scalable, statistic),
        "Period": whole_seconds(alarm.period_s, field="Period"),
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "Threshold": plain_number(alarm.threshold),
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": alarm.treat_missing_data,
    }
