from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.backtesting.backtest import policy_entries
from hindscale.backtesting.tuning.space import Choices, Numbers, SearchSpace, parse_ranges, search_space
from hindscale.core import ParameterError, ServiceProfile, ServiceSpec, Slo
from hindscale.core.catalog import parameters_of
from hindscale.policies import POLICIES, build_policy

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), peak_rate_rps=100.0)
TUNABLE = [name for name, cls in POLICIES.classes.items() if hasattr(cls, "tunable")]


def space_of(text: str, ranges: dict[str, str] | None = None) -> SearchSpace:
    return search_space(policy_entries((text,))[0], SPEC, ranges)


@pytest.mark.parametrize("name", TUNABLE)
def test_what_a_policy_declares_are_parameters_around_its_default(name: str) -> None:
    space = space_of(name)
    assert {each.parameter for each in space.dimensions} <= {
        each.name for each in parameters_of(POLICIES.classes[name])
    }
    assert space.default is not None
    assert build_policy(name, SPEC, dict(_given(space.entry_at(space.default)))) is not None


@pytest.mark.parametrize("name", TUNABLE)
@given(data=st.data())
def test_every_point_is_a_policy_or_refused_in_one_line(name: str, data: st.DataObject) -> None:
    space = space_of(name)
    said = refusal(space.entry_at({each.parameter: data.draw(values(each)) for each in space.dimensions}))
    assert "\n" not in said
    if name not in {"utilization", "normal-model", "aws-step-scaling"}:  # whose thresholds must not cross
        assert not said


def refusal(entry: str) -> str:
    try:
        policy_entries((entry,))[0].build(SPEC)
    except ParameterError as error:
        return str(error)
    return ""


def values(dimension: object) -> st.SearchStrategy[float | str]:
    if isinstance(dimension, Choices):
        return st.sampled_from(dimension.values)
    assert isinstance(dimension, Numbers)
    if dimension.is_whole:
        return st.integers(int(dimension.low), int(dimension.high))
    return st.floats(dimension.low, dimension.high)


def _given(entry: str) -> list[tuple[str, str]]:
    return [(key, value) for part in entry.partition(":")[2].split(",") for key, _, value in [part.partition("=")]]


def test_what_is_set_stays_and_what_is_named_alone_is_varied() -> None:
    assert "tolerance" not in space_of("hpa:tolerance=0.05").described()
    space = space_of("hpa:tolerance=0.05", {"target": "50..70", "interval_s": "15s..1min"})
    assert space.described() == {"target": "50..70", "interval_s": "15..60"}
    assert space.default is None  # 80 is not among them
    assert space.entry_at({"target": 60, "interval_s": 20.0}) == "hpa:tolerance=0.05,target=60,interval_s=20"


def test_a_parameter_may_be_named_without_a_range_or_with_choices() -> None:
    space = space_of("hpa", {"target": "", "metric": "cpu|concurrency"})
    assert space.described() == {"target": "20..90", "metric": "cpu|concurrency"}


def test_a_parameter_of_several_numbers_is_multiplied_as_a_whole() -> None:
    (targets,) = space_of("aibrix-apa", {"targets": ""}).dimensions
    assert targets.default == 1.0
    several = Numbers(parameter="targets", low=0.5, high=2.0, multiplied=(40.0, 3.0))
    assert several.text(0.5) == "20;1.5"
    assert float(targets.text(0.5)) == pytest.approx(0.5 * float(build_policy("aibrix-apa", SPEC).targets[0]), rel=0.01)  # type: ignore[attr-defined]


def test_a_manifest_says_what_is_tuned_of_an_hpa(tmp_path: Path) -> None:
    manifest = tmp_path / "hpa.yaml"
    manifest.write_text(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: it}\nspec:\n"
        "  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: it}\n  maxReplicas: 9\n"
        "  metrics:\n  - type: Pods\n"
        "    pods: {metric: {name: concurrency}, target: {type: AverageValue, averageValue: 4}}\n"
        "  behavior: {scaleDown: {stabilizationWindowSeconds: 60}}\n"
    )
    space = space_of(f"hpa:manifest={manifest}")
    assert space.described()["target"] == "0.8..6"
    assert space.default == {"target": 4.0, "scale_down_stabilization_s": 60, "tolerance": 0.1}


@pytest.mark.parametrize(
    ("text", "ranges", "message"),
    [
        (
            "schedule:entries=08:00=3",
            None,
            "schedule: declares nothing tunable; name a parameter and its range with --tune",
        ),
        ("fixed:replicas=3", None, "fixed: all that is tunable is set"),
        ("fixed:replicas=3", {"replicas": "1..3"}, "fixed: replicas is both set and tuned"),
        ("predictive", {"replicas": "1..3"}, "predictive has no parameter replicas; tune it by itself"),
        ("predictive", {"window_s": ""}, "predictive declares no range for window_s; write window_s=LOW..HIGH"),
        ("predictive", {"alpha": "0.5"}, "--tune alpha must look like alpha=LOW..HIGH"),
        ("predictive", {"alpha": "a..b"}, "alpha must be a number, was 'a'"),
        ("predictive", {"alpha": "0.9..0.5"}, "a range must have low < high, but 0.9 >= 0.5"),
        ("optimum", None, "tuning needs a policy by name"),
    ],
)
def test_what_cannot_be_tuned_is_one_line(text: str, ranges: dict[str, str] | None, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        space_of(text, ranges)


def test_ranges_are_for_all_policies_that_have_the_parameter() -> None:
    assert parse_ranges(["tolerance", "alpha=0.5..1"], ["hpa", "predictive"]) == {"tolerance": "", "alpha": "0.5..1"}
    assert parse_ranges([], ["hpa"]) is None
    with pytest.raises(ParameterError, match="no policy here has a parameter 'tolerence'; did you mean 'tolerance'"):
        parse_ranges(["tolerence=0..1"], ["hpa", "predictive"])


def test_a_walk_goes_along_the_main_parameter_alone() -> None:
    space = space_of("predictive")
    points = space.walk(4)
    assert [point["alpha"] for point in points] == pytest.approx([0.3, 0.5, 0.7, 0.9])
    assert {point["horizon_windows"] for point in points} == {4}
    assert space_of("predictive", {"alpha": "0.1..0.2"}).walk(4) == ()
