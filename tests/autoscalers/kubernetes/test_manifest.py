from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hindscale.autoscalers.kubernetes import Fields, fields_of, load_manifest
from hindscale.core import ParameterError

HPA = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec: {a: 1}\n"


def load(text: str | Path) -> Fields:
    return load_manifest(text, kind="HorizontalPodAutoscaler", api_versions=("autoscaling/v2",))


def spec(**values: Any) -> Fields:
    return fields_of(values, path="spec")


def refused(read: Any, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        read()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_document_of_the_kind_is_found_among_others() -> None:
    assert load("kind: Deployment\n---\n" + HPA + "---\n").fields("spec").integer("a") == 1


def test_a_list_of_objects_is_looked_into() -> None:
    item = "{kind: HorizontalPodAutoscaler, apiVersion: autoscaling/v2, spec: {a: 2}}"
    text = f"kind: List\nitems:\n- kind: Service\n- {item}\n"
    assert load(text).fields("spec").integer("a") == 2


def test_messages_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "hpa.yaml"
    path.write_text(HPA)
    refused(lambda: load(path).fields("spec").text("a"), f"{path}: spec.a: Invalid value: 1: must be a string")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: Deployment\n", 'kind: Unsupported value: "Deployment": supported values: "HorizontalPodAutoscaler"'),
        ("a: 1\n", "kind: Required value"),
        (HPA + "---\n" + HPA, "must hold exactly one HorizontalPodAutoscaler, holds HorizontalPodAutoscaler, Hor"),
        ("\n", "must hold exactly one HorizontalPodAutoscaler, holds nothing"),
        (HPA.replace("/v2", "/v1"), 'apiVersion: Unsupported value: "autoscaling/v1"'),
        ("- 1\n- 2\n", "manifest: Invalid value: [1, 2]: must be a mapping of fields"),
        ("a: [1\n", "manifest: no valid YAML: "),
        ("a: 1\na: 2\n", 'manifest: no valid YAML: key "a" already set in map'),
        ("{1: a, [2]: b}\n", "manifest: no valid YAML: "),
    ],
)
def test_what_is_no_such_manifest_is_refused(text: str, message: str) -> None:
    refused(lambda: load(text), message)


def test_a_file_that_cannot_be_read_is_one_line() -> None:
    refused(lambda: load("/nowhere/hpa.yaml"), "manifest /nowhere/hpa.yaml cannot be read: No such file or directory")


def test_values_are_read_as_kubernetes_reads_them() -> None:
    text = HPA.replace("{a: 1}", "{day: 2024-01-01, minutes: 1:30, thousand: 1e3, two: 2.0, whole: 7, code: 09}")
    fields = load(text).fields("spec")
    assert fields.text("day") == "2024-01-01"
    assert fields.text("minutes") == "1:30"
    assert fields.integer("thousand") == 1000
    assert fields.integer("two") == 2
    assert fields.text("code") == "09"
    assert fields.values["whole"] == 7
    assert isinstance(fields.values["whole"], int)


def test_absent_and_null_are_the_same() -> None:
    fields = spec(nothing=None)
    assert not fields.has("nothing")
    assert fields.integer("nothing", default=5) == fields.integer("absent", default=5) == 5
    assert fields.fields("nothing", default=None) is None
    assert fields.items("nothing") == fields.texts("absent") == ()
    assert fields.text_mapping("nothing") == {}
    refused(lambda: fields.integer("nothing"), "spec.nothing: Required value")


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: spec(a="70%").integer("a"), 'spec.a: Invalid value: "70%": must be an integer; did you mean 70?'),
        (lambda: spec(a=1.5).integer("a"), "spec.a: Invalid value: 1.5: must be an integer"),
        (lambda: spec(a=True).integer("a"), "spec.a: Invalid value: true: must be an integer"),
        (lambda: spec(a=-1).integer("a", minimum=0), "spec.a: Invalid value: -1: must be greater than or equal to 0"),
        (lambda: spec(a=9).integer("a", maximum=8), "spec.a: Invalid value: 9: must be less than or equal to 8"),
        (lambda: spec(a="x").number("a"), 'spec.a: Invalid value: "x": must be a number'),
        (lambda: spec(a=float("nan")).number("a"), "spec.a: Invalid value: NaN: must be a number"),
        (lambda: spec(a="yes").boolean("a"), 'spec.a: Invalid value: "yes": must be a boolean'),
        (lambda: spec(a=5).text("a"), "spec.a: Invalid value: 5: must be a string"),
        (lambda: spec(a="").text("a"), "spec.a: Required value"),
        (
            lambda: spec(a="max").text("a", choices=("Max",)),
            'spec.a: Unsupported value: "max": supported values: "Max"',
        ),
        (lambda: spec(a="5 m").quantity("a"), 'spec.a: Invalid value: "5 m": quantities must match'),
        (lambda: spec(a=5).fields("a"), "spec.a: Invalid value: 5: must be a mapping of fields"),
        (lambda: spec(a={}).items("a"), "spec.a: Invalid value: {}: must be a list"),
        (lambda: spec(a=[5]).items("a"), "spec.a[0]: Invalid value: 5: must be a mapping of fields"),
        (lambda: spec(a=["x", 5]).texts("a"), "spec.a[1]: Invalid value: 5: must be a string"),
        (lambda: spec(a={"b/c": 70}).text_mapping("a"), "spec.a.b/c: Invalid value: 70: must be a string; put it in"),
        (
            lambda: spec(minReplica=1).only("minReplicas"),
            "unknown field \"spec.minReplica\"; did you mean 'minReplicas'?",
        ),
        (lambda: spec(a=[{"b": 1}]).items("a")[0].only("c"), 'unknown field "spec.a[0].b"'),
    ],
)
def test_wrong_values_are_refused_with_their_path(read: Any, message: str) -> None:
    refused(read, message)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("250ms", 0.25), ("-1s", -1.0), (0, 0.0)]
)
def test_durations_are_those_of_go(text: object, seconds: float) -> None:
    assert spec(a=text).duration_s("a") == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["90", 90, "1 min", "1d", True, False, [], "s", ""])
def test_durations_need_a_unit_that_go_knows(value: object) -> None:
    refused(lambda: spec(a=value).duration_s("a"), "spec.a: Invalid value: ")


def test_long_values_are_cut_in_messages() -> None:
    refused(lambda: spec(a="x" * 500).integer("a"), f'spec.a: Invalid value: "{"x" * 76}...: must be an integer')
