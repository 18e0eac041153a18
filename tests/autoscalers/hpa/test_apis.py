from __future__ import annotations

from typing import Any

import pytest

from hindscale.autoscalers.hpa.apis import external_series, object_value, pod_uses, pods_metric_readings
from hindscale.autoscalers.hpa.readings import resource_readings
from hindscale.autoscalers.hpa.totals import external_total
from hindscale.core import ParameterError
from hindscale.core.errors import MetricsUnavailable

NOON_S = 1785585600.0  # 2026-08-01T12:00:00Z: 20 666 days of 86 400 s, and 12 h
STAMP = "2026-08-01T12:00:00Z"


def test_external_metrics_are_summed() -> None:
    items = [
        {"metricName": "queue_depth", "metricLabels": {"model": "a"}, "timestamp": STAMP, "value": "12500m"},
        {"metricName": "queue_depth", "metricLabels": {"model": "b"}, "timestamp": STAMP, "window": 60, "value": "3"},
    ]
    series = external_series({"kind": "ExternalMetricValueList", "items": items})
    assert external_total(series) == 15_500


def test_no_series_is_not_a_zero() -> None:
    with pytest.raises(MetricsUnavailable):
        external_total(external_series({"items": []}))
    assert external_total(external_series({"items": [{"value": "0"}]})) == 0


@pytest.mark.parametrize("metric", [{"metric": {"name": "kv", "selector": None}}, {"metricName": "kv"}])
def test_pods_metrics_of_both_versions(metric: dict[str, Any]) -> None:
    item = {"describedObject": {"kind": "Pod", "name": "pod-0"}, "timestamp": STAMP, "value": "650m"} | metric
    reading = pods_metric_readings({"items": [item]})["pod-0"]
    assert (reading.value_milli, reading.time_s, reading.window_s) == (650, NOON_S, 60.0)
    assert pods_metric_readings({"items": [item | {"windowSeconds": 15}]})["pod-0"].window_s == 15.0


def test_an_object_has_exactly_one_value() -> None:
    assert object_value({"items": [{"value": "2k"}]}) == 2_000_000
    for items in ([], [{"value": "1"}, {"value": "2"}]):
        with pytest.raises(MetricsUnavailable, match="expected one value"):
            object_value({"items": items})


def test_resource_metrics_list_containers() -> None:
    item = {
        "metadata": {"name": "pod-0", "namespace": "ns"},
        "timestamp": STAMP,
        "window": "30s",
        "containers": [{"name": "main", "usage": {"cpu": "250m", "memory": "512Mi"}}],
    }
    uses = pod_uses({"kind": "PodMetricsList", "items": [item]})
    reading = resource_readings(uses, "cpu")["pod-0"]
    assert (reading.value_milli, reading.time_s, reading.window_s) == (250, NOON_S, 30.0)
    assert resource_readings(uses, "memory")["pod-0"].value_milli == 512 * 2**20 * 1000


def test_nothing_for_pods_is_an_error() -> None:
    with pytest.raises(MetricsUnavailable, match="custom metrics API"):
        pods_metric_readings({"items": []})


def test_another_form_is_refused() -> None:
    item = {"describedObject": {"name": "a"}, "timestamp": "noon", "value": "1"}
    with pytest.raises(ParameterError, match=r'items\[0\].timestamp: Invalid value: "noon": must be a time'):
        pods_metric_readings({"items": [item]})
    with pytest.raises(ParameterError, match="must be a mapping of fields"):
        external_series([])
