from __future__ import annotations

import math
from typing import Any

import pytest

from hindscale.core import ParameterError
from hindscale.core.tunable import Choice, Range


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 2, "high": 2}, "a range must have low < high, but 2 >= 2"),
        ({"low": 0, "high": math.inf}, "high must be a finite number"),
        ({"low": 0, "high": 1, "is_log": True}, "on a logarithmic scale must have low > 0, was 0"),
    ],
)
def test_a_range_that_holds_nothing_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Range(**given)


@pytest.mark.parametrize("values", [(), ("a",), ("a", "a"), ("a", "b", "a")])
def test_a_choice_needs_something_to_choose(values: tuple[str, ...]) -> None:
    with pytest.raises(ParameterError, match="at least two different values"):
        Choice(values=values)
