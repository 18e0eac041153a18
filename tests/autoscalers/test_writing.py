from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hindscale.autoscalers.keda.writing import milli_number
from hindscale.autoscalers.kubernetes import load_manifest
from hindscale.autoscalers.kubernetes.quantity import milli_text, milli_value
from hindscale.autoscalers.writing import Workload, comment, whole_seconds, yaml_text
from hindscale.core import ParameterError

scalars = st.text() | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
# Characters that YAML has no way to hold at all.
printable = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff"))


@given(values=st.dictionaries(st.sampled_from("abcd"), printable | st.integers(-(2**31), 2**31) | st.booleans()))
def test_every_text_is_read_back_as_that_text(values: dict[str, object]) -> None:
    document = {"apiVersion": "v1", "kind": "It", "values": values}
    text = yaml_text([document])
    assert yaml.safe_load(text) == document
    assert dict(load_manifest(text, kind="It", api_versions=("v1",)).values) == document


@pytest.mark.parametrize("text", ["y", "N", "on", "1e3", "0x1f", "12:30", "~", "null", "2026-01-01", "", "- a", "500m"])
def test_texts_that_some_reader_takes_for_something_else_are_quoted(text: str) -> None:
    assert yaml_text([{"name": text}]) == f'name: "{text}"\n'


@given(lines=st.lists(st.text()))
def test_comments_never_end_before_they_should(lines: list[str]) -> None:
    text = comment(lines) + "kind: It\n"
    assert yaml.safe_load(text) == {"kind": "It"}
    assert all(line.startswith("#") for line in text.splitlines()[:-1])


@pytest.mark.parametrize("name", ["", "Chat", "a b", "-a", "a-", "1e3", "a\nkind: Secret", "a" * 64, "ä", "a.b", "{a}"])
def test_a_name_must_be_a_dns_label(name: str) -> None:
    with pytest.raises(ParameterError, match="name must be a DNS label"):
        Workload(name=name)


def test_a_namespace_may_be_left_out_but_not_be_anything() -> None:
    assert Workload(name="chat").metadata == {"name": "chat"}
    with pytest.raises(ParameterError, match="namespace must be a DNS label"):
        Workload(name="chat", namespace="A")


@given(milli=st.integers(1, 10**12))
def test_numbers_in_thousandths_survive_being_written(milli: int) -> None:
    assert milli_value(milli_text(milli)) == milli
    assert math.trunc(float(milli_number(milli)) * 1000) == milli


def test_a_fraction_of_a_second_is_refused_where_none_fits() -> None:
    with pytest.raises(ParameterError, match=r"cooldownPeriod takes whole seconds, was 1\.5; round it"):
        whole_seconds(1.5, field="cooldownPeriod")
