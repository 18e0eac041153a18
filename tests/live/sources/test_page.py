"""Reading a page: what a preset names, and nothing breaks on what is no page."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core.errors import InputError, ParameterError
from hindscale.live.sources import PRESETS, preset
from hindscale.live.sources.page import read_page
from live.sources.pages import Vllm

words = st.sampled_from(
    ["vllm:num_requests_running", "{", "}", 'le="1.0"', "le=", " ", "\n", "1", "NaN", "# TYPE", "histogram", '"', "\\"]
)


@given(pieces=st.lists(words | st.text(max_size=5), max_size=30))
def test_whatever_comes_is_a_page_or_an_error_that_says_so(pieces: list[str]) -> None:
    for known in PRESETS.values():
        with contextlib.suppress(InputError):
            read_page("".join(pieces), known)


def test_series_of_other_models_are_left_out() -> None:
    page = Vllm(running=3).page() + 'vllm:num_requests_running{model_name="other"} 100\n'
    assert read_page(page, preset("vllm")).gauges["ongoing"] == 103
    assert read_page(page, preset("vllm").with_labels({"model_name": "m"})).gauges["ongoing"] == 3


def test_lines_that_nobody_asked_for_cost_nothing() -> None:
    page = Vllm(running=1).page() + "".join(f'other_metric{{i="{i}"}} {i}\n' for i in range(1000)) + "broken{{{ line\n"
    assert read_page(page, preset("vllm")).gauges["ongoing"] == 1


def test_a_bucket_without_a_bound_is_said() -> None:
    with pytest.raises(InputError, match="must say its upper bound in le"):
        read_page('vllm:e2e_request_latency_seconds_bucket{a="b"} 1\n', preset("vllm"))


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"unknown preset 'vlm'; did you mean 'vllm'\?"):
        preset("vlm")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_what_it_is(name: str) -> None:
    assert preset(name).title
    assert preset(name).name == name
