"""The service-level objective: a percentile of a latency under a bound."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hindscale.core.checks import require_fraction, require_positive
from hindscale.core.errors import ParameterError
from hindscale.core.units import format_duration, parse_duration

_SLO = re.compile(r"\s*p(?P<percentile>\d+(?:\.\d+)?)\s*<=?\s*(?P<bound>[^@]+?)\s*(?:@\s*(?P<share>[\d.]+)\s*%\s*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """A latency (queue + service) that a share of all requests must stay at or under.

    "p99 < 2 s" says that 99 % of all requests are answered within 2 s. Requests that are dropped, time
    out or are lost with their replica are misses. Optionally, the objective must hold in a share of all
    minutes too: "p99 < 2s @ 95%" asks for 95 % of the minutes in which at least 99 % of the requests met
    the bound.

    Attributes:
        latency_s: The bound, in seconds; > 0.
        percentile: The share of requests that must meet it, in (0, 1).
        minutes_share: The share of minutes that must meet it, in (0, 1]; None asks nothing of minutes.
    """

    latency_s: float
    percentile: float = 0.99
    minutes_share: float | None = None

    def __post_init__(self) -> None:
        require_positive(latency_s=self.latency_s)
        require_fraction(percentile=self.percentile)
        if self.percentile == 1:
            raise ParameterError("percentile must be < 1, was 1; no finite fleet promises every request, try 0.999")
        if self.minutes_share is not None:
            require_fraction(minutes_share=self.minutes_share)

    @classmethod
    def parse(cls, text: str) -> Slo:
        """Read an objective such as `p99<2s`, `p95 < 500ms` or `p99 < 2s @ 95%`.

        Raises:
            ParameterError: If the text has another form.

        >>> Slo.parse("p99.9 < 250ms")
        Slo(latency_s=0.25, percentile=0.999, minutes_share=None)
        """
        match = _SLO.fullmatch(text)
        if match is None:
            raise ParameterError(f"slo must look like 'p99 < 2s', was {text!r}")
        percentile = float(match["percentile"]) / 100
        if not 0 < percentile < 1:
            raise ParameterError(f"slo must name a percentile between p0 and p100, was {text!r}; write p99 < 2s")
        share = None if match["share"] is None else float(match["share"]) / 100
        # round: 99.9 / 100 is 0.9990000000000001 in binary.
        return cls(
            latency_s=parse_duration(match["bound"], name="slo bound"),
            percentile=round(percentile, 12),
            minutes_share=None if share is None else round(share, 12),
        )

    def __str__(self) -> str:
        text = f"p{self.percentile * 100:g} < {format_duration(self.latency_s)}"
        return text if self.minutes_share is None else f"{text} @ {self.minutes_share * 100:g}%"
