"""The two ends of a live run that a service file describes: the fleet, and where its metrics come from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from hindscale.cli.service_config import ServiceFile
    from hindscale.live.local import LocalService
    from hindscale.live.plan import Plan
    from hindscale.live.run import Ends
    from hindscale.live.sources import Source

__all__ = ["FileService"]


class FileService:
    """Makes them, once it is this run's turn.

    Args:
        file: What describes them.
        folder: The run's state folder.
        say: Told of what an operator should know.
    """

    def __init__(self, file: ServiceFile, folder: Path, say: Callable[[str], None]) -> None:
        self._file = file
        self._folder = folder
        self._say = say
        self.url: str | None = None  # where clients come, of a fleet that is ours

    def open(self, plan: Plan, stack: ExitStack) -> Ends:
        """Start the fleet, if it is ours, and the source."""
        from hindscale.live.metrics import ReplicasFromMetrics
        from hindscale.live.run import Ends

        if self._file.fleet is None:
            source = self._source(plan)
            stack.callback(source.close)
            return Ends(source=source, fleet=ReplicasFromMetrics(source), is_ours=False)
        from hindscale.live.local import LocalService

        fleet = stack.enter_context(LocalService(self._file.fleet.spec(plan, self._folder)))
        source = self._gateway(plan, fleet) if self._file.source is None else self._source(plan)
        stack.callback(source.close)
        self.url = fleet.url
        self._say(f"{plan.name}: {fleet.url}")
        return Ends(source=source, fleet=fleet, is_ours=True)

    def _gateway(self, plan: Plan, fleet: LocalService) -> Source:
        """The fleet's own gateway, which sees every request."""
        from hindscale.live.sources import ScrapeSource, preset

        envoy = preset("envoy").with_labels({"envoy_http_conn_manager_prefix": "service"})
        page = f"http://{urlsplit(fleet.metrics_url).netloc}{envoy.path}"
        window_s = plan.control_interval_s
        return ScrapeSource(lambda: [page], envoy, bound_s=plan.slo.latency_s, window_s=window_s)

    def _source(self, plan: Plan) -> Source:
        from hindscale.live.sources import PrometheusSource, ScrapeSource, preset
        from hindscale.live.sources.prometheus import PrometheusServer, Query, latency_query, queries_of

        said = self._file.source
        assert said is not None
        known = None if said.preset is None else preset(said.preset).with_labels(said.labels)
        if said.pages:
            assert known is not None
            return ScrapeSource(
                lambda: said.pages,
                known,
                bound_s=plan.slo.latency_s,
                window_s=said.window_s or plan.control_interval_s,
                timeout_s=said.timeout_s,
                headers=said.headers(),
            )
        assert said.prometheus is not None
        window_s = said.window_s or max(plan.control_interval_s, 60.0)
        queries = {} if known is None else queries_of(known, window_s=window_s)
        return PrometheusSource(
            PrometheusServer(said.prometheus, timeout_s=said.timeout_s, headers=said.headers()),
            queries | {name: Query(value=text) for name, text in said.queries.items()},
            latency=None if known is None else latency_query(known, window_s=window_s),
            latency_unit_s=known.latency.unit_s if known is not None and known.latency is not None else 1.0,
            bound_s=plan.slo.latency_s,
            ongoing_includes_queued=known is not None and known.ongoing_includes_queued,
            max_age_s=plan.oldest_s,
        )
