"""Fields of a manifest: typed, checked, each knowing its path."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self, TypeVar

from hindscale.autoscalers.kubernetes.errors import invalid, required, unknown_field, unsupported
from hindscale.autoscalers.kubernetes.quantity import milli_value
from hindscale.core.errors import ParameterError
from hindscale.core.units import parse_duration

__all__ = ["REQUIRED", "Fields", "fields_of"]

T = TypeVar("T")
MAX_INT32 = 2**31 - 1
_GO_DURATION = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+")
_GO_DURATION_PART = re.compile(r"([0-9.]+)([a-zµ]+)")


class _Required(Enum):
    REQUIRED = "required"


REQUIRED: Final = _Required.REQUIRED
"""As a default: there is none, the field must be given."""


@dataclass(frozen=True, slots=True)
class Fields:
    """One mapping of a manifest. Every getter returns a checked value, or its default if the field is absent.

    Attributes:
        values: The mapping as YAML gave it.
        path: Where it stands, such as `spec.behavior`; empty at the top.
        source: File name that begins every message; empty for none.
    """

    values: Mapping[str, Any]
    path: str = ""
    source: str = ""

    def only(self, *known: str) -> Self:
        """These fields themselves, if they hold none but the known ones.

        Raises:
            ParameterError: For another field; the nearest known one is suggested.
        """
        for name in self.values:
            if name not in known:
                raise unknown_field(self.where(name), str(name), known)
        return self

    def has(self, name: str) -> bool:
        """Whether the field is given and not null."""
        return self.values.get(name) is not None

    def where(self, name: str) -> str:
        """The field's full path, for messages."""
        path = f"{self.path}.{name}" if self.path else str(name)
        return f"{self.source}: {path}" if self.source else path

    def invalid(self, name: str, reason: str) -> ParameterError:
        """The error that this field's value cannot be, to be raised."""
        return invalid(self.where(name), self.values.get(name), reason)

    def required(self, name: str, reason: str = "") -> ParameterError:
        """The error that this field is missing, to be raised."""
        return required(self.where(name), reason)

    def integer(
        self, name: str, *, default: T | _Required = REQUIRED, minimum: int | None = None, maximum: int | None = None
    ) -> int | T:
        """A whole number of 32 bits, within bounds that both belong to it."""
        value = self._given(name, default)
        if value is None:
            return self._default(name, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # 2.0 is a whole number to a JSON decoder too
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.invalid(name, "must be an integer" + _whole_hint(value))
        if not -MAX_INT32 - 1 <= value <= MAX_INT32:
            raise self.invalid(name, "must fit in an integer of 32 bits")
        self._check_bounds(name, value, minimum, maximum)
        return value

    def number(
        self,
        name: str,
        *,
        default: T | _Required = REQUIRED,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> float | T:
        """A finite number, within bounds that both belong to it."""
        value = self._given(name, default)
        if value is None:
            return self._default(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < float("inf"):
            raise self.invalid(name, "must be a number" + _whole_hint(value))
        self._check_bounds(name, value, minimum, maximum)
        return float(value)

    def boolean(self, name: str, *, default: T | _Required = REQUIRED) -> bool | T:
        """True or false."""
        value = self._given(name, default)
        if value is None:
            return self._default(name, default)
        if not isinstance(value, bool):
            raise self.invalid(name, "must be a boolean, true or false")
        return value

    def text(self, name: str, *, default: T | _Required = REQUIRED, choices: Collection[str] = ()) -> str | T:
        """A text that is not empty; with `choices`, one of these."""
        value = self._given(name, default)
        if value is None or (value == "" and default is not REQUIRED):
            return self._default(name, default)
        if not isinstance(value, str):
            raise self.invalid(name, "must be a string")
        if not value:
            raise self.required(name)
        if choices and value not in choices:
            raise unsupported(self.where(name), value, choices)
        return value

    def quantity(self, name: str, *, default: T | _Required = REQUIRED) -> int | T:
        """The milli value of a quantity: `250m` is 250, `2` is 2000; see `milli_value`."""
        value = self._given(name, default)
        if value is None:
            return self._default(name, default)
        return milli_value(value, path=self.where(name))

    def duration_s(self, name: str, *, default: T | _Required = REQUIRED, minimum_s: float | None = None) -> float | T:
        """Seconds of a Go duration such as `90s`, `1m30s` or `1.5h`; a number without a unit is refused, but 0."""
        value = self._given(name, default)
        if value is None:
            return self._default(name, default)
        is_zero = value == 0 and isinstance(value, int) and not isinstance(value, bool)
        if not (is_zero or value == "0" or (isinstance(value, str) and _GO_DURATION.fullmatch(value))):
            raise self.invalid(name, 'must be a duration with its unit, such as "90s" or "1m30s"')
        seconds = _go_duration_s(str(value))
        self._check_bounds(name, seconds, minimum_s, None)
        return seconds

    def fields(self, name: str, *, default: T | _Required = REQUIRED) -> Fields | T:
        """The mapping below this field."""
        value = self._given(name, default)
        if value is None:
            return self._default(name, default)
        if not isinstance(value, dict):
            raise self.invalid(name, "must be a mapping of fields")
        return Fields(value, f"{self.path}.{name}" if self.path else name, self.source)

    def items(self, name: str) -> tuple[Fields, ...]:
        """The mappings of a list; an absent list is empty."""
        path = f"{self.path}.{name}" if self.path else name
        found = []
        for index, value in enumerate(self._list(name)):
            if not isinstance(value, dict):
                raise invalid(f"{self.where(name)}[{index}]", value, "must be a mapping of fields")
            found.append(Fields(value, f"{path}[{index}]", self.source))
        return tuple(found)

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list; an absent list is empty."""
        for index, value in enumerate(self._list(name)):
            if not isinstance(value, str):
                raise invalid(f"{self.where(name)}[{index}]", value, "must be a string")
        return tuple(self._list(name))

    def text_mapping(self, name: str) -> dict[str, str]:
        """A mapping of texts to texts, such as labels and annotations; an absent one is empty.

        Raises:
            ParameterError: If a value is no text: annotations want `"70"`, in quotes.
        """
        fields = self.fields(name, default=None)
        if fields is None:
            return {}
        for key, value in fields.values.items():
            if not isinstance(value, str):
                raise fields.invalid(key, f'must be a string; put it in quotes: "{_plain(value)}"')
        return dict(fields.values)

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.invalid(name, "must be a list")
        return value

    def _given(self, name: str, default: object) -> Any:
        value = self.values.get(name)
        if value is None and default is REQUIRED:
            raise self.required(name)
        return value

    def _default(self, name: str, default: T | _Required) -> T:
        if isinstance(default, _Required):
            raise self.required(name)
        return default

    def _check_bounds(self, name: str, value: float, minimum: float | None, maximum: float | None) -> None:
        if minimum is not None and value < minimum:
            raise self.invalid(name, f"must be greater than or equal to {minimum}")
        if maximum is not None and value > maximum:
            raise self.invalid(name, f"must be less than or equal to {maximum}")


def fields_of(value: object, *, path: str = "", source: str = "") -> Fields:
    """A mapping that is already at hand, as fields.

    Raises:
        ParameterError: If it is no mapping.
    """
    if not isinstance(value, dict):
        raise invalid(f"{source}: {path}".strip(": ") or "manifest", value, "must be a mapping of fields")
    return Fields(value, path, source)


def _go_duration_s(text: str) -> float:
    sign = -1.0 if text.startswith("-") else 1.0
    parts = _GO_DURATION_PART.findall(text)
    return sign * sum(parse_duration(number + unit.replace("µs", "us")) for number, unit in parts)


def _whole_hint(value: object) -> str:
    """People write `70%` and `"3"` where a number belongs."""
    if isinstance(value, str):
        bare = value.strip().removesuffix("%").strip()
        if re.fullmatch(r"[+-]?[0-9]+", bare):
            return f"; did you mean {bare}?"
    return ""


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
