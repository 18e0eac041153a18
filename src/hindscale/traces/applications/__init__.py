"""Applications to try a policy on before there is a recording: traffic, replica and SLO that go together.

One file each, with one `APPLICATION`; a new file is found without being registered.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_count, require_positive
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.service import ServiceProfile
from hindscale.core.slo import Slo
from hindscale.traces.types import RateTrace

__all__ = ["Application", "application", "applications"]

WINDOW_S = 60.0
START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A kind of service with its traffic.

    Attributes:
        name: What it is called.
        title: What it is, in a few words.
        why: Why traffic, service time, cold start and SLO are as they are.
        mean_rate_rps: Mean requests per second.
        shape: Relative traffic at the middle of each window, from the number of days, the window's length
            and a random generator; any positive scale.
        service: What a replica is.
        slo: What users are promised.
    """

    name: str
    title: str
    why: str
    mean_rate_rps: float
    shape: Callable[[float, float, np.random.Generator], NDArray[np.float64]]
    service: ServiceProfile
    slo: Slo

    def generate(self, *, days: float = 1.0, seed: int = 0, mean_rate_rps: float | None = None) -> RateTrace:
        """Traffic from a Monday 00:00 on: expected requests a minute, the same for the same seed.

        Args:
            days: Length; > 0.
            mean_rate_rps: Mean over the whole trace, instead of the application's own.
        """
        require_positive(days=days)
        require_count(seed=seed)
        rate_rps = self.mean_rate_rps if mean_rate_rps is None else mean_rate_rps
        require_positive(mean_rate_rps=rate_rps)
        shape = self.shape(days, WINDOW_S, np.random.default_rng(seed))
        requests = shape / shape.mean() * rate_rps * WINDOW_S
        details = {"application": self.name, "seed": str(seed)}
        return RateTrace(name=self.name, window_s=WINDOW_S, requests=requests, start=START, details=details)


@cache
def applications() -> dict[str, Application]:
    """Every application by name."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = (importlib.import_module(f"{__name__}.{module}").APPLICATION for module in modules)
    return {each.name: each for each in found}


def application(name: str) -> Application:
    """An application by name.

    Raises:
        ParameterError: If there is none of that name.
    """
    known = applications()
    if name not in known:
        raise ParameterError(f"unknown application {name!r}; {did_you_mean(name, known)}")
    return known[name]
