"""What every writer of manifests shares: what is scaled, the manifest as a value, and its text.

A writer is the inverse of its system's reader. It takes the plain values that the reader makes, so what it writes
is read back to the same values; what the format has no place for, it says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from hindscale.core.checks import require_at_least, require_count, require_nonnegative, require_ordered
from hindscale.core.errors import ParameterError

__all__ = ["Manifest", "Outside", "Workload", "comment", "plain_number", "whole_seconds", "yaml_text"]

_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./_-]+")
# What some YAML reader, of version 1.1 or 1.2, takes for something other than a text.
_RESERVED = {"yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a manifest is to scale.

    Attributes:
        name: Of the service; a DNS label that begins with a letter, at most 63 characters.
        namespace: Likewise; empty leaves it to whoever applies the manifest.
        min_replicas: The fleet never goes below, for policies without bounds of their own; >= 0.
        max_replicas: The fleet never goes above, likewise; >= 1.
        scale_down_window_s: A wish to shrink must have lasted this long, likewise; >= 0.
        metric: What the metric is called where it is measured, for HPA and KEDA; empty for hindscale's name.
        prometheus: URL of the Prometheus that KEDA asks.
        query: What KEDA asks it; empty for the sum of that metric.
    """

    name: str
    namespace: str = ""
    min_replicas: int = 1
    max_replicas: int = 10
    scale_down_window_s: float = 300.0
    metric: str = ""
    prometheus: str = "http://prometheus-operated.monitoring.svc:9090"
    query: str = ""

    def __post_init__(self) -> None:
        for label in ("name", "namespace"):
            text = getattr(self, label)
            if not _LABEL.fullmatch(text) and (text or label == "name"):
                raise ParameterError(
                    f"{label} must be a DNS label (lower-case letters, digits and '-', a letter first,"
                    f" at most 63 characters), was {text!r}; such as chat-server"
                )
        require_count(min_replicas=self.min_replicas)
        require_at_least(1, max_replicas=self.max_replicas)
        require_ordered(min_replicas=self.min_replicas, max_replicas=self.max_replicas)
        require_nonnegative(scale_down_window_s=self.scale_down_window_s)

    @property
    def metadata(self) -> dict[str, Any]:
        """`metadata` of a Kubernetes object."""
        return {"name": self.name} | ({"namespace": self.namespace} if self.namespace else {})

    @property
    def reference(self) -> dict[str, str]:
        """`scaleTargetRef`: the Deployment of that name."""
        return {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A setting that a format has no place for.

    Attributes:
        parameter: Of the policy that reads the manifest.
        value: Its value.
        place: Where it is set instead, or what it is.
    """

    parameter: str
    value: Any
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A configuration as a system reads it, and what it has no place for.

    Attributes:
        reader: The policy that emulates the system, and reads the documents back.
        documents: One mapping a document.
        outside: What is given to that policy beside the file, which is its parameter `manifest`.
        notes: What to know before it is applied, a line each.
    """

    reader: str
    documents: tuple[Mapping[str, Any], ...]
    outside: tuple[Outside, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The documents as YAML, without any comment."""
        return yaml_text(self.documents)

    def parameters(self, source: str) -> dict[str, Any]:
        """What the policy is given to be the one that was written.

        Args:
            source: The file, or its text.
        """
        return {"manifest": source} | {each.parameter: each.value for each in self.outside}

    def means_the_same_as(self, other: Manifest) -> bool:
        """Whether both stand for the same settings, in the documents and beside them."""
        settings = [(each.reader, each.documents, each.parameters("")) for each in (self, other)]
        return settings[0] == settings[1]


class _Dumper(yaml.SafeDumper):
    """Block style, the order as given, no aliases; every text in quotes that any reader might take otherwise."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # "1e3" is a text to PyYAML and a number to Kubernetes, `y` is true to Go: only plain words go without quotes.
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _RESERVED
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


_Dumper.add_representer(str, _text_node)


def yaml_text(documents: Iterable[Mapping[str, Any]]) -> str:
    """Documents as YAML that every reader takes for the same values.

    >>> print(yaml_text([{"kind": "Deployment", "name": "y", "size": 3, "share": "0.5"}]), end="")
    kind: Deployment
    name: "y"
    size: 3
    share: "0.5"
    """
    return yaml.dump_all(
        [dict(document) for document in documents],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )


def comment(lines: Iterable[str]) -> str:
    r"""Lines as YAML comments. Whatever they hold, they end nowhere but where they are meant to.

    >>> print(comment(["trace a\nkind: Secret", ""]), end="")
    # trace a
    # kind: Secret
    #
    """
    parts = (part for line in lines for part in (line.splitlines() or [""]))
    return "".join(f"# {_printable(part)}".rstrip() + "\n" for part in parts)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def whole_seconds(seconds: float, *, field: str) -> int:
    """Seconds for a field that takes whole ones.

    Raises:
        ParameterError: If there is a fraction, which the field cannot carry.

    >>> whole_seconds(90.0, field="cooldownPeriod")
    90
    """
    if not float(seconds).is_integer():
        raise ParameterError(f"{field} takes whole seconds, was {seconds:g}; round it")
    return int(seconds)


def plain_number(value: float) -> int | float:
    """A number as people write it: 60 instead of 60.0.

    >>> plain_number(60.0), plain_number(0.7)
    (60, 0.7)
    """
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)
