from __future__ import annotations

from fractions import Fraction
from math import ceil as exact_ceil
from math import floor as exact_floor

from hypothesis import given
from hypothesis import strategies as st

from hindscale.core.rounding import ceil, floor, nearest

tenths = st.integers(1, 2000).map(lambda value: Fraction(value, 100))


@given(n=st.integers(0, 10_000), u=tenths, t=tenths)
def test_products_of_decimals_round_as_on_paper(n: int, u: Fraction, t: Fraction) -> None:
    on_paper = n * u / t
    assert ceil(n * float(u) / float(t)) == exact_ceil(on_paper)
    assert floor(n * float(u) / float(t)) == exact_floor(on_paper)


def test_nearest_rounds_halves_up() -> None:
    assert [nearest(value) for value in (0.4999, 0.5, 1.5, 2.945, 0.2275)] == [0, 1, 2, 3, 0]
