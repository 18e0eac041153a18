"""Reading the configuration files of systems that are not Kubernetes: one YAML or JSON mapping.

The fields know their path and refuse what nobody reads; see `hindscale.autoscalers.kubernetes.fields`.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from hindscale.autoscalers._sources import text_of
from hindscale.autoscalers.kubernetes.fields import Fields, fields_of
from hindscale.core.errors import ParameterError

__all__ = ["read_mapping"]


def read_mapping(source: str | Path) -> Fields:
    """The mapping that a YAML or JSON file holds.

    Args:
        source: A path; or the text itself, known by its line breaks.

    Raises:
        ParameterError: If the file cannot be read, is no YAML, or holds something other than one mapping.
    """
    text, name = text_of(source, what="configuration")
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{name or 'configuration'}: no valid YAML: {reason}") from error
    return fields_of(loaded, source=name)
