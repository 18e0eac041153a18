"""Traffic and a service that are trained on in seconds."""

from __future__ import annotations

import numpy as np

from hindscale.core import Constant, ServiceProfile, ServiceSpec, Slo
from hindscale.traces import RateTrace
from hindscale.training.episodes import Course

__all__ = ["SPEC", "wave", "wave_course"]

SPEC = ServiceSpec(profile=ServiceProfile(cold_start=Constant(30.0)), slo=Slo(latency_s=2.0), max_replicas=30)


def wave(hours: float = 6.0) -> RateTrace:
    """Traffic between 2 and 12 replicas' worth, a turn in two hours."""
    minutes = np.arange(int(hours * 60))
    return RateTrace(name="wave", window_s=60.0, requests=60 * (70 + 50 * np.sin(2 * np.pi * minutes / 120)))


def wave_course() -> Course:
    """Its course, in episodes of a quarter of an hour."""
    return Course.of(wave(), SPEC, episode_steps=60)
