"""Reading the annotations `autoscaling.knative.dev/*`: their spellings, their types, their ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hindscale.autoscalers.knative._texts import (
    BURST_CAPACITY,
    is_burst_capacity,
    number_text,
    require_whole_seconds,
    require_within,
    whole_text,
)
from hindscale.autoscalers.kubernetes import Fields, unsupported
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.units import format_duration

__all__ = ["DOMAIN", "Annotations"]

DOMAIN = "autoscaling.knative.dev"
PROGRESS_DEADLINE = "serving.knative.dev/progress-deadline"
KPA_CLASS, HPA_CLASS = f"kpa.{DOMAIN}", f"hpa.{DOMAIN}"

_KEYS = (
    "class",
    "metric",
    "metric-aggregation-algorithm",
    "target",
    "target-utilization-percentage",
    "target-burst-capacity",
    "window",
    "panic-window-percentage",
    "panic-threshold-percentage",
    "min-scale",
    "max-scale",
    "initial-scale",
    "activation-scale",
    "scale-down-delay",
    "scale-to-zero-pod-retention-period",
)
_ONE_SPELLING = {"class", "metric", "target", "window", "activation-scale"}


def _spellings(key: str) -> tuple[str, ...]:
    """The annotations that mean a key, the one that wins first."""
    first, *rest = key.split("-")
    older = first + "".join(part.capitalize() for part in rest)
    return (f"{DOMAIN}/{key}",) if key in _ONE_SPELLING else (f"{DOMAIN}/{key}", f"{DOMAIN}/{older}")


@dataclass(frozen=True, slots=True)
class Annotations:
    """The annotations of one revision.

    Attributes:
        fields: As the manifest holds them.
    """

    fields: Fields

    def refuse_unknown(self) -> None:
        """A key of the domain that nobody reads is most often misspelt."""
        known = [spelling for key in _KEYS for spelling in _spellings(key)]
        for name in self.fields.values:
            if name.startswith(f"{DOMAIN}/") and name not in known:
                raise ParameterError(f'unknown annotation "{self.fields.where(name)}"; {did_you_mean(name, known)}')

    def refuse_other_class(self) -> None:
        """Revisions of another class are not scaled by the KPA."""
        name = self.given("class")
        if name is not None and self.fields.values[name] != KPA_CLASS:
            hint = "; the policy hpa emulates that one" if self.fields.values[name] == HPA_CLASS else ""
            raise self.fields.invalid(name, f"only {KPA_CLASS} is emulated here{hint}")

    def given(self, key: str) -> str | None:
        """The spelling of a key that is there; None for none."""
        return next((name for name in _spellings(key) if name in self.fields.values), None)

    def number(self, key: str, bounds: tuple[float, float], reason: str = "") -> float | None:
        """A number within its range."""
        name = self.given(key)
        if name is None:
            return None
        value = number_text(self.fields, name)
        if reason and value < bounds[0]:
            raise self.fields.invalid(name, reason)
        require_within(self.fields, name, value, bounds)
        return value

    def burst_capacity(self) -> float | None:
        """The target burst capacity."""
        name = self.given("target-burst-capacity")
        if name is None:
            return None
        value = number_text(self.fields, name)
        if not is_burst_capacity(value):
            raise self.fields.invalid(name, BURST_CAPACITY)
        return value

    def whole(self, key: str) -> int | None:
        """A whole number that is not negative."""
        name = self.given(key)
        return None if name is None else whole_text(self.fields, name)

    def duration_s(self, key: str, bounds: tuple[float, float], *, whole: bool = False) -> float | None:
        """A duration within its range, in seconds."""
        name = self.given(key)
        if name is None:
            return None
        seconds = self.fields.duration_s(name)
        require_within(self.fields, name, seconds, bounds, as_text=format_duration)
        if whole:
            require_whole_seconds(self.fields, name, seconds)
        return seconds

    def choice(self, key: str, choices: Mapping[str, str]) -> str:
        """What one of several texts stands for; the first if none is given."""
        name = self.given(key)
        value = next(iter(choices)) if name is None else str(self.fields.values[name])
        if value not in choices:
            raise unsupported(self.fields.where(str(name)), value, choices)
        return choices[value]

    def progress_deadline_s(self) -> float | None:
        """How long pods may take to come up, in seconds."""
        if PROGRESS_DEADLINE not in self.fields.values:
            return None
        seconds = self.fields.duration_s(PROGRESS_DEADLINE)
        if seconds <= 0:
            raise self.fields.invalid(PROGRESS_DEADLINE, "must be positive")
        require_whole_seconds(self.fields, PROGRESS_DEADLINE, seconds)
        return seconds
