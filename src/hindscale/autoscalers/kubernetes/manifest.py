"""Reading Kubernetes manifests: typed fields that know their path, and refuse what nobody reads.

```python
manifest = load_manifest("hpa.yaml", kind="HorizontalPodAutoscaler", api_versions=("autoscaling/v2",))
spec = manifest.fields("spec").only("minReplicas", "maxReplicas", "policies")
low = spec.integer("minReplicas", default=1, minimum=0)
high = spec.integer("maxReplicas", minimum=1)              # without a default: required
for policy in spec.items("policies"):                      # an absent list is empty
    kind = policy.text("type", choices=("Pods", "Percent"))
```

An absent field and one that is `null` are the same, as in Kubernetes. Errors are one line each, with the
path of the field: `hpa.yaml: spec.minReplicas: Invalid value: -1: must be greater than or equal to 0`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

from hindscale.autoscalers._sources import text_of
from hindscale.autoscalers.kubernetes.fields import Fields, fields_of
from hindscale.core.errors import ParameterError

__all__ = ["load_manifest"]


def load_manifest(source: str | Path, *, kind: str, api_versions: Collection[str]) -> Fields:
    """The one document of a kind in a YAML (or JSON) file, which may hold others.

    Args:
        source: A path; or the text itself, known by its line breaks.
        kind: Such as `HorizontalPodAutoscaler`.
        api_versions: Those that are read.

    Returns:
        The document's top-level fields.

    Raises:
        ParameterError: If the file cannot be read, is no YAML, or does not hold exactly one such document.
    """
    text, name = text_of(source, what="manifest")
    documents = [fields_of(document, source=name) for document in _documents(text, name)]
    found = [document for document in documents if document.values.get("kind") == kind]
    prefix = f"{name}: " if name else ""
    if not found and len(documents) == 1:
        documents[0].text("kind", choices=(kind,))
    if len(found) != 1:
        kinds = ", ".join(str(document.values.get("kind")) for document in documents) or "nothing"
        raise ParameterError(f"{prefix}must hold exactly one {kind}, holds {kinds}")
    found[0].text("apiVersion", choices=api_versions)
    return found[0]


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: dates and base-60 numbers stay texts, `1e3` is a number, no key comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key_node.tag != "tag:yaml.org,2002:merge" and str(key) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'key "{key}" already set in map', key_node.start_mark
                )
            seen.add(str(key))
        return super().construct_mapping(node, deep=deep)


_OWN_RESOLVERS = {
    "tag:yaml.org,2002:timestamp": None,
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?$"
        r"|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, _OWN_RESOLVERS.get(tag, pattern))
        for tag, pattern in resolvers
        if _OWN_RESOLVERS.get(tag, pattern) is not None
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _documents(text: str, name: str) -> Iterable[object]:
    """Every object of a file, those of a `kind: List` one by one."""
    try:
        loaded = [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{name or 'manifest'}: no valid YAML: {reason}") from error
    for document in loaded:
        if isinstance(document, dict) and document.get("kind") == "List":
            yield from document.get("items") or []
        else:
            yield document
