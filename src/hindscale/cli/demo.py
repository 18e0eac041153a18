"""`hindscale demo`: a model service, a gateway, a day of traffic and a controller, on this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hindscale.cli.extras import LIVE, require_extra
from hindscale.cli.options import option
from hindscale.cli.terminal import say

if TYPE_CHECKING:
    from hindscale.live.controller import Controller

__all__ = ["EXAMPLES", "demo"]

EXAMPLES = """\b
Examples:
  hindscale demo
  hindscale demo --for 10min --port 8080
"""
SERVICE: dict[str, Any] = {
    "name": "demo",
    "slo": "p95 < 1s",
    "service": {"slots": 4, "service_time": "0.45s", "cold_start": "3s", "price_per_replica_hour": 2.5},
    "fleet": {
        "command": [
            *("python", "-m", "hindscale.cli.main", "emulate", "--port", "{port}"),
            *("--cold-start", "3s", "--max-sequences", "4"),
        ],
        "probe_interval_s": 0.5,
        "drain_timeout_s": 30.0,
    },
    "policy": "target-tracking",
    "shadows": ["predictive", "knative"],
    "guardrails": ["stabilization:down_window_s=6"],
    "control_interval_s": 1.0,
    "max_replicas": 4,
}
DAY_S = 86_400.0
MEAN_RPS = 9.0
"""What two cores can carry beside everything else."""

START_S = 6.0
"""Until the first replica answers."""


def demo(
    for_: Annotated[
        str, option("--for", text="Show a day in this time.", metavar="TIME", env="HINDSCALE_DEMO_FOR")
    ] = "2min",
    port: Annotated[int, option(text="Serve the dashboard on this port; 0 takes any.", metavar="N")] = 8700,
    state: Annotated[Path | None, option(text="Keep decisions here.", metavar="FOLDER")] = None,
) -> int:
    """Scale emulated language models under a day of a chatbot's traffic, and show it in the browser."""
    require_extra("live", LIVE, what="the demo")
    from hindscale.cli.run import serve_dashboard, stopped_by_signals
    from hindscale.cli.service_config import service_from
    from hindscale.cli.service_ends import FileService
    from hindscale.core.units import parse_duration
    from hindscale.live.run import LiveRun

    for_s = parse_duration(for_, name="--for")
    file = service_from({**SERVICE, "dashboard": {"port": port}}, where="demo")
    with _kept_or_not(state) as folder:
        service = FileService(file, folder, say)
        live = LiveRun(file.plan(act=True, policy=None, shadows=[]), folder, service, keep_s=None, say=say)

        def serve(controller: Controller, stack: ExitStack) -> None:
            serve_dashboard(controller, stack, file, folder)
            assert service.url is not None
            _send_a_day(service.url, max(for_s - START_S, 1.0), stack)

        with stopped_by_signals(live):
            live.run(serve, for_s=for_s)
        _print_scores(folder)
    return 0


@contextmanager
def _kept_or_not(state: Path | None) -> Iterator[Path]:
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="hindscale-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _send_a_day(url: str, for_s: float, stack: ExitStack) -> None:
    """A day of the chatbot, so much faster and thinned out so much that this machine can carry it."""
    from hindscale.traces import application

    speed = DAY_S / for_s
    scale = MEAN_RPS / (application("chatbot").mean_rate_rps * speed)
    arguments = ["load", "chatbot", "--url", url, "--api", "chat", "--speed", f"{speed:.6g}", "--scale", f"{scale:.6g}"]
    arguments += ["--input-tokens", "50", "--output-tokens", "40", "--timeout", "20s", "--format", "json"]
    command = [sys.executable, "-m", "hindscale.cli.main", *arguments]
    load = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    stack.callback(_end, load)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _print_scores(folder: Path) -> None:
    """What was measured, and what every policy would have come to."""
    import json

    from hindscale.core.units import percent
    from hindscale.live.plan import Plan
    from hindscale.live.store import MEASURED, StoreReader

    reader = StoreReader(folder)
    planned, scores = reader.last_plan(), reader.scores_since(0.0)
    reader.close()
    if planned is None:
        return
    plan = Plan.from_dict(json.loads(planned["plan"]))
    price = plan.profile.price_per_replica_hour
    print(f"{'':<28}{'in SLO':>9}{'cost':>9}")
    for name in (MEASURED, *plan.policies):
        if name in scores:
            said = "this fleet, measured" if name == MEASURED else f"{name}, simulated"
            cost = f"{scores[name].cost(price):.4f}"
            print(f"{said:<28}{percent(scores[name].attainment):>9}{cost:>9}")
