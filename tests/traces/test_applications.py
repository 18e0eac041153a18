"""Applications: traffic, replica and SLO that go together, shaped as their documentation says."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from hindscale.core.errors import ParameterError
from hindscale.sizing import capacity_rps
from hindscale.traces import application, applications

Floats = NDArray[np.float64]
NAMES = ("chatbot", "driving", "monitoring", "recommendation")
MINUTES = 24 * 60


def days_of(name: str, days: int = 28, seed: int = 0) -> Floats:
    """Requests a minute, shape (days, minutes of a day), from a Monday on."""
    return application(name).generate(days=days, seed=seed).requests.reshape(days, MINUTES)


def at(day: Floats, begin_h: float, end_h: float) -> float:
    """The middle of the traffic between two hours of the day, over days; single spikes do not count."""
    return float(np.median(day[..., round(begin_h * 60) : round(end_h * 60)]))


def working(days: Floats) -> Floats:
    return days[np.arange(len(days)) % 7 < 5]


def weekend(days: Floats) -> Floats:
    return days[np.arange(len(days)) % 7 >= 5]


# -- all of them


def test_applications_are_found_by_name() -> None:
    assert tuple(applications()) == NAMES
    assert all(application(name).name == name for name in NAMES)
    with pytest.raises(ParameterError, match="unknown application 'chat-bot'; did you mean 'chatbot'"):
        application("chat-bot")


@pytest.mark.parametrize("name", NAMES)
def test_an_application_explains_itself(name: str) -> None:
    found = application(name)
    assert found.title
    assert len(found.why.split()) > 30
    assert found.service.name == name


@pytest.mark.parametrize("name", NAMES)
def test_one_replica_can_keep_the_slo_and_a_few_carry_the_traffic(name: str) -> None:
    found = application(name)
    capacity = capacity_rps(found.service, found.slo)
    # A mean fleet of some size: neither one replica for all nor thousands.
    assert 1 < found.mean_rate_rps / capacity <= 50


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_traffic(name: str) -> None:
    found = application(name)
    first, again, other = (found.generate(days=2, seed=seed).requests for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("days", [0.001, 0.5, 1, 9.25])
def test_traffic_has_the_length_and_mean_it_is_asked_for(name: str, days: float) -> None:
    trace = application(name).generate(days=days, mean_rate_rps=7.5)
    assert len(trace.requests) == max(1, round(days * MINUTES))
    assert trace.mean_rate_rps == pytest.approx(7.5)
    assert application(name).generate(days=days).mean_rate_rps == pytest.approx(application(name).mean_rate_rps)


def test_traffic_begins_on_a_monday_and_says_where_it_comes_from() -> None:
    trace = application("chatbot").generate(seed=3)
    assert (trace.name, trace.window_s) == ("chatbot", 60)
    assert trace.start == datetime(2026, 1, 5, tzinfo=UTC)
    assert trace.start.weekday() == 0
    assert trace.details == {"application": "chatbot", "seed": "3"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"days": 0}, "days must be a number > 0"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
        ({"mean_rate_rps": 0}, "mean_rate_rps must be a number > 0"),
    ],
)
def test_options_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        application("chatbot").generate(**options)  # type: ignore[arg-type]


# -- each as documented


def test_chatbot_follows_working_hours() -> None:
    days = working(days_of("chatbot"))
    assert at(days, 10, 11.5) > 8 * at(days, 2, 5)
    assert at(days, 9.5, 10) > 5 * at(days, 6, 7)  # the morning climb
    assert at(days, 12.25, 12.75) < 0.85 * at(days, 10, 11.5)  # lunch
    assert at(days, 14, 16) > 1.15 * at(days, 12.25, 12.75)
    assert at(days, 19.5, 21.5) < 0.5 * at(days, 14, 16)  # the evening
    assert at(weekend(days_of("chatbot")), 10, 16) < 0.5 * at(days, 10, 16)


def test_chatbot_campaigns_triple_the_traffic_within_minutes() -> None:
    days = days_of("chatbot", days=56)
    usual = np.median(working(days), axis=0)
    jumps = working(days)[:, 15:] / working(days)[:, :-15]
    mornings = slice(9 * 60, 12 * 60)
    with_campaign = (working(days) / usual)[:, mornings].max(axis=1) > 2
    # One day in two, out of 40: five standard deviations of a fair coin are 16.
    assert abs(with_campaign.sum() - 20) < 16
    assert jumps[with_campaign][:, mornings].max() > 2


def test_recommendation_peaks_at_noon_and_in_the_evening() -> None:
    days = working(days_of("recommendation"))
    noon, evening = at(days, 12, 13.5), at(days, 20, 21.5)
    assert evening > noon
    assert noon > 1.3 * at(days, 16, 16.5)  # the valley between them
    assert noon > 3 * at(days, 3, 6)
    assert at(weekend(days_of("recommendation")), 12, 13.5) > 1.1 * noon


def test_recommendation_has_a_sale_on_thursday_at_eight() -> None:
    weeks = days_of("recommendation").reshape(4, 7, MINUTES)
    usual = np.median(weeks[:, [0, 1, 2, 4]], axis=(0, 1))
    sales = weeks[:, 3] / usual
    for sale in sales:
        assert 0.7 < sale[19 * 60 : 20 * 60].mean() < 1.3  # nothing before
        assert sale[20 * 60 + 10 : 20 * 60 + 20].mean() > 2
        assert sale[23 * 60 + 30 :].mean() < sale[20 * 60 + 10 : 20 * 60 + 20].mean()
    # Within six minutes of the opening, at the same minute each week.
    opened = np.argmax(sales[:, 19 * 60 :] > 2, axis=1)
    assert (opened >= 60).all()
    assert (opened <= 70).all()


def test_monitoring_is_steady_with_bursts() -> None:
    requests = application("monitoring").generate(days=100).requests
    level = np.median(requests)
    bursting = requests > 2 * level
    assert np.std(requests[~bursting]) / level < 0.1
    begins = int(np.sum(bursting[1:] & ~bursting[:-1]))
    # One incident a day in the mean, a Poisson number; a few run into each other.
    assert abs(begins - 100) < 5 * np.sqrt(100)
    # Each lasts 10 to 40 minutes: 25 in the mean, with a standard deviation of 8.7.
    assert bursting.sum() / begins == pytest.approx(25, abs=5 * 8.7 / np.sqrt(begins) + 2)
    assert 2.5 * level < np.median(requests[bursting]) < 6.5 * level


def test_driving_has_two_commuter_peaks_and_a_broad_one_at_weekends() -> None:
    days = days_of("driving")
    commuting, leisure = np.median(working(days), axis=0), np.median(weekend(days), axis=0)
    morning, evening = commuting[: 12 * 60], commuting[12 * 60 :]
    assert abs(np.argmax(morning) / 60 - 7.8) < 0.5
    assert abs(12 + np.argmax(evening) / 60 - 17.4) < 0.5
    assert commuting[11 * 60] < 0.5 * min(morning.max(), evening.max())
    # Nobody commutes on Saturday: one peak in the afternoon, wider than both.
    assert abs(np.argmax(leisure) / 60 - 14) < 1
    assert leisure[round(7.8 * 60)] < 0.5 * commuting[round(7.8 * 60)]
    assert (leisure > 0.5 * leisure.max()).sum() > 1.5 * (morning > 0.5 * morning.max()).sum()


def test_driving_is_much_the_same_every_week() -> None:
    weeks = days_of("driving").reshape(4, -1)
    assert all(np.corrcoef(weeks[0], week)[0, 1] > 0.97 for week in weeks[1:])
