"""Numba's decorators with types that a checker can follow.

Kernels are compiled once and cached on disk; they release the interpreter lock while they run. They only
work on arrays that they are given, so Numba's reference counting is left out (`_nrt=False`): counting up
and down for each array and call would take three quarters of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["inline", "kernel"]

Function = Callable[..., Any]

_njit: Any = numba.njit


def kernel(function: Function) -> Function:
    """Compile a function that Python or another kernel calls."""
    compiled: Function = _njit(cache=True, nogil=True, _nrt=False)(function)
    return compiled


def inline(function: Function) -> Function:
    """Compile a small function into the kernels that call it."""
    compiled: Function = _njit(nogil=True, forceinline=True, _nrt=False)(function)
    return compiled
