"""Recorded traffic as values: single requests, counts per window, or utilization.

The arrays are checked once, when a trace is made, so that nothing downstream meets a NaN, a negative
time or a step backwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_nonnegative, require_positive
from hindscale.core.errors import ParameterError, TraceError
from hindscale.core.units import format_duration
from hindscale.traces._checks import as_numbers, require_length, require_not_falling

__all__ = ["RateTrace", "RequestTrace", "Trace", "UtilizationTrace"]

Floats = NDArray[np.float64]
INSTANT_S = 1e-9
"""Requests that are no further apart came all at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestTrace:
    """One entry a request, in order of arrival.

    Attributes:
        name: Short name for tables and file names.
        arrival_s: Seconds since the trace began, shape (N,), float64, never falling.
        input_tokens: Prompt tokens, shape (N,), or None if unknown.
        output_tokens: Generated tokens, shape (N,), or None if unknown.
        service_s: Recorded time in service, shape (N,), or None; 0 where it was not recorded.
        start: Wall-clock time of second 0, where known; without a time zone it is taken as UTC.
        details: What else the file says of itself (source, licence, ...).
    """

    name: str
    arrival_s: Floats
    input_tokens: Floats | None = None
    output_tokens: Floats | None = None
    service_s: Floats | None = None
    start: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrival_s = as_numbers(self.name, "arrival_s", self.arrival_s)
        object.__setattr__(self, "arrival_s", arrival_s)
        require_not_falling(self.name, arrival_s)
        for column in ("input_tokens", "output_tokens", "service_s"):
            values = getattr(self, column)
            if values is not None:
                checked = as_numbers(self.name, column, values)
                require_length(self.name, column, checked, len(arrival_s))
                object.__setattr__(self, column, checked)
        object.__setattr__(self, "start", _with_zone(self.start))

    @property
    def duration_s(self) -> float:
        """Seconds from the trace's beginning to its last arrival."""
        return float(self.arrival_s[-1])

    @property
    def total_requests(self) -> float:
        return float(len(self.arrival_s))

    @property
    def mean_rate_rps(self) -> float:
        return self.total_requests / max(self.duration_s, INSTANT_S)

    def rates_rps(self, window_s: float) -> Floats:
        """Mean rate in each window of `window_s` seconds, shape (windows,); the last one may be cut short."""
        require_positive(window_s=window_s)
        if self.duration_s <= INSTANT_S:  # a rate only over the window that was asked for
            return np.array([self.total_requests / window_s])
        window_s = min(window_s, self.duration_s)
        windows = max(1, int(np.ceil(self.duration_s / window_s)))
        lengths = np.full(windows, window_s)
        lengths[-1] = max(self.duration_s - (windows - 1) * window_s, 1e-9)
        rates = self._counts(window_s, windows) / lengths
        # A last window of a moment would make any rate of a single request: it counts as the mean before it.
        if windows > 1 and lengths[-1] < window_s / 2:
            rates[-1] = rates[-2]
        return np.asarray(rates)

    def _counts(self, window_s: float, windows: int) -> Floats:
        """Requests in each window; the last one takes all that is left."""
        # Arrivals are sorted: looking for the borders needs no array of the trace's own length.
        borders = np.searchsorted(self.arrival_s, window_s * np.arange(1, windows))
        return np.diff(borders, prepend=0, append=len(self.arrival_s)).astype(np.float64)

    def to_rates(self, window_s: float) -> RateTrace:
        """The same traffic as counts in windows of `window_s` seconds; the last one ends after the trace."""
        require_positive(window_s=window_s)
        windows = int(self.arrival_s[-1] // window_s) + 1
        return RateTrace(
            name=self.name,
            window_s=window_s,
            requests=self._counts(window_s, windows),
            start=self.start,
            details=self.details,
        )

    def between(self, from_s: float, to_s: float | None = None) -> RequestTrace:
        """The part from `from_s` up to but not including `to_s`, with its clock set back to 0."""
        _require_span(from_s, to_s)
        low = int(np.searchsorted(self.arrival_s, from_s))
        high = len(self.arrival_s) if to_s is None else int(np.searchsorted(self.arrival_s, to_s))
        _require_some(self, from_s, to_s, high - low)
        cut = slice(low, high)
        return replace(
            self,
            arrival_s=self.arrival_s[cut] - from_s,
            input_tokens=None if self.input_tokens is None else self.input_tokens[cut],
            output_tokens=None if self.output_tokens is None else self.output_tokens[cut],
            service_s=None if self.service_s is None else self.service_s[cut],
            start=_later(self.start, from_s),
            details=_of_a_part(self.details),
        )

    def scaled(self, factor: float, *, seed: int = 0) -> RequestTrace:
        """The same traffic shape at `factor` times the rate.

        Below 1, each request is kept with that chance. Above 1, each request is repeated; copies are
        moved by up to one mean gap, so that they do not arrive at the same instant.
        """
        require_positive(factor=factor)
        rng = np.random.default_rng(seed)
        whole, rest = divmod(factor, 1.0)
        copies = int(whole) + (rng.random(len(self.arrival_s)) < rest)
        index = np.repeat(np.arange(len(self.arrival_s)), copies)
        if not len(index):
            raise TraceError(f"{self.name}: no request is left at scale {factor:g}; use a larger one")
        is_copy = np.diff(index, prepend=-1) == 0
        moved = self.arrival_s[index] + is_copy * rng.random(len(index)) / self.mean_rate_rps
        order = np.argsort(moved, kind="stable")
        index = index[order]
        return replace(
            self,
            arrival_s=np.minimum(moved[order], self.duration_s),
            input_tokens=None if self.input_tokens is None else self.input_tokens[index],
            output_tokens=None if self.output_tokens is None else self.output_tokens[index],
            service_s=None if self.service_s is None else self.service_s[index],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RateTrace:
    """Counts of requests in consecutive windows of equal length.

    Attributes:
        name: Short name for tables and file names.
        window_s: Length of a window in seconds; > 0.
        requests: Requests in each window, shape (T,), float64, >= 0.
        start: Wall-clock time of second 0, where known; without a time zone it is taken as UTC.
        details: What else the file says of itself.
    """

    name: str
    window_s: float
    requests: Floats
    start: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_positive(window_s=self.window_s)
        object.__setattr__(self, "requests", as_numbers(self.name, "requests", self.requests))
        object.__setattr__(self, "start", _with_zone(self.start))

    @property
    def duration_s(self) -> float:
        return len(self.requests) * self.window_s

    @property
    def total_requests(self) -> float:
        return float(self.requests.sum())

    @property
    def mean_rate_rps(self) -> float:
        return self.total_requests / self.duration_s

    def rates_rps(self, window_s: float) -> Floats:
        """Mean rate in windows of about `window_s` seconds, whole windows of the trace, shape (windows,)."""
        require_positive(window_s=window_s)
        joined = min(max(1, round(window_s / self.window_s)), len(self.requests))
        windows = len(self.requests) // joined
        sums = self.requests[: windows * joined].reshape(windows, joined).sum(axis=1)
        return np.asarray(sums / (joined * self.window_s))

    def to_rates(self, window_s: float) -> RateTrace:
        """The same traffic in longer windows; the last one may end after the trace.

        Raises:
            ParameterError: If `window_s` is not a whole number of the trace's windows.
        """
        require_positive(window_s=window_s)
        joined = max(1, round(window_s / self.window_s))
        if not math.isclose(joined * self.window_s, window_s, rel_tol=1e-9):
            raise ParameterError(
                f"window_s must be a multiple of the trace's window, {format_duration(self.window_s)},"
                f" was {format_duration(window_s)}"
            )
        requests = np.add.reduceat(self.requests, np.arange(0, len(self.requests), joined))
        return replace(self, window_s=window_s, requests=requests)

    def between(self, from_s: float, to_s: float | None = None) -> RateTrace:
        """The windows from `from_s` up to `to_s`, with the clock set back to 0; whole windows only."""
        _require_span(from_s, to_s)
        low = round(from_s / self.window_s)
        high = len(self.requests) if to_s is None else min(round(to_s / self.window_s), len(self.requests))
        _require_some(self, from_s, to_s, high - low)
        return replace(
            self,
            requests=self.requests[low:high],
            start=_later(self.start, low * self.window_s),
            details=_of_a_part(self.details),
        )

    def scaled(self, factor: float, *, seed: int = 0) -> RateTrace:
        """The same traffic shape at `factor` times the rate. Nothing is drawn; `seed` has no effect."""
        require_positive(factor=factor)
        return replace(self, requests=self.requests * factor)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UtilizationTrace:
    """Mean utilization in consecutive windows: not traffic until somebody says how much load it stands for.

    Attributes:
        name: Short name for tables and file names.
        window_s: Length of a window in seconds; > 0.
        utilization: Mean in each window as a fraction, shape (T,), float64, in [0, 1].
        start: Wall-clock time of second 0, where known; without a time zone it is taken as UTC.
        details: What else the file says of itself.
    """

    name: str
    window_s: float
    utilization: Floats
    start: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_positive(window_s=self.window_s)
        utilization = as_numbers(self.name, "utilization", self.utilization)
        object.__setattr__(self, "utilization", utilization)
        object.__setattr__(self, "start", _with_zone(self.start))
        if utilization.max() > 1:
            row = int(np.argmax(utilization > 1))
            way_out = "; are these percent? divide by 100" if utilization.max() <= 100 else ""
            raise TraceError(
                f"{self.name}: utilization must be in [0, 1], but row {row + 1} has {utilization[row]:g}{way_out}"
            )

    @property
    def duration_s(self) -> float:
        return len(self.utilization) * self.window_s

    def to_rates(self, full_load_rps: float) -> RateTrace:
        """The traffic of a service whose utilization is 1 at `full_load_rps` requests per second."""
        require_positive(full_load_rps=full_load_rps)
        return RateTrace(
            name=self.name,
            window_s=self.window_s,
            requests=self.utilization * full_load_rps * self.window_s,
            start=self.start,
            details=self.details,
        )


Trace = RequestTrace | RateTrace | UtilizationTrace


def _require_span(from_s: float, to_s: float | None) -> None:
    require_nonnegative(from_s=from_s)
    if to_s is not None:
        require_nonnegative(to_s=to_s)


def _require_some(trace: RequestTrace | RateTrace, from_s: float, to_s: float | None, count: int) -> None:
    if count <= 0:
        until = "its end" if to_s is None else format_duration(to_s)
        raise ParameterError(
            f"{trace.name}: nothing lies between {format_duration(from_s)} and {until};"
            f" the trace is {format_duration(trace.duration_s)} long"
        )


def _of_a_part(details: Mapping[str, str]) -> Mapping[str, str]:
    """Without what holds for the whole recording only: a start in words, and where it was filled."""
    return {key: text for key, text in details.items() if key not in ("start", "filled_ranges", "filled_windows")}


def _with_zone(start: datetime | None) -> datetime | None:
    return start if start is None or start.tzinfo else start.replace(tzinfo=UTC)


def _later(start: datetime | None, seconds: float) -> datetime | None:
    return None if start is None else start + timedelta(seconds=seconds)
