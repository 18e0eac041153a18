"""The interface: what can be looked at, and what can be asked for, over HTTP."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from hindscale.core.errors import HindscaleError, InputError, ParameterError
from hindscale.live.command import Command
from hindscale.live.controller import Controller
from hindscale.live.dashboard import openapi
from hindscale.live.dashboard.hindsight import least_cost
from hindscale.live.dashboard.metrics import metrics_page
from hindscale.live.dashboard.outlook import forecaster_of, outlook
from hindscale.live.dashboard.views import (
    arrivals_view,
    as_json,
    decisions_view,
    scores_view,
    series_view,
    status_view,
)
from hindscale.live.explain import explain
from hindscale.live.store import StoreReader
from hindscale.vendor import vendored

__all__ = ["LATE_INTERVALS", "dashboard_app"]

HOUR_S = 3600.0
LONGEST_S = 31 * 86_400.0
FORECAST_WINDOWS = 12
LATE_INTERVALS = 5
"""A controller that has not had a tick for so many intervals is not ready."""

SSE_PAUSE_S = 15.0
_KINDS = {"js": "text/javascript", "css": "text/css"}
_OURS = ("dashboard.js", "charts.js", "dashboard.css")
_VENDORED = ("uPlot.iife.min.js", "uPlot.min.css")


def dashboard_app(controller: Controller, folder: Path, closing: threading.Event) -> Starlette:
    """The application, without its guard.

    Args:
        controller: What is looked at, and asked.
        folder: The run's state folder.
        closing: Set when streams have to end.
    """
    interface = _Interface(controller, folder, closing)
    get, post = interface.answers(), interface.orders()
    return Starlette(
        routes=[
            Route("/", _page),
            Route("/static/{name}", _static),
            Route("/openapi.json", _document),
            Route("/metrics", interface.metrics),
            Route("/favicon.ico", _no_icon),
            Route("/healthz", _alive),
            Route("/readyz", interface.ready),
            Route("/api/v1/events", interface.events),
            *(Route(f"/api/v1/{name}", answer, methods=["GET"]) for name, answer in get.items()),
            *(Route(f"/api/v1/{name}", order, methods=["POST"]) for name, order in post.items()),
        ],
        exception_handlers={InputError: _wrong, HindscaleError: _failed},
    )


class _Interface:
    """Answers from the board and the store, and passes on what is asked for."""

    def __init__(self, controller: Controller, folder: Path, closing: threading.Event) -> None:
        self._controller = controller
        self._board = controller.board
        self._folder = folder
        self._closing = closing

    def answers(self) -> dict[str, Callable[[Request], Any]]:
        """What can be looked at, by path."""
        return {
            "status": self._status,
            "series": self._from_store(self._series),
            "decisions": self._from_store(
                lambda reader, asked: decisions_view(reader, most=int(_number(asked, "most", 50, 1, 1000)))
            ),
            "scores": self._from_store(self._scores),
            "hindsight": self._from_store(self._hindsight),
            "forecast": self._from_store(self._forecast),
            "explain": self._from_store(
                lambda reader, asked: explain(reader, _number(asked, "at", time.time(), 0, 1e11)).to_dict()
            ),
        }

    def orders(self) -> dict[str, Callable[[Request], Any]]:
        """What can be asked for, by path."""
        return {
            "pause": self._order(lambda _: Command(kind="pause")),
            "resume": self._order(lambda _: Command(kind="resume")),
            "rollback": self._order(lambda _: Command(kind="rollback")),
            "promote": self._order(lambda body: Command(kind="promote", policy=_text(body, "policy"))),
            "bounds": self._order(
                lambda body: Command(
                    kind="bounds",
                    min_replicas=_whole(body, "min_replicas"),
                    max_replicas=_whole(body, "max_replicas"),
                )
            ),
        }

    async def _status(self, _: Request) -> Response:
        return _json(status_view(self._board.state))

    async def metrics(self, _: Request) -> Response:
        """The controller's own metrics."""
        return Response(metrics_page(self._board.state), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def ready(self, _: Request) -> Response:
        """Whether the loop turns, decisions are written down, and the fleet does what it is asked."""
        state = self._board.state
        if state.record is None:
            return _json({"status": "no tick yet"}, status=503)
        interval_s = state.plan.interval_s(state.plan.policy)
        late_s = time.time() - state.record.wall_s
        if late_s > LATE_INTERVALS * max(interval_s, 1.0):
            return _json({"status": f"the last tick was {late_s:.0f} s ago"}, status=503)
        trouble = state.store_failure or state.fleet_failure
        return _json({"status": trouble or "ready"}, status=503 if trouble else 200)

    async def events(self, _: Request) -> Response:
        """The status after every tick, as server-sent events."""
        return StreamingResponse(self._ticks(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _ticks(self) -> AsyncIterator[bytes]:
        last, quiet_s, pause_s = 0, 0.0, 0.1
        while not self._closing.is_set():
            state = self._board.state
            if state.record is not None and state.record.number != last:
                last, quiet_s = state.record.number, 0.0
                yield b"event: tick\ndata: " + as_json(status_view(state)) + b"\n\n"
            elif quiet_s >= SSE_PAUSE_S:
                quiet_s = 0.0
                yield b": still here\n\n"
            await asyncio.sleep(pause_s)
            quiet_s += pause_s

    # -- what is asked of the store ---------------------------------------------------------------

    def _from_store(self, view: Callable[[StoreReader, Mapping[str, str]], Any]) -> Callable[[Request], Any]:
        """An answer that is read from the store, in a thread of its own."""

        def read(asked: Mapping[str, str]) -> Any:
            reader = StoreReader(self._folder)
            try:
                return view(reader, asked)
            finally:
                reader.close()

        async def answer(request: Request) -> Response:
            return _json(await run_in_threadpool(read, request.query_params))

        return answer

    def _series(self, reader: StoreReader, asked: Mapping[str, str]) -> Any:
        since_s = _number(asked, "since", HOUR_S, 1, LONGEST_S)
        return series_view(reader, since_s=since_s, points=int(_number(asked, "points", 600, 10, 2000)))

    def _scores(self, reader: StoreReader, asked: Mapping[str, str]) -> Any:
        since_s = _number(asked, "since", HOUR_S, 60, LONGEST_S)
        return {"since_s": since_s, "policies": scores_view(reader, self._board.state.plan, since_s=since_s)}

    def _hindsight(self, reader: StoreReader, asked: Mapping[str, str]) -> Any:
        since_s = _number(asked, "since", HOUR_S, 60, LONGEST_S)
        _, step_s, arrived = arrivals_view(reader, since_s=since_s)
        came = [0.0 if math.isnan(requests) else requests for requests in arrived]
        least = least_cost(self._board.state.plan, came, step_s=step_s) if came else None
        return {"since_s": since_s, "least_cost": least}

    def _forecast(self, reader: StoreReader, asked: Mapping[str, str]) -> Any:
        since_s = _number(asked, "since", HOUR_S, 60, LONGEST_S)
        begin_s, step_s, arrived = arrivals_view(reader, since_s=since_s)
        # The last step has not ended; the one before is the newest that is whole.
        rates = [requests / step_s for requests in arrived[:-1]]
        forecaster = forecaster_of(self._board.state.plan)
        seen = outlook(rates, forecaster, windows=FORECAST_WINDOWS)
        if seen is None:
            return {"forecaster": forecaster.name, "time_s": [], "mean_rps": [], "low_rps": [], "high_rps": []}
        columns = {name: getattr(seen, name).tolist() for name in ("mean_rps", "low_rps", "high_rps")}
        return {
            "forecaster": forecaster.name,
            "time_s": [begin_s + step_s * (len(rates) + ahead + 0.5) for ahead in range(FORECAST_WINDOWS)],
            **{name: [v if math.isfinite(v) else None for v in values] for name, values in columns.items()},
        }

    def _order(self, command: Callable[[Mapping[str, Any]], Command]) -> Callable[[Request], Any]:
        """Something that is asked for: checked now, done at the next tick."""

        async def order(request: Request) -> Response:
            asked = command(await _body(request))
            self._controller.submit(asked)
            return _json({"accepted": str(asked)}, status=202)

        return order


# -- requests and answers ----------------------------------------------------------------------------


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        text = await request.body()
        values = json.loads(text) if text else {}
    except (ValueError, ClientDisconnect) as error:
        raise ParameterError("the body must be JSON, and short") from error
    if not isinstance(values, dict):
        raise ParameterError(f"the body must hold named values, was {type(values).__name__}")
    return values


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ParameterError(f"{name} must be a text, was {value!r}")
    return value


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ParameterError(f"{name} must be a whole number, was {value!r}")
    return value


def _number(asked: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = asked.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ParameterError(f"{name} must be a number from {low:g} to {high:g}, was {text!r}")
    return value


def _json(value: Any, *, status: int = 200) -> Response:
    return Response(as_json(value), status, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _wrong(_: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, status=422)


async def _failed(_: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, status=503)


async def _page(_: Request) -> Response:
    return Response(_asset("dashboard.html"), media_type="text/html; charset=utf-8")


async def _document(_: Request) -> Response:
    return _json(openapi.document())


async def _no_icon(_: Request) -> Response:
    return Response(status_code=204)


async def _alive(_: Request) -> Response:
    return _json({"status": "alive"})


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _OURS + _VENDORED:
        return _json({"error": f"there is no {name}"}, status=404)
    text = _asset(name) if name in _OURS else vendored(name)
    kind = _KINDS[name.rpartition(".")[2]]
    return Response(text, media_type=f"{kind}; charset=utf-8", headers={"Cache-Control": "max-age=300"})


def _asset(name: str) -> str:
    return files("hindscale.live.dashboard").joinpath(name).read_text(encoding="utf-8")
