"""Values and targets on their way from a scaler to the HPA: names, rounding, activity, and the gRPC contract."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

__all__ = [
    "builtin_milli",
    "external_milli",
    "external_number",
    "is_active",
    "is_any_active",
    "metric_name",
    "milli_as_float",
    "reconnect_after_s",
    "scaler_metadata",
    "server_metric_name",
]

RECONNECT_FIRST_S, RECONNECT_MOST_S = 2.0, 60.0


def metric_name(trigger_index: int, name: str) -> str:
    """The name of a trigger's metric in the HPA.

    >>> metric_name(0, "queue_depth")
    's0-queue_depth'
    """
    return f"s{trigger_index}-{name}"


def server_metric_name(name: str) -> str:
    """The name that an external scaler is asked for: without the prefix.

    >>> server_metric_name("s12-queue_depth"), server_metric_name("queue")
    ('queue_depth', 'queue')
    """
    prefix, dash, rest = name.partition("-")
    return rest if dash and prefix[:1] == "s" and prefix[1:].isdecimal() else name


def is_active(value: float, activation: float = 0.0) -> bool:
    """Whether a trigger is active: strictly above its activation value. Targets play no part.

    >>> is_active(0.0), is_active(5.0, activation=5.0), is_active(5.001, activation=5.0)
    (False, False, True)
    """
    return value > activation


def is_any_active(active: Iterable[bool], *, has_error: bool, only_resources: bool) -> bool:
    """Whether a ScaledObject is active: any trigger is, or all it has are cpu and memory and none failed.

    >>> is_any_active([False], has_error=False, only_resources=True)
    True
    """
    return any(active) or (only_resources and not has_error)


def builtin_milli(value: float) -> int:
    """A built-in scaler's value or target in milli units, truncated.

    >>> builtin_milli(1.2345), builtin_milli(1.001)  # 1.001 * 1000 is 1000.9999999999999 in doubles
    (1234, 1000)
    """
    return math.trunc(value * 1000)


def external_number(as_float: float, as_int: int = 0) -> float:
    """Which of an external scaler's two fields counts: the double if it is above 0, else the int64.

    So 0.4 is said with the double, and 0 by leaving both; a negative double falls back to the int64 too.

    >>> external_number(0.4, 7), external_number(0.0, 7), external_number(0.0, 0)
    (0.4, 7.0, 0.0)
    """
    return as_float if as_float > 0 else float(as_int)


def external_milli(value: float) -> int:
    """An external scaler's value in milli units: three decimals; NaN, infinite and negative become 0.

    >>> external_milli(1.0006), external_milli(float("nan")), external_milli(-3.0)
    (1001, 0, 0)
    """
    if not math.isfinite(value) or value < 0:
        return 0
    return int(f"{value:.3f}".replace(".", ""))


def milli_as_float(milli: int) -> float:
    """The double that a quantity of milli units is computed with.

    >>> milli_as_float(1234), milli_as_float(5000)
    (1.234, 5.0)
    """
    return milli * 0.001


def reconnect_after_s(failures: int) -> float:
    """Seconds until a push stream is opened again: 2, doubling, at most 60.

    Args:
        failures: Ends in a row so far, this one included; >= 1.

    >>> [reconnect_after_s(failures) for failures in (1, 2, 5, 6, 99)]
    [2.0, 4.0, 32.0, 60.0, 60.0]
    """
    return min(RECONNECT_FIRST_S * 2.0 ** min(failures - 1, 10), RECONNECT_MOST_S)


def scaler_metadata(metadata: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """What an external scaler is told: all metadata; `FromEnv` keys carry their variable's value, or are dropped.

    >>> scaler_metadata({"scalerAddress": "x:1", "keyFromEnv": "KEY", "noFromEnv": "NO"}, {"KEY": "abc"})
    {'scalerAddress': 'x:1', 'keyFromEnv': 'abc'}
    """
    told = {}
    for key, value in metadata.items():
        resolved = environment.get(value, "") if key.endswith("FromEnv") else value
        if resolved or not key.endswith("FromEnv"):
            told[key] = resolved
    return told
