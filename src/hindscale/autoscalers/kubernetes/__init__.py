"""What every reader of Kubernetes manifests shares: quantities, and fields that know their path."""

from __future__ import annotations

from hindscale.autoscalers.kubernetes.errors import forbidden, invalid, required, unknown_field, unsupported
from hindscale.autoscalers.kubernetes.fields import REQUIRED, Fields, fields_of
from hindscale.autoscalers.kubernetes.manifest import load_manifest
from hindscale.autoscalers.kubernetes.quantity import milli_text, milli_value, quantity, whole_value

__all__ = [
    "REQUIRED",
    "Fields",
    "fields_of",
    "forbidden",
    "invalid",
    "load_manifest",
    "milli_text",
    "milli_value",
    "quantity",
    "required",
    "unknown_field",
    "unsupported",
    "whole_value",
]
