"""The probabilistic model, against values of the normal distribution from printed tables."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import ParameterError
from hindscale.sizing import NormalSizing, normal_scale_in, normal_scale_out, share_above, share_below

# Phi from a printed table, four digits: z, Phi(z).
TABLE = [(0.0, 0.5000), (0.5, 0.6915), (1.0, 0.8413), (1.645, 0.9500), (1.96, 0.9750), (2.0, 0.9772), (3.0, 0.9987)]


@pytest.mark.parametrize(("z", "phi"), TABLE)
def test_shares_agree_with_the_printed_table(z: float, phi: float) -> None:
    assert share_above(0.5 + z * 0.1, mu=0.5, sigma=0.1) == pytest.approx(1 - phi, abs=6e-5)
    assert share_below(0.5 - z * 0.1, mu=0.5, sigma=0.1) == pytest.approx(1 - phi, abs=6e-5)


def test_the_worked_example() -> None:
    # N = 10, mu = 0.6, sigma = 0.1: (0.8 - 0.6) / 0.1 = 2, P = 0.02275; 0.02275 * 100 / (1 - 0.2275) = 2.945.
    sizing = NormalSizing.of([0.5, 0.7], 10, upper=0.8, lower=0.4)
    assert sizing is not None
    assert (sizing.mu, sizing.sigma) == pytest.approx((0.6, 0.1))
    assert sizing.share_above == pytest.approx(0.02275, abs=1e-5)
    assert sizing.n_plus == pytest.approx(2.945, abs=1e-3)
    assert sizing.n_minus == pytest.approx(0.2275, abs=1e-4)
    assert (sizing.replicas_to_add, sizing.replicas_to_remove) == (3, 0)


@pytest.mark.parametrize(("replicas", "share"), [(10, 0.1), (10, 0.11), (1, 1.0)])
def test_no_finite_answer_from_pn_of_one_on(replicas: int, share: float) -> None:
    assert normal_scale_out(replicas, share) == math.inf


def test_just_below_one_the_answer_is_large_but_finite() -> None:
    # P N = 0.999: 0.0999 * 100 / 0.001 = 9990
    assert normal_scale_out(10, 0.0999) == pytest.approx(9990, rel=1e-9)


@pytest.mark.parametrize(
    ("mu", "above", "below"),
    [(0.9, 1.0, 0.0), (0.8, 0.0, 0.0), (0.6, 0.0, 0.0), (0.4, 0.0, 0.0), (0.3, 0.0, 1.0)],
)
def test_without_deviation_utilization_is_a_constant(mu: float, above: float, below: float) -> None:
    assert share_above(0.8, mu=mu, sigma=0) == above
    assert share_below(0.4, mu=mu, sigma=0) == below


def test_an_empty_window_says_nothing() -> None:
    assert NormalSizing.of([], 10, upper=0.8, lower=0.4) is None


def test_far_tails_do_not_cancel() -> None:
    # 1 - Phi(8) = 6.22e-16, below the resolution of doubles near 1.
    assert share_above(1.3, mu=0.5, sigma=0.1) == pytest.approx(6.22e-16, rel=1e-2)


@given(n=st.integers(0, 200), p=st.floats(0, 1), q=st.floats(0, 1))
def test_likelier_excess_adds_more_and_likelier_shortfall_removes_more(n: int, p: float, q: float) -> None:
    low, high = sorted((p, q))
    assert normal_scale_out(n, low) <= normal_scale_out(n, high)
    assert normal_scale_in(n, low) <= normal_scale_in(n, high) <= n


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_is_a_probability(share: float) -> None:
    with pytest.raises(ParameterError, match=r"share must be in \[0, 1\]"):
        normal_scale_out(1, share)
