"""Request traces from columns whose order the recorder did not promise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from hindscale.traces._checks import as_numbers
from hindscale.traces.formats import ReadOptions
from hindscale.traces.types import RequestTrace

__all__ = ["request_trace"]

Floats = NDArray[np.float64]


def request_trace(
    name: str,
    options: ReadOptions,
    *,
    arrival_s: Floats,
    input_tokens: Floats | None = None,
    output_tokens: Floats | None = None,
    service_s: Floats | None = None,
    start: datetime | None = None,
    details: Mapping[str, str] | None = None,
    always_sort: bool = False,
) -> RequestTrace:
    """A trace from its columns, its rows sorted if asked for.

    Args:
        always_sort: The format does not promise an order (logs are written when a request ends).
    """
    order: slice | NDArray[np.int64] = slice(None)
    if always_sort or options.sort:
        # Checked before: once sorted, a bad row is no longer where the file has it.
        order = np.argsort(as_numbers(name, "arrival_s", arrival_s), kind="stable")
    return RequestTrace(
        name=name,
        arrival_s=arrival_s[order],
        input_tokens=None if input_tokens is None else input_tokens[order],
        output_tokens=None if output_tokens is None else output_tokens[order],
        service_s=None if service_s is None else service_s[order],
        start=start,
        details=details or {},
    )
