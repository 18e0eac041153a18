"""`hindscale load`: replay recorded traffic at a running service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hindscale.cli.options import option
from hindscale.cli.terminal import progress_bar, require_format, terminal_width

if TYPE_CHECKING:
    from hindscale.live.load import LoadPlan, Progress
    from hindscale.traces import Trace

__all__ = ["EXAMPLES", "load"]

EXAMPLES = """\b
Examples:
  hindscale load week.parquet --url http://127.0.0.1:8080 --speed 60 \\
      --for 1h --slo "p99<2s"
  hindscale load azure_llm_2023_conv.parquet --url http://127.0.0.1:8080 \\
      --api chat --model llama --out load.json
"""

Text = str | None


def load(
    trace: Annotated[str, typer.Argument(metavar="TRACE", help="A trace file, or the name of an application.")],
    url: Annotated[str, option(text="Where requests go.", metavar="URL")],
    speed: Annotated[float, option(text="Replay this many times faster.", metavar="X")] = 1.0,
    from_: Annotated[
        Text, option("--from", text="Leave out the trace before.", metavar="TIME", env="HINDSCALE_LOAD_FROM")
    ] = None,
    for_: Annotated[
        Text, option("--for", text="Use this much of the trace.", metavar="TIME", env="HINDSCALE_LOAD_FOR")
    ] = None,
    scale: Annotated[float, option(text="Multiply the traffic.", metavar="X")] = 1.0,
    sort: Annotated[bool, option("--sort", text="Put requests in order of arrival.")] = False,
    seed: Annotated[int, option(text="Of arrivals that are drawn from rates.", metavar="N")] = 0,
    slo: Annotated[Text, option(text="What answers are held to.", metavar="'p99<2s'")] = None,
    api: Annotated[str, option(text="What is asked.", metavar="plain|chat|completions")] = "plain",
    model: Annotated[str, option(text="The model's name, for chat and completions.", metavar="TEXT")] = "emulated",
    stream: Annotated[bool, option("--stream/--no-stream", text="Have answers token by token.")] = True,
    input_tokens: Annotated[int, option(text="Where the trace does not say.", metavar="N")] = 500,
    output_tokens: Annotated[int, option(text="Where the trace does not say.", metavar="N")] = 150,
    body: Annotated[Path | None, option(text="POST this file, for plain.", metavar="FILE")] = None,
    header: Annotated[list[str] | None, option(text="A further header; repeat.", metavar="'NAME: VALUE'")] = None,
    timeout: Annotated[str, option(text="Give up on an answer after.", metavar="TIME")] = "60s",
    connections: Annotated[int, option(text="At most so many at once.", metavar="N")] = 4096,
    service_speed: Annotated[
        float, option(text="The service's own --speed: latencies count so many times.", metavar="X")
    ] = 1.0,
    out: Annotated[Path | None, option(text="Write the report here, as JSON.", metavar="FILE")] = None,
    format_: Annotated[
        str, option("--format", text="What to print.", metavar="table|json", env="HINDSCALE_LOAD_FORMAT")
    ] = "table",
) -> int:
    """Replay traffic at a service, open-loop, and say how long answers took."""
    from hindscale.core.slo import Slo
    from hindscale.core.units import parse_duration
    from hindscale.live.load import LoadPlan
    from hindscale.live.load_requests import RequestTemplate

    require_format(format_)
    template = RequestTemplate(
        api=api,
        body=None if body is None else _content(body),
        headers=_headers(header or []),
        model=model,
        is_streamed=stream,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )
    plan = LoadPlan(
        trace=_read(trace, from_, for_, scale, sort),
        url=url,
        template=template,
        speed=speed,
        service_speed=service_speed,
        slo=None if slo is None else Slo.parse(slo),
        timeout_s=parse_duration(timeout, name="--timeout"),
        connections=connections,
        seed=seed,
    )
    return _run(plan, out, format_)


def _read(name: str, from_: str | None, for_: str | None, scale: float, sort: bool) -> Trace:
    from hindscale.cli.config import TraceOptions, read_traffic
    from hindscale.core.units import parse_duration

    options = TraceOptions(
        from_s=0.0 if from_ is None else parse_duration(from_, name="--from"),
        for_s=None if for_ is None else parse_duration(for_, name="--for"),
        scale=scale,
        sort=sort,
    )
    return read_traffic(name, options)


def _content(path: Path) -> bytes:
    from hindscale.core.errors import InputError

    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _headers(texts: list[str]) -> dict[str, str]:
    from hindscale.core.errors import ParameterError

    headers = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon:
            raise ParameterError(f"--header must be 'NAME: VALUE', was {text!r}")
        headers[name.strip().lower()] = value.strip()
    return headers


def _run(plan: LoadPlan, out: Path | None, format_: str) -> int:
    from hindscale.core.files import atomic_writer
    from hindscale.live.load import replay
    from hindscale.live.load_report import render

    _raise_file_limit()
    with _progress(plan.trace) as on_progress:
        report = replay(plan, on_progress)
    text = json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n"
    if out is not None:
        with atomic_writer(out) as file:
            file.write(text.encode())
    print(text if format_ == "json" else render(report, width=terminal_width()), end="")
    if not report.is_complete:
        raise KeyboardInterrupt
    return 0


def _raise_file_limit() -> None:
    """Every connection is a file; the soft limit of many systems is 1024."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _progress(trace: Trace) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal: how far the trace is, and how it goes."""
    from hindscale.core.units import format_duration

    with progress_bar(shows_count=False) as bar:
        if bar is None:
            yield lambda _: None
            return
        task = bar.add_task("starting", total=trace.duration_s)

        def show(now: Progress) -> None:
            waiting = f"{now.sent - now.ended:,} under way"
            said = f"{now.sent:,} sent, {waiting}, p99 {format_duration(now.p99_s)}"
            bar.update(task, completed=min(now.done_s, trace.duration_s), description=said)

        yield show
