"""What can go wrong, sorted by what the caller should do about it.

```
HindscaleError
├── InputError               change what you gave
│   ├── ParameterError       a value out of range, a name nobody knows
│   └── TraceError           a file that does not say how much traffic there was
├── MetricsUnavailable       wait: leave the fleet as it is and ask again
└── RunError                 give up: the run or its output cannot be completed
    └── OutputError          nothing more can be written (disk full, no permission)
```

Every message is one line: where, what was expected, what came, and the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HindscaleError(Exception):
    """Anything hindscale raises on purpose."""


class InputError(HindscaleError):
    """The caller can fix this by changing the input."""


class ParameterError(InputError, ValueError):
    """A parameter is out of range, contradicts another one, or is unknown."""


class TraceError(InputError, ValueError):
    """A trace cannot be read as traffic."""


class MetricsUnavailable(HindscaleError):
    """No usable measurements at this tick; the loop leaves the fleet as it is and asks again."""


class RunError(HindscaleError, RuntimeError):
    """A run cannot be completed."""


class OutputError(RunError):
    """A result cannot be written."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, or all of them.

    >>> did_you_mean("target-traking", ["fixed", "target-tracking"])
    "did you mean 'target-tracking'?"
    >>> did_you_mean("xyz", ["fixed", "schedule"])
    'known: fixed, schedule'
    """
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
