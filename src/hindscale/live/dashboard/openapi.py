"""The interface as an OpenAPI document."""

from __future__ import annotations

from typing import Any

import hindscale

__all__ = ["document"]

_SINCE = ("since", "Seconds to look back.", {"type": "number", "default": 3600})


def document() -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hindscale controller",
            "version": hindscale.__version__,
            "description": (
                "What a live run measures and decides, and what can be asked of it. On loopback looking is free; on any"
                " other address it needs the token. Acting always does."
            ),
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _object({"error": {"type": "string"}})},
        },
        "paths": {
            "/api/v1/status": _get("The run now: plan, last tick, totals."),
            "/api/v1/series": _get(
                "Traffic, replicas, latencies and queue over time, in columns.",
                _SINCE,
                ("points", "Most points.", {"type": "integer", "default": 600, "maximum": 2000}),
            ),
            "/api/v1/decisions": _get(
                "The latest ticks at which the target changed or the fleet began or ceased to be held.",
                ("most", "Most of them.", {"type": "integer", "default": 50, "maximum": 1000}),
            ),
            "/api/v1/scores": _get("What was measured, and what each policy's own fleet came to.", _SINCE),
            "/api/v1/hindsight": _get("The cost that no policy could have gone below, with any bounds.", _SINCE),
            "/api/v1/forecast": _get("Expected arrival rates, with a band of the forecaster's past errors.", _SINCE),
            "/api/v1/explain": _get(
                "The last decision at or before a time, made again and explained.",
                ("at", "Unix time; by default now.", {"type": "number"}),
            ),
            "/api/v1/events": _get("The status after every tick, as server-sent events.", kind="text/event-stream"),
            "/api/v1/pause": _post("Go on deciding, but leave the fleet as it is."),
            "/api/v1/resume": _post("Carry targets out again."),
            "/api/v1/promote": _post("Let a shadow policy decide.", policy={"type": "string"}),
            "/api/v1/rollback": _post("Let the policy decide that did before the last promotion."),
            "/api/v1/bounds": _post(
                "Set the smallest and the largest size.",
                min_replicas={"type": "integer", "minimum": 0},
                max_replicas={"type": "integer", "minimum": 1},
            ),
            "/metrics": _get("The controller's own metrics, for Prometheus.", kind="text/plain"),
            "/healthz": _get("Whether the process lives."),
            "/readyz": _get("Whether the loop turns, writes down, and is obeyed; 503 with the reason if not."),
        },
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _get(summary: str, *parameters: tuple[str, str, dict[str, Any]], kind: str = "application/json") -> dict[str, Any]:
    answers: dict[str, Any] = {"200": {"description": summary, "content": {kind: {}}}}
    if parameters:
        answers["422"] = _refused("A parameter does not fit.")
    return {
        "get": {
            "summary": summary,
            "security": [{}, {"token": []}],
            "parameters": [
                {"name": name, "in": "query", "description": text, "schema": schema}
                for name, text, schema in parameters
            ],
            "responses": answers,
        }
    }


def _post(summary: str, **properties: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "security": [{"token": []}],
        "responses": {
            "202": {"description": "It is done at the next tick."},
            "401": _refused("The token is missing or wrong."),
            "422": _refused("It does not fit the run as it is."),
        },
    }
    if properties:
        content = {"application/json": {"schema": _object(properties)}}
        operation["requestBody"] = {"required": True, "content": content}
    return {"post": operation}


def _refused(why: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": why, "content": {"application/json": {"schema": schema}}}
