"""Recommendation: two daily peaks, and a sale day once a week."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hindscale.core.distributions import Lognormal
from hindscale.core.service import ResourceUse, ServiceProfile
from hindscale.core.slo import Slo
from hindscale.traces.applications import Application
from hindscale.traces.shapes import bump, is_weekend, noise, spike, times


def _shape(days: float, window_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    hours, hour = times(days, window_s)
    daily = 0.15 + 0.7 * bump(hour, 12.7, 1.8) + 1.0 * bump(hour, 20.8, 2.2)
    shape = daily * np.where(is_weekend(hours), 1.25, 1.0)
    # The sale opens on Thursday at eight in the evening, on top of the evening peak.
    for week in range(int(np.ceil(days / 7))):
        shape += 2.5 * spike(hours, week * 168 + 3 * 24 + 20, rise_h=0.1, decay_h=1.5)
    return np.asarray(shape * noise(rng, len(hours), cv=0.05, memory=0.95))


APPLICATION = Application(
    name="recommendation",
    title="recommendations in a shop",
    why=(
        "Every page view asks for recommendations, so the rate is high and follows shoppers: noon and evening,"
        " more at weekends, and a sale that opens at a known minute and more than doubles the evening. Scoring"
        " candidates takes 40 ms with little spread. The model is small: a replica is up in twenty seconds. A page"
        " waits for it, so 99 % must be there within 200 ms."
    ),
    mean_rate_rps=150.0,
    shape=_shape,
    service=ServiceProfile(
        name="recommendation",
        slots=2,
        service_time=Lognormal(mean_s=0.04, cv=0.3),
        cold_start=Lognormal(mean_s=20.0, cv=0.2),
        replica_queue_limit=100,
        gateway_queue_limit=1000,
        queue_timeout_s=2.0,
        resources={"cpu": ResourceUse(idle=0.05, full=1.0), "memory": ResourceUse(idle=0.5, full=0.7)},
        price_per_replica_hour=0.2,
    ),
    slo=Slo(latency_s=0.2, percentile=0.99),
)
