"""The annotations `autoscaling.keda.sh/*` of a ScaledObject: what is paused, and what is forced."""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.autoscalers.kubernetes import Fields, fields_of
from hindscale.core.errors import ParameterError, did_you_mean

__all__ = ["Pauses", "pauses_from"]

DOMAIN = "autoscaling.keda.sh"
_KNOWN = ("paused", "paused-replicas", "paused-scale-in", "paused-scale-out", "force-activation")
# paused-scale-down is the former name of paused-scale-in.
_FORMER = {"paused-scale-down": "paused-scale-in"}
_TRUE, _FALSE = {"1", "t", "T", "TRUE", "true", "True"}, {"0", "f", "F", "FALSE", "false", "False"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """What is held, and what is forced.

    Attributes:
        is_paused: Nothing scales.
        replicas: Nothing scales, at this number; None for unset.
        is_scale_in_paused: Nothing scales in.
        is_scale_out_paused: Nothing scales out.
        is_forced: The workload is active whatever the triggers say.
    """

    is_paused: bool = False
    replicas: int | None = None
    is_scale_in_paused: bool = False
    is_scale_out_paused: bool = False
    is_forced: bool = False


def pauses_from(metadata: Fields) -> Pauses:
    """The annotations of a ScaledObject's metadata.

    Raises:
        ParameterError: If one of the domain is unknown, or no truth value or number.
    """
    path = f"{metadata.path}.annotations"
    given = fields_of(metadata.text_mapping("annotations"), path=path, source=metadata.source)
    for name in given.values:
        key = name.removeprefix(f"{DOMAIN}/")
        if name.startswith(f"{DOMAIN}/") and key not in _KNOWN and key not in _FORMER:
            raise ParameterError(f'unknown annotation "{given.where(name)}"; {did_you_mean(key, _KNOWN)}')
    return Pauses(
        is_paused=_truth(given, "paused"),
        replicas=_count(given, "paused-replicas"),
        is_scale_in_paused=_truth(given, "paused-scale-in") or _truth(given, "paused-scale-down"),
        is_scale_out_paused=_truth(given, "paused-scale-out"),
        is_forced=_truth(given, "force-activation"),
    )


def _truth(given: Fields, key: str) -> bool:
    name = f"{DOMAIN}/{key}"
    text = given.values.get(name, "false")
    if text not in _TRUE | _FALSE:
        raise given.invalid(name, "must be a boolean, true or false")
    return text in _TRUE


def _count(given: Fields, key: str) -> int | None:
    name = f"{DOMAIN}/{key}"
    text = given.values.get(name)
    if text is None:
        return None
    if not str(text).isdecimal():
        raise given.invalid(name, "must be a whole number >= 0")
    return int(text)
