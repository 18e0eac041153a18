from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Lognormal,
    ParameterError,
    TokenTime,
    distribution_from,
)
from hindscale.core.distributions import stretched
from strategies import distributions


@given(distribution=distributions)
def test_samples_have_the_mean_and_deviation_they_claim(distribution: Distribution) -> None:
    sample = distribution.sample(np.random.default_rng(1), 20_000)
    standard_error = distribution.cv * distribution.mean_s / math.sqrt(len(sample))
    # Six standard errors: heavy tails converge slowly, and the seed is fixed.
    assert sample.mean() == pytest.approx(distribution.mean_s, abs=6 * standard_error + 1e-12)
    assert (sample >= 0).all()


@given(distribution=distributions, share=st.floats(0.05, 0.95))
def test_quantiles_split_samples_in_the_share_they_claim(distribution: Distribution, share: float) -> None:
    sample = distribution.sample(np.random.default_rng(2), 20_000)
    below = np.mean(sample <= distribution.quantile(share) * (1 + 1e-12))
    assert below >= share - 0.02
    if not isinstance(distribution, Constant):
        assert below <= share + 0.02


@given(distribution=distributions)
def test_plain_values_give_the_same_distribution_again(distribution: Distribution) -> None:
    assert distribution_from(distribution.to_dict()) == distribution


def test_lognormal_p90_worked_by_hand() -> None:
    # sigma^2 = ln(1 + 0.25^2) = 0.060625, mu = ln 60 - 0.0303 = 4.0640; exp(4.0640 + 1.2816 * 0.24622) = 79.80
    assert Lognormal(mean_s=60, cv=0.25).quantile(0.9) == pytest.approx(79.80, abs=0.01)


def test_empirical_draws_only_what_was_measured() -> None:
    measured = Empirical((3.0, 1.0, 2.0))
    assert set(measured.sample(np.random.default_rng(0), 200).tolist()) == {1.0, 2.0, 3.0}
    assert measured.mean_s == 2.0
    assert measured.cv == pytest.approx(math.sqrt(2 / 3) / 2)
    assert [measured.quantile(share) for share in (0.01, 1 / 3, 0.34, 0.99)] == [1.0, 1.0, 2.0, 3.0]
    assert measured.share_within(2.5) == pytest.approx(2 / 3)


def test_token_times_use_the_counts_they_are_given() -> None:
    times = TokenTime(prefill_s_per_token=0.001, decode_s_per_token=0.02, overhead_s=0.5)
    assert times.of_tokens(np.array([100.0]), np.array([50.0])).tolist() == pytest.approx([0.5 + 0.1 + 1.0])
    # Sampled counts are lognormal with the stated means: 1000 * 0.001 + 200 * 0.02 + 0.5.
    assert times.mean_s == pytest.approx(5.5)
    assert times.sample(np.random.default_rng(0), 50_000).mean() == pytest.approx(5.5, rel=0.02)
    assert distribution_from(times.to_dict()) == times


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kind": "lognormal", "mean_s": 1}, "needs cv"),
        ({"kind": "lognormal", "mean_s": 1, "sd": 2, "cv": 1}, "no 'sd'"),
        ({"kind": "lognromal"}, "did you mean 'lognormal'"),
        ({"kind": "empirical", "values_s": []}, "at least one"),
        ({"kind": "empirical", "values_s": 3}, "a list of durations"),
        ("soon", "service_time must be a number with a unit"),
        (None, "a duration or a table"),
        (-1.0, "value_s must be a number >= 0"),
    ],
)
def test_what_is_no_distribution_is_refused(source: object, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        distribution_from(source, name="service_time")


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.1])
def test_quantiles_exist_between_zero_and_one(share: float) -> None:
    for distribution in (Constant(1), Exponential(1), Lognormal(mean_s=1, cv=1), Empirical((1.0,))):
        with pytest.raises(ParameterError, match=r"share must be in \(0, 1\)"):
            distribution.quantile(share)


@given(distribution=distributions, factor=st.floats(0.01, 100.0), share=st.floats(0.05, 0.95))
def test_a_stretched_distribution_has_the_same_shape(distribution: Distribution, factor: float, share: float) -> None:
    longer = stretched(distribution, factor)
    assert longer.mean_s == pytest.approx(factor * distribution.mean_s)
    assert longer.quantile(share) == pytest.approx(factor * distribution.quantile(share))
    # The same draws of chance give the same times, as many times as long.
    first, second = (each.sample(np.random.default_rng(3), 50) for each in (distribution, longer))
    assert second == pytest.approx(factor * first)


def test_measured_and_token_times_stretch_too_and_nothing_is_left_at_zero() -> None:
    assert stretched(Empirical((3.0, 1.0)), 2.0) == Empirical((6.0, 2.0))
    tokens = TokenTime(prefill_s_per_token=0.1, decode_s_per_token=0.2, overhead_s=1.0)
    assert stretched(tokens, 0.5) == TokenTime(prefill_s_per_token=0.05, decode_s_per_token=0.1, overhead_s=0.5)
    assert stretched(tokens, 0.0) == Constant(0.0)
    with pytest.raises(ParameterError, match="factor must be a number >= 0, was -1"):
        stretched(tokens, -1.0)
