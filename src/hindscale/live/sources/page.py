"""One page of metrics, read for what a preset names, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from hindscale.core.errors import InputError
from hindscale.live.sources.presets import Metric, Preset

__all__ = ["PageReading", "read_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReading:
    """What one page says.

    Attributes:
        counters: Values of `arrived`, `completed`, `failed` and `latency` series, by a key that begins with that word.
        gauges: Sums by name: `ongoing`, `queued`, `accelerator_utilization` (a mean).
        absent: What the preset names and the page does not have.
        uptime: How long its server has been up, in any unit; None where it does not say.
        start_time: When its server was started; None likewise.
        text: The whole page, to know one that stays the same.
    """

    counters: Mapping[Hashable, float]
    gauges: Mapping[str, float]
    absent: frozenset[str]
    uptime: float | None = None
    start_time: float | None = None
    text: str = field(default="", repr=False)

    @property
    def says_when_started(self) -> bool:
        """Whether a restart of its server would show."""
        return self.uptime is not None or self.start_time is not None


def read_page(text: str, preset: Preset) -> PageReading:
    """Read a page.

    Raises:
        InputError: If it is not in the text format.
    """
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for name, labels, value in _samples(_lines_of(text, preset)):
        found.setdefault(name, []).append((labels, value))
    counters: dict[Hashable, float] = {}
    absent: set[str] = set()
    for role, metric in (("arrived", preset.arrived), ("completed", preset.completed), ("failed", preset.failed)):
        values = _series(found, metric)
        counters |= {(role, key): value for key, value in values.items()}
        # Failures are not on the page before the first one, and then there were none.
        if metric is not None and not values and role != "failed":
            absent.add(role)
    if preset.latency is not None:
        counters |= _buckets(found, preset.latency)
    gauges: dict[str, float] = {}
    for role, metric in (("ongoing", preset.ongoing), ("queued", preset.queued)):
        _gauge(role, list(_series(found, metric).values()), metric, gauges, absent)
    shares = list(_series(found, preset.accelerator_utilization).values())
    mean = [sum(shares) / len(shares)] if shares else []
    _gauge("accelerator_utilization", mean, preset.accelerator_utilization, gauges, absent)
    return PageReading(
        counters=counters,
        gauges=gauges,
        absent=frozenset(absent),
        uptime=max(_series(found, preset.uptime).values(), default=None),
        start_time=max(_series(found, preset.start_time).values(), default=None),
        text=text,
    )


def _lines_of(text: str, preset: Preset) -> str:
    """The lines that matter: a page may have thousands, and reading them is what a scrape costs."""
    names = tuple(metric.name for metric in preset.metrics)
    return "\n".join(line for line in text.splitlines() if line.startswith(names)) + "\n"


def _samples(lines: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    from prometheus_client.parser import text_string_to_metric_families

    try:
        for family in text_string_to_metric_families(lines):
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value
    except (ValueError, IndexError, KeyError) as error:
        raise InputError(f"not a page of metrics in Prometheus's text format: {error}") from error


def _series(found: Mapping[str, list[tuple[Mapping[str, str], float]]], metric: Metric | None) -> dict[Hashable, float]:
    if metric is None:
        return {}
    named = found.get(metric.name, [])
    return {tuple(sorted(labels.items())): value for labels, value in named if metric.fits(labels)}


def _buckets(found: Mapping[str, list[tuple[Mapping[str, str], float]]], metric: Metric) -> dict[Hashable, float]:
    buckets: dict[Hashable, float] = {}
    for labels, value in found.get(f"{metric.name}_bucket", []):
        rest = {key: label for key, label in labels.items() if key != "le"}
        if metric.fits(rest):
            buckets["latency", _bound_s(labels, metric), tuple(sorted(rest.items()))] = value
    return buckets


def _bound_s(labels: Mapping[str, str], metric: Metric) -> float:
    try:
        return float(labels["le"]) * metric.unit_s
    except (KeyError, ValueError) as error:
        raise InputError(f"{metric.name}_bucket must say its upper bound in le, says {dict(labels)}") from error


def _gauge(role: str, values: list[float], metric: Metric | None, gauges: dict[str, float], absent: set[str]) -> None:
    if values:
        gauges[role] = sum(values)
    elif metric is not None:
        absent.add(role)
