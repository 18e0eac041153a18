"""`hindscale run`: decide for a real fleet, in shadow or for real."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hindscale.cli.options import option

if TYPE_CHECKING:
    from hindscale.cli.service_config import ServiceFile
    from hindscale.live.controller import Controller
    from hindscale.live.plan import Plan
    from hindscale.live.run import Ends, LiveRun
    from hindscale.live.sources import Source

__all__ = ["EXAMPLES", "run"]

EXAMPLES = """\b
Examples:
  hindscale run service.yaml                          (decides, and changes nothing)
  hindscale run service.yaml --act --shadow predictive
"""
ENTRY = "NAME[:KEY=VALUE,...]"


def run(
    service: Annotated[Path, typer.Argument(metavar="SERVICE.yaml", help="What is run: fleet, metrics, policies.")],
    act: Annotated[bool, option("--act", text="Scale the fleet; without it decisions are only written down.")] = False,
    policy: Annotated[str | None, option(text="The policy that decides.", metavar=ENTRY)] = None,
    shadow: Annotated[
        list[str] | None, option(text="A policy to score beside it; repeat for several.", metavar=ENTRY)
    ] = None,
    state: Annotated[
        Path | None, option(text="Where decisions are kept [.hindscale/<name>].", metavar="FOLDER")
    ] = None,
    for_: Annotated[
        str | None, option("--for", text="End after this long.", metavar="TIME", env="HINDSCALE_RUN_FOR")
    ] = None,
    host: Annotated[str | None, option(text="Serve the dashboard on this address.", metavar="ADDRESS")] = None,
    port: Annotated[int | None, option(text="Serve the dashboard on this port [8700].", metavar="N")] = None,
    dashboard: Annotated[bool, option("--dashboard/--no-dashboard", text="Serve a dashboard.")] = True,
) -> int:
    """Run a policy on a real fleet: measure, decide, explain, and with --act scale."""
    from hindscale.cli.service_config import read_service
    from hindscale.core.units import parse_duration
    from hindscale.live.run import LiveRun

    file = read_service(service)
    plan = file.plan(act=act, policy=policy, shadows=shadow or [])
    folder = state or Path(".hindscale") / plan.name
    live = LiveRun(plan, folder, _FileService(file, folder), keep_s=file.keep_s, say=_say)
    _say(f"{plan.name}: {plan.policy} {'decides' if act else 'decides in shadow, nothing is scaled (--act)'}")

    def serve(controller: Controller, stack: ExitStack) -> None:
        if dashboard:
            _serve(controller, stack, file, folder, host=host, port=port)

    with _stopped_by_signals(live):
        live.run(serve, for_s=None if for_ is None else parse_duration(for_, name="--for"))
    return 0


class _FileService:
    """The two ends that a service file describes."""

    def __init__(self, file: ServiceFile, folder: Path) -> None:
        self._file = file
        self._folder = folder

    def open(self, plan: Plan, stack: ExitStack) -> Ends:
        """Start the fleet, if it is ours, and the source."""
        from hindscale.live.metrics import ReplicasFromMetrics
        from hindscale.live.run import Ends

        source = self._source(plan, lambda: ())
        stack.callback(source.close)
        return Ends(source=source, fleet=ReplicasFromMetrics(source), is_ours=False)

    def _source(self, plan: Plan, pages: object) -> Source:
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


def _serve(
    controller: Controller, stack: ExitStack, file: ServiceFile, folder: Path, *, host: str | None, port: int | None
) -> None:
    """Put the dashboard beside the controller."""
    from hindscale.live.dashboard import Address, DashboardServer

    said = file.dashboard
    address = Address(
        host=said.host if host is None else host,
        port=said.port if port is None else port,
        certificate=said.certificate,
        key=said.key,
    )
    server = DashboardServer(controller, folder, address)
    stack.callback(server.close)
    server.start()
    _say(f"dashboard: {server.url}  (token for acting: {folder / 'token'})")


@contextmanager
def _stopped_by_signals(live: LiveRun) -> Iterator[None]:
    """A first signal ends the run in good order; a second one does not wait for that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.default_int_handler)
        live.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
