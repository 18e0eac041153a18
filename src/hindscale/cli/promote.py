"""`hindscale promote` and `hindscale rollback`: let another policy decide, while the run goes on."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Any

import typer

from hindscale.cli.extras import LIVE, require_extra
from hindscale.cli.options import option

__all__ = ["EXAMPLES", "promote", "rollback"]

EXAMPLES = """\b
Examples:
  hindscale promote predictive --state .hindscale/chat
  hindscale rollback --state .hindscale/chat
"""
State = Annotated[Path, option(text="Where `hindscale run` keeps decisions.", metavar="FOLDER")]


def promote(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="A shadow policy of the run, as it was named.")],
    state: State,
) -> int:
    """Let a shadow policy decide from the next tick on."""
    print(_ask(state, "promote", {"policy": policy}))
    return 0


def rollback(state: State) -> int:
    """Let the policy decide again that did before the last promotion."""
    print(_ask(state, "rollback", {}))
    return 0


def _ask(folder: Path, order: str, body: dict[str, Any]) -> str:
    """What the run of a state folder says to an order.

    Raises:
        HindscaleError: If there is no such run, or it refuses.
    """
    require_extra("live", LIVE, what="an order to a live run")
    import httpx

    from hindscale.core.errors import InputError, RunError
    from hindscale.live.dashboard.security import token_in
    from hindscale.live.dashboard.server import running_in

    running = running_in(folder)
    trusted = True if running.certificate is None else ssl.create_default_context(cafile=running.certificate)
    headers = {"Authorization": f"Bearer {token_in(folder)}"}
    try:
        answer = httpx.post(f"{running.url}api/v1/{order}", json=body, headers=headers, timeout=10.0, verify=trusted)
        said = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise RunError(f"{folder}: no run answers at {running.url}: {error}; start it with `hindscale run`") from error
    if not answer.is_success:
        raise InputError(str(said.get("error", answer.status_code)))
    return f"{said['accepted']}: done at the next tick"
