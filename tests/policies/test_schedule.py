from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hindscale.core import ParameterError, ServiceProfile, ServiceSpec, Slo
from hindscale.policies.schedule import DAY_S, Schedule
from hindscale.testing import observation

HOUR_S = 3600.0


def at(schedule: Schedule, *times_s: float) -> list[int]:
    return [schedule.decide(observation(time_s), None)[0].desired_replicas for time_s in times_s]


def test_each_entry_holds_until_the_next() -> None:
    schedule = Schedule(entries=("08:00=10", "20:00=2"))
    assert at(schedule, 0, 8 * HOUR_S - 1, 8 * HOUR_S, 20 * HOUR_S - 1, 20 * HOUR_S, DAY_S + 9 * HOUR_S) == [
        *(2, 2, 10, 10, 2, 10)
    ]


def test_days_may_be_named_alone_in_lists_and_in_ranges() -> None:
    schedule = Schedule(entries=("mon-fri 08:00=10", "mon-fri 18:00=4", "sat,sun 00:00=1"))
    monday, friday, saturday, sunday = (day * DAY_S for day in (0, 4, 5, 6))
    assert at(schedule, monday + 9 * HOUR_S, friday + 19 * HOUR_S, saturday, sunday + 12 * HOUR_S) == [10, 4, 1, 1]
    # Monday before eight: what the week before ended with.
    assert at(schedule, monday + HOUR_S, 7 * DAY_S + HOUR_S) == [1, 1]
    assert at(Schedule(entries=("fri-mon 00:00=3", "tue 00:00=9")), 0, 2 * DAY_S, 5 * DAY_S) == [3, 9, 3]


def test_the_trace_says_what_day_it_is() -> None:
    # Wednesday, 2024-05-15, 06:00: two hours later the day begins.
    spec = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=1), start=datetime(2024, 5, 15, 6, tzinfo=UTC))
    schedule = Schedule.for_service(spec, entries=("wed 08:00=10", "wed 20:00=2"))
    assert at(schedule, 1 * HOUR_S, 2 * HOUR_S) == [2, 10]


def test_the_reason_names_the_entry() -> None:
    decision, _ = Schedule(entries=("tue 08:30=10",)).decide(observation(DAY_S + 9 * HOUR_S), None)
    assert decision.reason == "10 since tue 08:30"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ((), "must hold at least one"),
        (("8=10",), "must look like '08:00=10'"),
        (("24:00=1",), "must look like"),
        (("08:60=1",), "must look like"),
        (("noon 08:00=1",), "days must be among mon"),
        (("mon-someday 08:00=1",), "days must be among mon"),
        (("08:00=-1",), "must look like"),
    ],
)
def test_other_timetables_are_refused(entries: tuple[str, ...], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Schedule(entries=entries)


def test_without_a_timetable_it_says_how_to_write_one() -> None:
    with pytest.raises(ParameterError, match="schedule:entries=08:00=10;20:00=2"):
        Schedule.for_service(ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=1)))
