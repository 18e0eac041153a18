"""Manifests as people write them."""

from __future__ import annotations

import pytest

from hindscale.autoscalers.knative import AutoscalerConfig, Revision, load_config, load_revision
from hindscale.core import ParameterError

SERVICE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: llama
  annotations:
    example.com/owner: ml
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/target: "7.5"
        autoscaling.knative.dev/minScale: "2"
        autoscaling.knative.dev/window: 2m
        autoscaling.knative.dev/scale-down-delay: 15m
        serving.knative.dev/progress-deadline: 30m
        prometheus.io/scrape: "true"
    spec:
      containerConcurrency: 10
      containers:
        - image: example.com/llama
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: config-autoscaler}
data:
  _example: "anything"
  enable-scale-to-zero: "false"
  max-scale-up-rate: "10.0"
  container-concurrency-target-percentage: "80"
  scale-to-zero-grace-period: 1m
  max-scale-limit: "50"
  max-scale: "20"
"""


def test_a_service_is_read_from_its_template() -> None:
    assert load_revision(SERVICE) == Revision(
        container_concurrency=10,
        target=7.5,
        min_scale=2,
        window_s=120.0,
        scale_down_delay_s=900.0,
        progress_deadline_s=1800.0,
    )


def test_a_revision_is_read_from_its_own_metadata() -> None:
    text = """
apiVersion: serving.knative.dev/v1
kind: Revision
metadata:
  annotations: {autoscaling.knative.dev/metric: rps, autoscaling.knative.dev/max-scale: "7"}
spec: {}
"""
    assert load_revision(text) == Revision(metric="rps", max_scale=7)


def test_the_newer_spelling_wins() -> None:
    text = SERVICE.replace("minScale", 'min-scale: "5"\n        autoscaling.knative.dev/minScale')
    assert load_revision(text).min_scale == 5


def test_annotations_of_the_service_itself_are_refused() -> None:
    text = SERVICE.replace("example.com/owner: ml", 'autoscaling.knative.dev/min-scale: "1"')
    with pytest.raises(ParameterError, match="must be put under"):
        load_revision(text)


def test_a_number_without_quotes_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"minScale: Invalid value: 2.*: must be a string; put it in quotes"):
        load_revision(SERVICE.replace('minScale: "2"', "minScale: 2"))


def test_another_kind_is_refused() -> None:
    with pytest.raises(ParameterError, match="kind: Unsupported value"):
        load_revision(SERVICE.replace("kind: Service", "kind: Deployment"))


def test_too_much_container_concurrency_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"spec.template.spec.containerConcurrency: Invalid value: 1001"):
        load_revision(SERVICE.replace("containerConcurrency: 10", "containerConcurrency: 1001"))


def test_the_cluster_limits_max_scale() -> None:
    config = AutoscalerConfig(max_scale=20, max_scale_limit=50)
    text = SERVICE.replace('minScale: "2"', 'max-scale: "60"')
    with pytest.raises(ParameterError, match=r"max-scale: Invalid value: \"60\": must be in \[1; 50\]"):
        load_revision(text, config)
    assert load_revision(SERVICE, config).max_scale is None


def test_a_config_map_overrides_the_defaults_it_names() -> None:
    config = load_config(CONFIG)
    assert config == AutoscalerConfig(
        enable_scale_to_zero=False,
        max_scale_up_rate=10.0,
        container_concurrency_target_percentage=80.0,
        scale_to_zero_grace_period=60.0,
        max_scale_limit=50,
        max_scale=20,
    )
    assert config.target_fraction == 0.8


def test_an_empty_config_map_is_the_defaults() -> None:
    assert load_config("apiVersion: v1\nkind: ConfigMap\n") == AutoscalerConfig()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"false"', '"no"', 'enable-scale-to-zero: Invalid value: "no": must be a boolean'),
        ('max-scale: "20"', 'max-scale: "51"', "max-scale: Invalid value"),
        ('max-scale: "20"', 'max-scale: "0"', "max-scale: Invalid value"),
        ("1m", "0s", "scale-to-zero-grace-period: Invalid value"),
        ('"10.0"', '"fast"', "max-scale-up-rate: Invalid value"),
    ],
)
def test_a_wrong_key_is_named(old: str, new: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        load_config(CONFIG.replace(old, new))
