"""Driving-decision service: commuter peaks, tight latency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hindscale.core.distributions import Lognormal
from hindscale.core.service import Balancer, ResourceUse, ServiceProfile
from hindscale.core.slo import Slo
from hindscale.traces.applications import Application
from hindscale.traces.shapes import bump, is_weekend, noise, times


def _shape(days: float, window_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    hours, hour = times(days, window_s)
    commuting = 0.12 + 1.0 * bump(hour, 7.8, 0.8) + 0.9 * bump(hour, 17.4, 1.2) + 0.35 * bump(hour, 13.0, 3.0)
    leisure = 0.12 + 0.55 * bump(hour, 14.0, 3.5)
    shape = np.where(is_weekend(hours), leisure, commuting)
    return np.asarray(shape * noise(rng, len(hours), cv=0.04, memory=0.9))


APPLICATION = Application(
    name="driving",
    title="driving decisions",
    why=(
        "Vehicles ask while they drive: two sharp commuter peaks on working days, one broad one at weekends, very"
        " much the same every week. A decision takes 30 ms, nearly constant, two at a time; a start takes 40 s. A"
        " late answer is a wrong one: 99.9 % within 150 ms, a queue is given up after 300 ms, and requests wait in"
        " one place so that none is stuck behind a slow replica."
    ),
    mean_rate_rps=100.0,
    shape=_shape,
    service=ServiceProfile(
        name="driving",
        slots=2,
        service_time=Lognormal(mean_s=0.03, cv=0.15),
        cold_start=Lognormal(mean_s=40.0, cv=0.2),
        balancer=Balancer.CENTRAL_QUEUE,
        gateway_queue_limit=2000,
        queue_timeout_s=0.3,
        resources={"accelerator": ResourceUse(idle=0.0, full=1.0), "cpu": ResourceUse(idle=0.1, full=0.9)},
        price_per_replica_hour=1.2,
    ),
    slo=Slo(latency_s=0.15, percentile=0.999),
)
