"""States as plain values, so that they survive a restart.

A policy's or guardrail's state is None, a number, a text, a tuple, a frozen dataclass of such, or an object
with `to_plain` and `from_plain`. `to_plain` gives something JSON can hold, `from_plain` the equal state
again; dataclasses are named by module and class, and only classes of trusted packages are ever looked up.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Collection
from typing import Any

from hindscale.core.errors import InputError

__all__ = ["from_plain", "to_plain"]

_TYPE, _FLOAT = "$type", "$float"


def to_plain(state: Any) -> Any:
    """A state as nested lists, dictionaries, numbers and texts.

    >>> to_plain((1.5, (2, None)))
    [1.5, [2, None]]
    """
    if isinstance(state, float) and not math.isfinite(state):
        return {_FLOAT: repr(state)}  # JSON has no NaN
    if state is None or isinstance(state, (bool, int, float, str)):
        return state
    if isinstance(state, tuple):
        return [to_plain(each) for each in state]
    kind = f"{type(state).__module__}:{type(state).__qualname__}"
    if hasattr(state, "to_plain"):
        return {_TYPE: kind, "value": state.to_plain()}
    if dataclasses.is_dataclass(state):
        fields = {field.name: to_plain(getattr(state, field.name)) for field in dataclasses.fields(state)}
        return {_TYPE: kind, "fields": fields}
    raise TypeError(f"a state must be made of numbers, texts, tuples and dataclasses, found {type(state).__name__}")


def from_plain(plain: Any, *, packages: Collection[str] = ("hindscale",)) -> Any:
    """The state that `to_plain` wrote down.

    Args:
        packages: Top-level packages whose classes may be made; add the one your own policies live in.

    Raises:
        InputError: If the plain values were not written by `to_plain`, or name a class elsewhere.
    """
    if isinstance(plain, list):
        return tuple(from_plain(each, packages=packages) for each in plain)
    if not isinstance(plain, dict):
        return plain
    if set(plain) == {_FLOAT}:
        return float(plain[_FLOAT])
    try:
        cls = _class(plain[_TYPE], packages)
        if "value" in plain:
            return cls.from_plain(plain["value"])
        return cls(**{name: from_plain(value, packages=packages) for name, value in plain["fields"].items()})
    except (KeyError, TypeError, AttributeError, ImportError) as error:
        raise InputError(f"saved state cannot be restored: {error!r}; begin with a fresh state") from error


def _class(kind: str, packages: Collection[str]) -> Any:
    module, _, name = kind.partition(":")
    if module.split(".")[0] not in packages:
        raise InputError(f"saved state names {kind}, outside {', '.join(packages)}; refuse it, or trust that package")
    found = getattr(importlib.import_module(module), name)
    if not (dataclasses.is_dataclass(found) or hasattr(found, "from_plain")):
        raise InputError(f"saved state names {kind}, which is no state")
    return found
