"""The controller's own metrics, in Prometheus's text format."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from hindscale.live.board import State

__all__ = ["metrics_page"]


def metrics_page(state: State) -> bytes:
    """The page for a state."""
    registry = CollectorRegistry()
    registry.register(_Board(lambda: state))
    return generate_latest(registry)


class _Board:
    """Reads the board when it is scraped: nothing is counted twice."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        state = self._state()
        plan, record, service = state.plan, state.record, [state.plan.name]
        seen = None if record is None else record.tick.observation
        target = None if record is None else record.tick.target

        def gauge(name: str, text: str, value: float) -> Metric:
            family = GaugeMetricFamily(f"hindscale_{name}", text, labels=["service"])
            family.add_metric(service, value)
            return family

        def counter(name: str, text: str, value: float) -> Metric:
            family = CounterMetricFamily(f"hindscale_{name}", text, labels=["service"])
            family.add_metric(service, value)
            return family

        replicas = GaugeMetricFamily("hindscale_replicas", "Replicas by state.", labels=["service", "state"])
        for name in ("ready", "starting", "provisioning", "draining"):
            replicas.add_metric([*service, name], math.nan if seen is None else getattr(seen, f"{name}_replicas"))
        yield replicas
        yield gauge("target_replicas", "What the fleet is asked for.", math.nan if target is None else target.replicas)
        yield gauge("acting", "1 if targets are carried out.", float(plan.acts))
        yield gauge("arrival_rate_rps", "Requests per second.", math.nan if seen is None else seen.arrival_rate_rps)
        yield counter("ticks", "Ticks of the control loop.", state.ticks)
        yield counter("held_ticks", "Ticks at which the fleet was held for want of data.", state.held_ticks)
        yield counter("requests", "Requests that left.", state.totals.left)
        yield counter("requests_within_slo", "Requests that left and met the SLO.", state.totals.met)
        yield counter("replica_seconds", "Replica time paid for.", state.totals.replica_s)
        yield counter("cost", "Money.", state.totals.cost(plan.profile.price_per_replica_hour))
        yield gauge("unwritten_ticks", "Ticks that wait for room on the disk.", state.unwritten)
        yield gauge("store_failing", "1 while decisions cannot be written down.", float(bool(state.store_failure)))
        yield gauge("tick_seconds", "Time that the last tick took, without the measuring.", state.tick_s)
