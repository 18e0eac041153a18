"""`hindscale run`: decide for a real fleet, in shadow or for real."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hindscale.cli.extras import LIVE, require_extra
from hindscale.cli.options import option
from hindscale.cli.terminal import say

if TYPE_CHECKING:
    from hindscale.cli.service_config import ServiceFile
    from hindscale.live.controller import Controller
    from hindscale.live.run import LiveRun

__all__ = ["EXAMPLES", "run", "serve_dashboard", "stopped_by_signals"]

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
    require_extra("live", LIVE, what="a live run")
    from hindscale.cli.service_config import read_service
    from hindscale.cli.service_ends import FileService
    from hindscale.core.units import parse_duration
    from hindscale.live.run import LiveRun

    file = read_service(service)
    plan = file.plan(act=act, policy=policy, shadows=shadow or [])
    folder = state or Path(".hindscale") / plan.name
    live = LiveRun(plan, folder, FileService(file, folder, say), keep_s=file.keep_s, say=say)
    say(f"{plan.name}: {plan.policy} {'decides' if act else 'decides in shadow, nothing is scaled (--act)'}")

    def serve(controller: Controller, stack: ExitStack) -> None:
        if dashboard:
            serve_dashboard(controller, stack, file, folder, host=host, port=port)

    with stopped_by_signals(live):
        live.run(serve, for_s=None if for_ is None else parse_duration(for_, name="--for"))
    return 0


def serve_dashboard(
    controller: Controller,
    stack: ExitStack,
    file: ServiceFile,
    folder: Path,
    *,
    host: str | None = None,
    port: int | None = None,
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
    say(f"dashboard: {server.url}  (token for acting: {folder / 'token'})")


@contextmanager
def stopped_by_signals(live: LiveRun) -> Iterator[None]:
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
