"""Errors about a field of a manifest, worded as a Kubernetes API server words them: path, kind of error, reason."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hindscale.core.errors import ParameterError, did_you_mean

__all__ = ["forbidden", "invalid", "required", "unknown_field", "unsupported"]


def invalid(path: str, value: object, reason: str) -> ParameterError:
    """The field is there, but its value cannot be.

    >>> print(invalid("spec.minReplicas", -1, "must be greater than or equal to 0"))
    spec.minReplicas: Invalid value: -1: must be greater than or equal to 0
    """
    return ParameterError(f"{path}: Invalid value: {_as_written(value)}: {reason}")


def required(path: str, reason: str = "") -> ParameterError:
    """The field is missing.

    >>> print(required("spec.maxReplicas"))
    spec.maxReplicas: Required value
    """
    return ParameterError(f"{path}: Required value" + (f": {reason}" if reason else ""))


def forbidden(path: str, reason: str) -> ParameterError:
    """The field may not be given here."""
    return ParameterError(f"{path}: Forbidden: {reason}")


def unsupported(path: str, value: object, supported: Iterable[str]) -> ParameterError:
    """The value is none of an enumeration's.

    >>> print(unsupported("spec.behavior.scaleUp.selectPolicy", "max", ["Max", "Min"]))
    spec.behavior.scaleUp.selectPolicy: Unsupported value: "max": supported values: "Max", "Min"
    """
    names = ", ".join(_as_written(name) for name in supported)
    return ParameterError(f"{path}: Unsupported value: {_as_written(value)}: supported values: {names}")


def unknown_field(path: str, name: str, known: Iterable[str]) -> ParameterError:
    """Nobody reads the field; most often it is misspelt.

    >>> print(unknown_field("spec.minReplica", "minReplica", ["minReplicas"]))
    unknown field "spec.minReplica"; did you mean 'minReplicas'?
    >>> print(unknown_field("hpa.yaml: spec.minReplica", "minReplica", ["minReplicas"]))
    hpa.yaml: unknown field "spec.minReplica"; did you mean 'minReplicas'?
    """
    place, _, field = path.rpartition(": ")  # the file comes first, if there is one
    return ParameterError(f'{place}{": " * bool(place)}unknown field "{field}"; {did_you_mean(name, known)}')


def _as_written(value: object) -> str:
    """The value in one line of JSON, cut where it is long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
