"""`hindscale import`: a trace and a service profile out of a running system."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hindscale.cli.extras import LIVE, require_extra
from hindscale.cli.options import option

if TYPE_CHECKING:
    from hindscale.live.importing import Imported
    from hindscale.live.sources import Preset

__all__ = ["EXAMPLES", "app"]

EXAMPLES = """\b
Examples:
  hindscale import prometheus http://localhost:9090 --preset vllm \\
      --since 14d --out chat
  hindscale backtest chat/trace.parquet --config chat/service.toml
"""
Text = str | None

app = typer.Typer(help="Take a trace and a service profile out of a running system.", no_args_is_help=True)


@app.callback()
def _import() -> None:
    """Take a trace and a service profile out of a running system."""


@app.command(epilog=EXAMPLES)
def prometheus(
    address: Annotated[str, typer.Argument(metavar="URL", help="Where the Prometheus server is.")],
    out: Annotated[Path, option(text="Write trace.parquet and service.toml here.", metavar="FOLDER")],
    preset: Annotated[Text, option(text="What the metrics are called; see the docs.", metavar="NAME")] = None,
    label: Annotated[list[str] | None, option(text="Only series that carry it; repeat.", metavar="KEY=VALUE")] = None,
    query: Annotated[Text, option(text="PromQL for the arrival rate [the preset's].", metavar="PROMQL")] = None,
    since: Annotated[str, option(text="How far back.", metavar="TIME")] = "14d",
    step: Annotated[str, option(text="Length of a window.", metavar="TIME")] = "1min",
    slo: Annotated[Text, option(text="What users are promised, for the backtest.", metavar="'p99<2s'")] = None,
    name: Annotated[str, option(text="What to call the trace.", metavar="TEXT")] = "trace",
    token_from: Annotated[Text, option(text="Environment variable with a bearer token.", metavar="NAME")] = None,
) -> int:
    """Read a service's history out of Prometheus, to run a backtest on it."""
    require_extra("live", LIVE, what="an import from Prometheus")
    from hindscale.core.errors import ParameterError
    from hindscale.core.files import make_folder
    from hindscale.core.units import parse_duration
    from hindscale.live.importing import Imported, arrivals_query, import_profile, import_trace, require_answer
    from hindscale.live.sources.prometheus import PrometheusServer
    from hindscale.traces import write_trace

    known = _preset(preset, label or [])
    if known is None and query is None:
        raise ParameterError("say what to ask for: --preset vllm, or --query 'sum(rate(requests_total[1m]))'")
    step_s = parse_duration(step, name="--step")
    server = PrometheusServer(address, timeout_s=60.0, headers=_headers(token_from))
    try:
        to_s = require_answer(server) // step_s * step_s
        span = {"from_s": to_s - parse_duration(since, name="--since"), "to_s": to_s, "step_s": step_s}
        asked = query if query is not None or known is None else arrivals_query(known, step_s=step_s)
        assert asked is not None
        trace, remarks = import_trace(server, asked, name=name, **span)
        found = Imported() if known is None else import_profile(server, known, **span)
    finally:
        server.close()
    folder = make_folder(out)
    write_trace(trace, folder / "trace.parquet")
    _write_service(folder / "service.toml", found, slo)
    for remark in (*remarks, *found.remarks):
        print(remark, file=sys.stderr)
    print(f"{folder / 'trace.parquet'}: {trace.total_requests:,.0f} requests in {trace.duration_s:,.0f} s")
    print(f"hindscale backtest {folder / 'trace.parquet'} --config {folder / 'service.toml'}")
    return 0


def _preset(name: str | None, labels: list[str]) -> Preset | None:
    from hindscale.core.errors import ParameterError
    from hindscale.live.sources import preset

    if name is None:
        return None
    pairs = {}
    for text in labels:
        key, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--label must be key=value, was {text!r}")
        pairs[key.strip()] = value.strip()
    return preset(name).with_labels(pairs)


def _headers(token_from: str | None) -> dict[str, str]:
    from hindscale.core.errors import ParameterError

    if token_from is None:
        return {}
    token = os.environ.get(token_from)
    if not token:
        raise ParameterError(f"--token-from: the environment variable {token_from} is not set")
    return {"Authorization": f"Bearer {token}"}


def _write_service(path: Path, found: Imported, slo: str | None) -> None:
    """The backtest's configuration; what is not known is left to the backtest's own assumptions."""
    from hindscale.core.files import atomic_writer

    lines = [f"# {remark}" for remark in found.remarks]
    if slo is not None:
        lines.append(f"slo = {json.dumps(slo)}")
    entries = found.entries()
    if entries:
        lines += ["", "[service]", *(f"{name} = {_toml(value)}" for name, value in entries.items())]
    with atomic_writer(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def _toml(value: Any) -> str:
    """A value in TOML; texts, numbers and lists are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)
