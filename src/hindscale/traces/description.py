"""What a trace looks like, in figures: enough to choose a service profile and to distrust a forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hindscale.core.units import format_duration
from hindscale.traces.types import INSTANT_S, RateTrace, RequestTrace, Trace, UtilizationTrace

__all__ = ["Description", "describe"]

Floats = NDArray[np.float64]
MINUTE_S = 60.0
DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Figures of one trace.

    Attributes:
        kind: "requests", "rates" or "utilization".
        duration_s: Its length.
        window_s: Its window; for requests, the minute over which rates are taken.
        requests: How many; NaN for utilization.
        mean: Mean rate per second, or mean utilization.
        peak: The highest window's.
        peak_to_mean: Their ratio.
        cv: Coefficient of variation from window to window.
        dispersion: Variance over mean of the counts of a window; 1 for a Poisson process of constant rate.
        empty: Share of windows without a request.
        day, week: Correlation with the same trace a day and a week earlier, on windows of ten minutes or
            the trace's own if they are longer; NaN where the trace is too short.
        further: Token counts, recorded service times, and what the file says of itself.
    """

    kind: str
    duration_s: float
    window_s: float
    requests: float
    mean: float
    peak: float
    peak_to_mean: float
    cv: float
    dispersion: float
    empty: float
    day: float
    week: float
    further: Mapping[str, str]


def describe(trace: Trace) -> Description:
    """The figures of a trace."""
    window_s, values = _windows(trace, None)
    mean = trace.mean_rate_rps if isinstance(trace, RequestTrace) and len(values) > 1 else float(values.mean())
    is_traffic = not isinstance(trace, UtilizationTrace)
    counts = values * window_s
    return Description(
        kind={RequestTrace: "requests", RateTrace: "rates", UtilizationTrace: "utilization"}[type(trace)],
        duration_s=trace.duration_s,
        window_s=window_s,
        requests=math.nan if isinstance(trace, UtilizationTrace) else trace.total_requests,
        mean=mean,
        peak=float(values.max()),
        peak_to_mean=float(values.max()) / mean if mean else math.nan,
        cv=float(values.std()) / mean if mean else math.nan,
        dispersion=float(counts.var()) / float(counts.mean()) if is_traffic and mean else math.nan,
        empty=float(np.mean(values == 0)),
        day=_autocorrelation(trace, DAY_S),
        week=_autocorrelation(trace, 7 * DAY_S),
        further=_further(trace),
    )


def _windows(trace: Trace, window_s: float | None) -> tuple[float, Floats]:
    """Rates per second, or utilization, in windows of about that length, or the trace's own."""
    if isinstance(trace, RequestTrace):
        window_s = window_s or MINUTE_S
        return min(window_s, trace.duration_s) if trace.duration_s > INSTANT_S else window_s, trace.rates_rps(window_s)
    own = trace.requests / trace.window_s if isinstance(trace, RateTrace) else trace.utilization
    joined = min(max(1, round((window_s or 0.0) / trace.window_s)), len(own))
    windows = len(own) // joined
    return joined * trace.window_s, np.asarray(own[: windows * joined].reshape(windows, joined).mean(axis=1))


def _autocorrelation(trace: Trace, lag_s: float) -> float:
    window_s, values = _windows(trace, 600.0)
    lag = round(lag_s / window_s)
    if len(values) < 2 * lag or lag == 0:
        return math.nan
    before, after = values[:-lag], values[lag:]
    # Each part about its own mean: a service that grows is not less regular for it.
    covariance = float(np.mean((before - before.mean()) * (after - after.mean())))
    deviations = float(before.std() * after.std())
    return covariance / deviations if deviations else math.nan


def _further(trace: Trace) -> dict[str, str]:
    found: dict[str, str] = {}
    if isinstance(trace, RequestTrace):
        columns = {
            "input tokens": trace.input_tokens,
            "output tokens": trace.output_tokens,
            "recorded service": trace.service_s,
        }
        for name, values in columns.items():
            if values is not None:
                show = format_duration if name == "recorded service" else "{:,.0f}".format
                middle, high = np.quantile(values, [0.5, 0.99]).tolist()
                found[name] = f"mean {show(float(values.mean()))}, median {show(middle)}, p99 {show(high)}"
    if trace.start is not None:
        found["start"] = trace.start.isoformat(sep=" ", timespec="seconds")
    return found | {
        key: value for key, value in trace.details.items() if key in ("start", "source", "licence", "filled_windows")
    }
