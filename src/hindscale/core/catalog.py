"""Finding policies, guardrails and forecasters by name, and building them from texts.

A room that can be extended holds one class a file. The class is a frozen dataclass with a `name`, and its
fields are its parameters; the `Attributes:` section of its docstring describes them. Nothing has to be
registered: `Catalog` looks at the files of the room.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.core.units import parse_duration

__all__ = ["Catalog", "Parameter", "parameters_of", "parse_call", "parse_entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a policy, guardrail or forecaster.

    Attributes:
        name: The field's name.
        type: The field's type.
        default: Its default, or `dataclasses.MISSING`.
        summary: What the docstring says of it.
    """

    name: str
    type: Any
    default: Any
    summary: str

    @property
    def is_whole(self) -> bool:
        """Whether it takes whole numbers alone."""
        kinds = _kinds(self.type)
        return int in kinds and float not in kinds

    def parse(self, text: object) -> Any:
        """The value that a text on the command line or an entry of a configuration file stands for.

        Raises:
            ParameterError: If it does not fit the parameter's type.
        """
        if not isinstance(text, str):
            return tuple(text) if isinstance(text, list) else text
        kinds = _kinds(self.type)
        if type(None) in kinds and text.lower() in {"", "none"}:
            return None
        parsers: tuple[tuple[bool, Callable[[str], Any]], ...] = (
            (bool in kinds, self._parse_bool),
            (float in kinds and self.name.endswith("_s"), lambda given: parse_duration(given, name=self.name)),
            (float in kinds, lambda given: self._parse_number(given, float, "a number")),
            (int in kinds, lambda given: self._parse_number(given, int, "a whole number")),
            (any(typing.get_origin(kind) is tuple for kind in kinds), _parse_list),
        )
        return next((parse(text) for fits, parse in parsers if fits), text)

    def _parse_bool(self, text: str) -> bool:
        known = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if text.lower() not in known:
            raise ParameterError(f"{self.name} must be true or false, was {text!r}")
        return known[text.lower()]

    def _parse_number(self, text: str, kind: Callable[[str], float], expected: str) -> float:
        try:
            return kind(text)
        except ValueError:
            raise ParameterError(f"{self.name} must be {expected}, was {text!r}") from None


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def parameters_of(cls: type[Any]) -> tuple[Parameter, ...]:
    """The parameters of a dataclass, with what its docstring says of each."""
    hints = typing.get_type_hints(cls)
    said: dict[str, str] = {}
    for base in reversed(cls.__mro__):  # what a class says of a field wins over what its bases say
        said |= _attributes_section(base.__doc__ or "")
    return tuple(
        Parameter(
            name=field.name,
            type=hints[field.name],
            default=field.default if field.default_factory is dataclasses.MISSING else field.default_factory(),
            summary=said.get(field.name, ""),
        )
        for field in dataclasses.fields(cls)
        if field.init
    )


def _attributes_section(docstring: str) -> dict[str, str]:
    """`name: text` entries of a docstring's Attributes section; lines indented deeper go on with the text."""
    _, _, section = docstring.partition("Attributes:\n")
    entries: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        entry = re.match(r"^ {8}(\w+): (.*)$", line)
        if entry:
            name = entry[1]
            entries[name] = entry[2].strip()
        elif name and line.startswith(" " * 9):
            entries[name] += " " + line.strip()
        else:
            name = ""
    return entries


def _kinds(annotation: Any) -> tuple[Any, ...]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


def parse_call(text: str) -> tuple[str, dict[str, str]]:
    """Split `name(key=value, key=value)` into the name and its parameters.

    >>> parse_call("seasonal-naive(season_windows=96)")
    ('seasonal-naive', {'season_windows': '96'})
    """
    name, opened, rest = text.strip().partition("(")
    if opened and not rest.endswith(")"):
        raise ParameterError(f"expected name(key=value, ...), was {text!r}; close the parenthesis")
    return name.strip(), _pairs(rest[:-1], text)


def parse_entry(text: str) -> tuple[str, dict[str, str]]:
    """Split `name:key=value,key=value` into the name and its parameters; values may hold parentheses.

    >>> parse_entry("predictive:alpha=0.7,forecaster=seasonal-naive(season_windows=96)")
    ('predictive', {'alpha': '0.7', 'forecaster': 'seasonal-naive(season_windows=96)'})

    `name=file` is short for `name:path=file`:

    >>> parse_entry("dqn=policy.safetensors")
    ('dqn', {'path': 'policy.safetensors'})
    """
    name, _, rest = text.strip().partition(":")
    if "=" in name:
        name, _, file = text.strip().partition("=")
        return name.strip(), {"path": file.strip()}
    return name.strip(), _pairs(rest, text)


def _pairs(text: str, whole: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    # Commas between parameters, but not those inside a value's own parentheses.
    for part in re.split(r",(?![^()]*\))", text):
        if part.strip():
            key, equals, value = part.partition("=")
            if not equals:
                raise ParameterError(f"expected key=value, was {part.strip()!r} in {whole!r}")
            if key.strip() in pairs:
                raise ParameterError(f"{key.strip()} is given twice in {whole!r}; give it once")
            pairs[key.strip()] = value.strip()
    return pairs


class Catalog:
    """The classes of one room, by name.

    Args:
        room: The package whose files hold one class each.
        kind: What they are called in messages, such as "policy".
        protocol_method: The method that tells them from helper classes, such as "decide".
    """

    def __init__(self, room: ModuleType | str, kind: str, protocol_method: str) -> None:
        self._room = room
        self._kind = kind
        self._method = protocol_method

    @cached_property
    def classes(self) -> Mapping[str, type[Any]]:
        """Every class by its name, in alphabetical order."""
        room = importlib.import_module(self._room) if isinstance(self._room, str) else self._room
        found: dict[str, type[Any]] = {}
        for module in pkgutil.iter_modules(room.__path__):
            if not module.name.startswith("_"):
                for cls in vars(importlib.import_module(f"{room.__name__}.{module.name}")).values():
                    if self._belongs(cls, f"{room.__name__}.{module.name}"):
                        found[cls.name] = cls
        return dict(sorted(found.items()))

    def _belongs(self, cls: object, module: str) -> bool:
        return (
            isinstance(cls, type)
            and cls.__module__ == module
            and hasattr(cls, self._method)
            and isinstance(getattr(cls, "name", None), str)
        )

    def find(self, name: str) -> type[Any]:
        """The class of that name.

        Raises:
            ParameterError: If there is none; the nearest name is suggested.
        """
        if name not in self.classes:
            raise ParameterError(f"unknown {self._kind} {name!r}; {did_you_mean(name, self.classes)}")
        return self.classes[name]

    def parse_parameters(self, name: str, given: Mapping[str, object]) -> dict[str, Any]:
        """Parameter values of the named class from texts.

        Raises:
            ParameterError: If the class or a parameter is unknown, or a value does not fit.
        """
        known = {parameter.name: parameter for parameter in parameters_of(self.find(name))}
        for parameter in given:
            if parameter not in known:
                raise ParameterError(
                    f"{self._kind} {name} has no parameter {parameter!r}; {did_you_mean(parameter, known)}"
                )
        return {parameter: known[parameter].parse(value) for parameter, value in given.items()}
