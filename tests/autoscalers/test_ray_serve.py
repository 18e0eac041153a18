"""Ray Serve's stages against numbers worked by hand, and what holds for all numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers import ray_serve
from hindscale.autoscalers.ray_serve import (
    AutoscalingConfig,
    apply_delays,
    apply_scaling_factors,
    decision_replicas,
    desired_replicas,
    read_config,
)
from hindscale.core import ParameterError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "ray_serve.json").read_text())


def scaled(*, total_requests: float, running_replicas: int, target_ongoing_requests: float) -> int:
    desired = desired_replicas(
        total_requests, running_replicas=running_replicas, target_ongoing_requests=target_ongoing_requests
    )
    return apply_scaling_factors(desired, running_replicas=running_replicas, config=AutoscalingConfig())


POSITIONAL = {
    "desired_replicas": "total_requests",
    "apply_scaling_factors": "desired",
    "apply_bounds": "replicas",
    "apply_delays": "desired",
    "window_average": "points",
    "merge_instantaneous_total": "series",
    "time_weighted_average": "steps",
    "handle_metrics_timeout_s": "metrics_interval_s",
}


def call(function: str, **arguments: Any) -> Any:
    if "config" in arguments:
        arguments["config"] = AutoscalingConfig(**{"max_replicas": 1000, **arguments["config"]})
    if function == "scaled":
        return scaled(**arguments)
    if function == "capacity_adjusted_replicas":
        return ray_serve.capacity_adjusted_replicas(arguments["replicas"], arguments["target_capacity"])
    first = POSITIONAL.get(function)
    given = [arguments.pop(first)] if first else []
    return getattr(ray_serve, function)(*given, **arguments)


def plain(value: Any) -> Any:
    return [plain(each) for each in value] if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_numbers_worked_by_hand(case: dict[str, Any]) -> None:
    assert plain(call(**case["given"])) == case["expected"], case["why"]


configs = st.builds(
    AutoscalingConfig,
    min_replicas=st.integers(0, 5),
    max_replicas=st.integers(5, 40),
    target_ongoing_requests=st.floats(0.1, 50),
    upscaling_factor=st.none() | st.floats(0.1, 3),
    downscaling_factor=st.none() | st.floats(0.1, 3),
    upscale_delay_s=st.sampled_from([0.0, 0.3, 1.0, 30.0]),
    downscale_delay_s=st.sampled_from([0.0, 0.7, 2.0, 600.0]),
    downscale_to_zero_delay_s=st.none() | st.sampled_from([0.0, 0.5]),
)


@given(
    config=configs,
    total=st.floats(0, 1e4),
    running=st.integers(0, 60),
    target=st.integers(0, 60),
    counter=st.integers(-7000, 400),
)
def test_targets_stay_in_bounds(
    config: AutoscalingConfig, total: float, running: int, target: int, counter: int
) -> None:
    replicas, _ = decision_replicas(
        total_requests=total, running_replicas=running, target_replicas=target, counter=counter, config=config
    )
    assert config.min_replicas <= replicas <= config.max_replicas


@given(
    config=configs,
    desired=st.integers(0, 40),
    target=st.integers(0, 40),
    counter=st.integers(-6100, 310),
    passes=st.integers(1, 700),
)
def test_many_passes_at_once_are_as_many_single_ones(
    config: AutoscalingConfig, desired: int, target: int, counter: int, passes: int
) -> None:
    one_by_one = (target, counter)
    for _ in range(passes):
        one_by_one = apply_delays(desired, target_replicas=one_by_one[0], counter=one_by_one[1], config=config)
    at_once = apply_delays(desired, target_replicas=target, counter=counter, config=config, passes=passes)
    assert at_once == one_by_one


@given(config=configs, desired=st.floats(0, 1000), running=st.integers(1, 100))
def test_factors_never_turn_the_direction(config: AutoscalingConfig, desired: float, running: int) -> None:
    scaled_to = apply_scaling_factors(desired, running_replicas=running, config=config)
    if desired >= running:
        assert scaled_to >= running
    else:
        assert scaled_to <= running
    if math.ceil(desired) < running:
        assert scaled_to < running


SERVE_CONFIG = """
applications:
- name: app
  import_path: app:app
  deployments:
  - name: Model
    max_ongoing_requests: 8
    autoscaling_config:
      min_replicas: 2
      max_replicas: 12
      target_ongoing_requests: 4
      upscale_delay_s: 5
  - name: Preprocess
    num_replicas: 2
