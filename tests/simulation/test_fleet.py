"""The life of replicas, what is paid for, and what a policy gets to see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hindscale.core import Constant, MetricsUnavailable, ParameterError, ResourceUse, ServiceProfile
from hindscale.simulation.contract import Batch, EngineConfig, Total, to_ns
from hindscale.simulation.fast import FastEngine
from hindscale.simulation.fleet import Monitoring, SimulatedFleet
from hindscale.simulation.workload import RequestStream

PROFILE = ServiceProfile(slots=2, service_time=Constant(1.0), cold_start=Constant(40.0))
SECOND = 10**9


def fleet_of(
    profile: ServiceProfile = PROFILE,
    requests: list[tuple[float, float]] | None = None,
    **given: Any,
) -> SimulatedFleet:
    """A fleet that meets the given requests: (arrival, service), in seconds."""

    def batches() -> Iterator[Batch]:
        if requests:
            arrivals, services = (np.array(column) * SECOND for column in zip(*requests, strict=True))
            yield Batch(arrivals.astype(np.int64), services.astype(np.int64), np.empty(0, np.int64))

    engine = FastEngine(EngineConfig.from_profile(profile, bound_s=1.5, ticks=100, rows=10))
    given = {"control_interval_s": 15.0, "initial_replicas": 1, **given}
    return SimulatedFleet(profile, engine, RequestStream(batches()), np.random.SeedSequence(0), **given)


def lives(fleet: SimulatedFleet) -> tuple[int, int, int, int]:
    return fleet.provisioning, fleet.starting, fleet.ready, fleet.draining


def test_replicas_wait_for_a_node_then_start_then_serve() -> None:
    fleet = fleet_of(replace(PROFILE, provisioning=Constant(20.0)))
    fleet.observe(15.0)
    fleet.scale_to(3)
    assert lives(fleet) == (2, 0, 1, 0)
    fleet.observe(30.0)
    assert lives(fleet) == (2, 0, 1, 0)
    fleet.observe(45.0)  # nodes came at 35
    assert lives(fleet) == (0, 2, 1, 0)
    fleet.observe(75.0)  # ready at 75
    assert lives(fleet) == (0, 0, 3, 0)


def test_paid_is_from_starting_to_gone() -> None:
    fleet = fleet_of(replace(PROFILE, provisioning=Constant(20.0)))
    fleet.observe(15.0)
    fleet.scale_to(2)
    fleet.observe(45.0)
    # The first from 0; the second waits for its node until 35.
    assert fleet.billed_ns == to_ns(45.0 + 10.0)
    fleet.scale_to(1)  # the one that starts is given up at once
    fleet.observe(60.0)
    assert fleet.billed_ns == to_ns(60.0 + 10.0)


def test_a_draining_replica_is_paid_until_its_last_request_ends() -> None:
    fleet = fleet_of(requests=[(14.0, 7.0)])
    fleet.observe(15.0)
    fleet.scale_to(0)
    assert lives(fleet) == (0, 0, 0, 1)
    seen = fleet.observe(30.0)
    assert (seen.draining_replicas, fleet.billed_ns) == (0, to_ns(21.0))


def test_those_that_serve_nobody_go_first_newest_before_older() -> None:
    fleet = fleet_of(replace(PROFILE, provisioning=Constant(20.0)), initial_replicas=2)
    fleet.observe(15.0)
    fleet.scale_to(3)  # provisioned at 35, ready at 75
    fleet.observe(45.0)
    fleet.scale_to(4)  # provisioning until 65
    assert lives(fleet) == (1, 1, 2, 0)
    for size, expected in ((3, (0, 1, 2, 0)), (2, (0, 0, 2, 0)), (1, (0, 0, 1, 1))):
        fleet.scale_to(size)
        assert lives(fleet) == expected


def test_the_ready_replica_with_the_fewest_requests_drains() -> None:
    fleet = fleet_of(requests=[(14.0, 100.0), (14.5, 100.0), (14.6, 100.0)], initial_replicas=2)
    fleet.observe(15.0)  # two requests at the first, one at the second
    fleet.scale_to(1)
    assert [fleet.engine.outstanding(index) for index in (0, 1)] == [2, 1]
    fleet.observe(30.0)
    assert lives(fleet) == (0, 0, 1, 1)
    fleet.scale_to(1)
    fleet.observe(120.0)
    # The second, which got the request of 14.5, drained and ended with it at 114.5.
    assert fleet.billed_ns == to_ns(120.0 + 114.5)


def test_a_lost_replica_is_replaced_at_the_next_tick_with_a_cold_start() -> None:
    fleet = fleet_of(replace(PROFILE, mean_time_to_failure_s=30.0), initial_replicas=5)
    for tick in range(1, 21):
        seen = fleet.observe(15.0 * tick)
        assert seen.requested_replicas == 5
    assert fleet.lost > 5
    assert fleet.started == 5 + fleet.lost


def test_an_index_is_reused_only_after_its_replica_has_gone() -> None:
    fleet = fleet_of(requests=[(14.0, 100.0)], initial_replicas=1)
    fleet.observe(15.0)
    fleet.scale_to(0)
    fleet.scale_to(1)
    fleet.observe(30.0)
    # The old one still drains with its request; the new one starts beside it.
    assert lives(fleet) == (0, 1, 0, 1)
    fleet.observe(130.0)
    assert lives(fleet) == (0, 0, 1, 0)
    assert fleet.engine.totals[Total.SERVED] == 1


# -- what a policy sees


def test_measurements_cover_the_interval() -> None:
    fleet = fleet_of(requests=[(1.0, 3.0), (2.0, 3.0), (16.0, 6.0), (17.0, 6.0), (18.0, 6.0)])
    first, second = fleet.observe(15.0), fleet.observe(20.0)
    assert (first.arrival_rate_rps, first.completion_rate_rps) == (2 / 15, 2 / 15)
    assert first.ongoing_requests == pytest.approx(6 / 15)
    # Neither of the first two met the bound of 1.5 s.
    assert first.slo_attainment == 0.0
    assert second.queued_requests == 1.0
    assert second.measured_at_s == 20.0


def test_utilization_follows_busy_slots() -> None:
    profile = replace(PROFILE, resources={"cpu": ResourceUse(idle=0.1, full=0.9), "memory": ResourceUse(idle=0.5)})
    fleet = fleet_of(profile, requests=[(0.0, 15.0)])
    seen = fleet.observe(15.0)
    # One of two slots busy all the time.
    assert seen.cpu_utilization == pytest.approx(0.5)
    assert seen.memory_utilization == pytest.approx(0.75)
    assert math.isnan(seen.accelerator_utilization)
    assert seen.missing == {"accelerator_utilization"}


def test_a_fleet_that_only_starts_has_no_utilization_and_one_of_none_has_zero() -> None:
    starting = fleet_of(initial_replicas=0)
    assert starting.observe(15.0).cpu_utilization == 0.0
    starting.scale_to(1)
    seen = starting.observe(30.0)
    assert math.isnan(seen.cpu_utilization)
    assert "cpu_utilization" in seen.missing


def test_attainment_is_unknown_when_nobody_left() -> None:
    seen = fleet_of().observe(15.0)
    assert math.isnan(seen.slo_attainment)
    assert "slo_attainment" not in seen.missing
    assert seen.arrival_rate_rps == 0.0


def test_a_policy_sees_the_past_when_the_pipeline_lags() -> None:
    requests = [(float(second), 0.1) for second in range(1, 61)]  # one a second, from second 1 on
    requests += [(30.0 + i / 10, 0.1) for i in range(300)]  # ten more a second from 30 on
    fleet = fleet_of(requests=sorted(requests), monitoring=Monitoring(lag_s=30.0))
    with pytest.raises(MetricsUnavailable, match="readings are visible after 30s"):
        fleet.observe(15.0)
    with pytest.raises(MetricsUnavailable):
        fleet.observe(30.0)
    at_45, at_60 = fleet.observe(45.0), fleet.observe(60.0)
    assert (at_45.measured_at_s, at_60.measured_at_s) == (15.0, 30.0)
    # The burst that began at 30 is not seen at 60.
    assert at_60.arrival_rate_rps == pytest.approx(1.0, abs=0.1)
    assert fleet.observe(75.0).arrival_rate_rps == pytest.approx(11.0, abs=0.1)


def test_rates_are_taken_over_the_window_of_the_readings() -> None:
    requests = [(float(second), 0.1) for second in range(1, 31)] + [(30.5, 0.1)] * 30
    fine = fleet_of(requests=requests, monitoring=Monitoring(scrape_interval_s=5.0, window_s=10.0))
    fine.observe(15.0)
    fine.observe(30.0)
    # At 45: readings of 35 and 45, with nothing between; the burst was at 30.5.
    assert fine.observe(45.0).arrival_rate_rps == 0.0
    coarse = fleet_of(requests=requests, monitoring=Monitoring(scrape_interval_s=30.0))
    with pytest.raises(MetricsUnavailable):
        coarse.observe(15.0)
    assert coarse.observe(30.0).arrival_rate_rps == pytest.approx(1.0)
    # No new reading at 45: the old one, and its age.
    assert coarse.observe(45.0).measured_at_s == 30.0


@pytest.mark.parametrize(
    ("given", "message"),
    [({"lag_s": -1.0}, "lag_s"), ({"scrape_interval_s": 0.0}, "scrape_interval_s"), ({"window_s": 0.0}, "window_s")],
)
def test_pipelines_that_cannot_be_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Monitoring(**given)
