from __future__ import annotations

import pytest

from hindscale.core import ParameterError
from hindscale.core.catalog import parameters_of, parse_call, parse_entry
from hindscale.forecasting import FORECASTERS
from hindscale.guardrails import GUARDRAILS
from hindscale.policies import POLICIES


@pytest.mark.parametrize("catalog", [POLICIES, GUARDRAILS, FORECASTERS])
def test_each_file_of_a_room_holds_one_class_named_like_the_file(catalog: object) -> None:
    for name, cls in catalog.classes.items():  # type: ignore[attr-defined]
        assert cls.__module__.rsplit(".", 1)[-1] == name.replace("-", "_")


@pytest.mark.parametrize("catalog", [POLICIES, GUARDRAILS, FORECASTERS])
def test_every_parameter_is_described(catalog: object) -> None:
    for cls in catalog.classes.values():  # type: ignore[attr-defined]
        for parameter in parameters_of(cls):
            assert parameter.summary, f"{cls.__name__}.{parameter.name}"


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(ParameterError, match="unknown policy 'target-traking'; did you mean 'target-tracking'"):
        POLICIES.find("target-traking")
    with pytest.raises(ParameterError, match="has no parameter 'uper'; did you mean 'upper'"):
        POLICIES.parse_parameters("utilization", {"uper": "0.8"})


@pytest.mark.parametrize(
    ("catalog", "name", "text", "value"),
    [
        (POLICIES, "utilization", {"upper": "0.7"}, {"upper": 0.7}),
        (POLICIES, "utilization", {"resources": "cpu;memory"}, {"resources": ("cpu", "memory")}),
        (POLICIES, "utilization", {"resources": ["cpu"]}, {"resources": ("cpu",)}),
        (POLICIES, "fixed", {"replicas": "8"}, {"replicas": 8}),
        (POLICIES, "predictive", {"window_s": "1min"}, {"window_s": 60.0}),
        (GUARDRAILS, "one-at-a-time", {"up": "no"}, {"up": False}),
        (GUARDRAILS, "cooldown", {"down_s": 30}, {"down_s": 30}),
    ],
)
def test_texts_become_values_of_the_parameters_type(catalog: object, name: str, text: dict, value: dict) -> None:  # type: ignore[type-arg]
    assert catalog.parse_parameters(name, text) == value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("fixed", {"replicas": "8.5"}, "replicas must be a whole number, was '8.5'"),
        ("fixed", {"hindsight": "perhaps"}, "hindsight must be true or false"),
        ("utilization", {"upper": "high"}, "upper must be a number, was 'high'"),
        ("predictive", {"window_s": "soon"}, "window_s must be a number with a unit"),
    ],
)
def test_texts_that_do_not_fit_are_refused(name: str, text: dict[str, str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        POLICIES.parse_parameters(name, text)


def test_entries_and_calls_are_split_at_the_outer_commas() -> None:
    assert parse_entry("fixed") == ("fixed", {})
    assert parse_entry("p:a=f(x=1,y=2),b=3") == ("p", {"a": "f(x=1,y=2)", "b": "3"})
    assert parse_entry("schedule:entries=08:00=10;20:00=2") == ("schedule", {"entries": "08:00=10;20:00=2"})
    assert parse_entry("dqn=a:b,c.safetensors") == ("dqn", {"path": "a:b,c.safetensors"})
    assert parse_call("f( x = 1 , y = 2 )") == ("f", {"x": "1", "y": "2"})
    with pytest.raises(ParameterError, match="close the parenthesis"):
        parse_call("f(x=1")
    with pytest.raises(ParameterError, match="expected key=value, was 'x'"):
        parse_entry("p:x")
    with pytest.raises(ParameterError, match="a is given twice in 'p:a=1,b=2,a=3'; give it once"):
        parse_entry("p:a=1,b=2,a=3")