"""


def test_a_serve_config_names_the_deployment_that_autoscales() -> None:
    assert read_config(SERVE_CONFIG) == {
        "min_replicas": 2,
        "max_replicas": 12,
        "target_ongoing_requests": 4.0,
        "upscale_delay_s": 5.0,
    }


def test_auto_brings_a_hundred_replicas() -> None:
    assert read_config("name: Model\nnum_replicas: auto\n") == {"max_replicas": 100}
    assert read_config("name: Model\nnum_replicas: auto\nautoscaling_config:\n  max_replicas: 7\n") == {
        "max_replicas": 7
    }


def test_several_autoscaled_deployments_need_a_name() -> None:
    text = "deployments:\n- name: A\n  num_replicas: auto\n- name: B\n  num_replicas: auto\n"
    with pytest.raises(ParameterError, match="needs the parameter deployment, autoscaled are: A, B"):
        read_config(text)
    assert read_config(text, deployment="B") == {"max_replicas": 100}
    with pytest.raises(ParameterError, match="no autoscaled deployment 'BB'; did you mean 'B'"):
        read_config(text, deployment="BB")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_replicas: -1\nmax_replicas: 3\n", "min_replicas: Invalid value: -1: must be greater than or equal to 0"),
        ("max_replicas: 0\n", "max_replicas: Invalid value: 0: must be greater than or equal to 1"),
        ("min_replicas: 4\nmax_replicas: 2\n", r"max_replicas: Invalid value: 2: .* min_replicas \(4\)"),
        ("initial_replicas: 9\nmax_replicas: 2\n", "initial_replicas: Invalid value: 9: must be less"),
        ("initial_replicas: 0\nmax_replicas: 2\n", "initial_replicas: Invalid value: 0: must be greater"),
        ("target_ongoing_requests: 0\n", "target_ongoing_requests: Invalid value: 0: must be greater than 0"),
        ("target_ongoing_requests: 70%\n", 'target_ongoing_requests: Invalid value: "70%": must be a number'),
        ("upscale_delay: 30\nmax_replicas: 2\n", "unknown field \"upscale_delay\"; did you mean 'upscale_delay_s'"),
        ("upscale_delay_s: 30s\nmax_replicas: 2\n", "upscale_delay_s: Invalid value"),
        ("aggregation_function: median\nmax_replicas: 2\n", "Unsupported value"),
        ("max_replicas: 2\npolicy:\n  policy_function: mine:policy\n", "cannot be emulated"),
        ("num_replicas: 3\nautoscaling_config:\n  max_replicas: 2\n", 'num_replicas: Invalid value: 3: must be "auto"'),
        ("autoscaling_config:\n  max_replicas: 2\nmax_ongoing_requests: 0\n", "max_ongoing_requests: Invalid value: 0"),
        ("- 1\n- 2\n", "must be a mapping of fields"),
        ("a: [\n", "no valid YAML"),
    ],
)
def test_wrong_configurations_are_refused_with_their_path(text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        read_config(text)
    assert "\n" not in str(caught.value)


def test_paths_lead_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(SERVE_CONFIG.replace("min_replicas: 2", "min_replicas: two"))
    with pytest.raises(ParameterError, match=r"applications\[0\].deployments\[0\].autoscaling_config.min_replicas"):
        read_config(path)
    with pytest.raises(ParameterError, match="cannot be read"):
        read_config(tmp_path / "nothing.yaml")
