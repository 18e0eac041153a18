"""Customer-service chatbot: working hours, a lunch dip, campaign spikes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hindscale.core.distributions import Lognormal
from hindscale.core.service import ResourceUse, ServiceProfile
from hindscale.core.slo import Slo
from hindscale.traces.applications import Application
from hindscale.traces.shapes import bump, is_weekend, noise, plateau, spike, times


def _shape(days: float, window_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    hours, hour = times(days, window_s)
    working = plateau(hour, 8.5, 18, ramp=2.0) * (1 - 0.3 * bump(hour, 12.5, 0.5))
    evening = 0.25 * bump(hour, 20.5, 1.5)
    shape = (0.05 + working + evening) * np.where(is_weekend(hours), 0.35, 1.0)
    # About one campaign mail in two days, in the morning: three times the traffic within ten minutes.
    for day in range(int(np.ceil(days))):
        if rng.random() < 0.5:
            shape += 2.0 * spike(hours, day * 24 + rng.uniform(9, 11.5), rise_h=1 / 6, decay_h=0.7)
    return np.asarray(shape * noise(rng, len(hours), cv=0.08, memory=0.9))


APPLICATION = Application(
    name="chatbot",
    title="customer-service chatbot",
    why=(
        "People ask when they work: the rate climbs tenfold between seven and nine, dips at lunch, and falls in the"
        " evening; a campaign mail triples it within minutes, which no cold start of a language model can follow."
        " An answer of some 250 tokens takes six seconds, widely spread; sixteen share an accelerator. Weights of"
        " tens of gigabytes make a start last a minute and a half. Readers see words appear, so sixteen seconds for"
        " a whole answer is the promise, to 95 %."
    ),
    mean_rate_rps=12.0,
    shape=_shape,
    service=ServiceProfile(
        name="chatbot",
        slots=16,
        service_time=Lognormal(mean_s=6.0, cv=0.7),
        cold_start=Lognormal(mean_s=90.0, cv=0.25),
        replica_queue_limit=64,
        gateway_queue_limit=1000,
        queue_timeout_s=60.0,
        resources={
            "accelerator": ResourceUse(idle=0.0, full=1.0),
            "cpu": ResourceUse(idle=0.05, full=0.4),
            "memory": ResourceUse(idle=0.75, full=0.95),
        },
        price_per_replica_hour=2.5,
    ),
    slo=Slo(latency_s=16.0, percentile=0.95),
)
