from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import ParameterError, format_duration, parse_duration
from hindscale.core.units import percent


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15),
        ("1.5min", 90),
        ("2h", 7200),
        ("7d", 604800),
        ("250ms", 0.25),
        ("30", 30),
        (" 5 s ", 5),
        ("1e3ms", 1),
    ],
)
def test_durations_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "fast", "5 parsecs", "1:30", "--3s", "3s 4ms"])
def test_other_texts_are_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(ParameterError, match=r"timeout must be a number with a unit .* write 90s or 1.5min"):
        parse_duration(text, name="timeout")


@given(st.floats(1e-6, 1e6))
def test_printed_durations_read_back_within_their_digits(seconds: float) -> None:
    # Three significant digits, and none lost by rounding up into the next unit.
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=6e-3)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.99, "1min"), (float("nan"), "-"), (float("inf"), "inf")])
def test_edges_of_printed_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1))
def test_a_share_is_never_printed_better_than_it_is(share: float) -> None:
    printed = percent(share)
    assert float(printed.rstrip("%")) <= share * 100 + 1e-9
    assert (printed == "100%") == (share == 1.0)
