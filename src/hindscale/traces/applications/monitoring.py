"""Video and metric monitoring: steady, with bursts when something happens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hindscale.core.distributions import Lognormal
from hindscale.core.service import ResourceUse, ServiceProfile
from hindscale.core.slo import Slo
from hindscale.traces.applications import Application
from hindscale.traces.shapes import bump, noise, times


def _shape(days: float, window_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    hours, hour = times(days, window_s)
    shape = 1.0 + 0.1 * bump(hour, 15.0, 4.0)
    # Incidents: on average one a day, at any time, for 10 to 40 minutes, three to six times the traffic.
    for _ in range(rng.poisson(days)):
        begin, length = rng.uniform(0, days * 24), rng.uniform(1 / 6, 2 / 3)
        shape += rng.uniform(2, 5) * ((hours >= begin) & (hours < begin + length))
    return np.asarray(shape * noise(rng, len(hours), cv=0.03, memory=0.8))


APPLICATION = Application(
    name="monitoring",
    title="video and metric monitoring",
    why=(
        "Cameras and exporters send at a fixed pace, day and night, so a small constant fleet is right nearly"
        " always. When something happens, every source sends more at once and for as long as it lasts: a step"
        " without warning, back down after ten to forty minutes. Analysing a frame takes 120 ms, four at a time;"
        " a start takes 45 s. An alarm is worth little after a second: 99 % within one."
    ),
    mean_rate_rps=60.0,
    shape=_shape,
    service=ServiceProfile(
        name="monitoring",
        slots=4,
        service_time=Lognormal(mean_s=0.12, cv=0.3),
        cold_start=Lognormal(mean_s=45.0, cv=0.2),
        replica_queue_limit=100,
        gateway_queue_limit=1000,
        queue_timeout_s=10.0,
        resources={"accelerator": ResourceUse(idle=0.0, full=0.95), "cpu": ResourceUse(idle=0.1, full=0.7)},
        price_per_replica_hour=0.8,
    ),
    slo=Slo(latency_s=1.0, percentile=0.99),
)
