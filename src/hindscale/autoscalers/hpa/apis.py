"""What the three metrics APIs answer, as samples: `metrics.k8s.io`, `custom.` and `external.metrics.k8s.io`.

Times are seconds since 1970. All values are quantities, taken as milli values rounded up.
"""

from __future__ import annotations

from datetime import datetime

from hindscale.autoscalers.hpa.pods import Reading
from hindscale.autoscalers.hpa.readings import ContainerUse, PodUse
from hindscale.autoscalers.kubernetes import Fields, fields_of, milli_value
from hindscale.core.errors import MetricsUnavailable

__all__ = ["CUSTOM_METRIC_WINDOW_S", "external_series", "object_value", "pod_uses", "pods_metric_readings"]

CUSTOM_METRIC_WINDOW_S = 60.0  # of a custom metric that says none


def external_series(answer: object) -> tuple[int, ...]:
    """The series of an ExternalMetricValueList, in milli; their sum is the metric.

    Raises:
        ParameterError: If the answer has another form.

    >>> external_series({"items": [{"metricName": "queue_depth", "value": "12500m"}, {"value": "3"}]})
    (12500, 3000)
    """
    return tuple(item.quantity("value") for item in fields_of(answer).items("items"))


def object_value(answer: object) -> int:
    """The one value of a MetricValueList for an object, in milli.

    Raises:
        ParameterError: If the answer has another form.
        MetricsUnavailable: If it does not hold exactly one value.
    """
    items = fields_of(answer).items("items")
    if len(items) != 1:
        raise MetricsUnavailable(f"expected one value of the object metric, got {len(items)}")
    value: int = items[0].quantity("value")
    return value


def pods_metric_readings(answer: object) -> dict[str, Reading]:
    """The readings of a MetricValueList for pods, by name of pod; v1beta1 and v1beta2 differ in nothing read here.

    Raises:
        ParameterError: If the answer has another form.
        MetricsUnavailable: If the list is empty.

    >>> item = {"describedObject": {"name": "a"}, "timestamp": "2026-08-01T12:00:00Z", "value": "650m"}
    >>> pods_metric_readings({"items": [item]})["a"].value_milli
    650
    """
    found = {}
    for item in fields_of(answer).items("items"):
        window_s = item.number("windowSeconds", default=CUSTOM_METRIC_WINDOW_S)
        found[item.fields("describedObject").text("name")] = Reading(
            value_milli=item.quantity("value"), time_s=_time_s(item), window_s=window_s
        )
    if not found:
        raise MetricsUnavailable("no metrics returned from custom metrics API")
    return found


def pod_uses(answer: object) -> tuple[PodUse, ...]:
    """What the containers use by a PodMetricsList.

    Raises:
        ParameterError: If the answer has another form.
    """
    return tuple(
        PodUse(
            pod=item.fields("metadata").text("name"),
            containers=tuple(_container_use(container) for container in item.items("containers")),
            time_s=_time_s(item),
            window_s=item.duration_s("window"),
        )
        for item in fields_of(answer).items("items")
    )


def _container_use(container: Fields) -> ContainerUse:
    usage = container.fields("usage")
    used = {name: milli_value(value, path=usage.where(name)) for name, value in usage.values.items()}
    return ContainerUse(name=container.text("name"), usage_milli=used)


def _time_s(item: Fields) -> float:
    text: str = item.text("timestamp")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise item.invalid("timestamp", "must be a time such as 2026-08-01T12:00:00Z") from None
