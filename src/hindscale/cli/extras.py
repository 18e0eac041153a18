"""What a command needs besides hindscale itself: asked for in one line, before anything is begun."""

from __future__ import annotations

import importlib.util

from hindscale.core.errors import ParameterError

__all__ = ["LIVE", "TRAIN", "require_extra"]

LIVE = ("httpx", "prometheus_client", "starlette", "uvicorn")
TRAIN = ("jax", "optax", "safetensors")


def require_extra(extra: str, modules: tuple[str, ...], *, what: str) -> None:
    """Refuse to go on without the libraries of an extra.

    Args:
        extra: Its name.
        modules: What it brings, as it is imported.
        what: What needs it, such as "training".

    Raises:
        ParameterError: With what is missing, and how to install it.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ParameterError(f"{what} needs {', '.join(missing)}, not installed here; pip install 'hindscale[{extra}]'")
