"""A trained network as a file and as arithmetic: safetensors, read strictly, evaluated with NumPy alone.

The format is eight bytes of length, a JSON header and the numbers themselves; it cannot carry code. It is read here
rather than by the library, because a policy that runs beside a live fleet should need no more than what is installed
anyway, and because everything about the file is known: which tensors there are, their types and shapes, and a digest of
them all. What differs in any of this is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hindscale.core.checks import require_positive
from hindscale.core.errors import InputError
from hindscale.policies._dqn_actions import LADDER
from hindscale.policies._dqn_state import FEATURES

__all__ = ["FORMAT", "Network", "digest", "read_network"]

Floats = NDArray[np.float32]
FORMAT = "hindscale-dqn-1"
_MOST_HEADER_BYTES = 1_000_000
_VECTORS = ("scaling.mean", "scaling.deviation", "support.low", "support.high")
_SLACK = 0.05
"""A feature may leave what training saw by this share of its range before the network is not asked."""
_LEAST_SLACK = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Q values of the ladder's steps from features, and what belongs to them.

    Attributes:
        layers: Matrix and bias of each layer; all but the last are followed by max(0, x).
        mean: Of each feature in training, shape (features,).
        deviation: Of each feature in training; > 0.
        low: The smallest of each that training saw.
        high: The largest.
        interval_s: Seconds between two decisions in training.
        caution: Weight of a missed request at which the SLO was just kept in training.
        training: What it was trained on and how it did, as plain values.
    """

    layers: tuple[tuple[Floats, Floats], ...]
    mean: Floats
    deviation: Floats
    low: Floats
    high: Floats
    interval_s: float
    caution: float
    training: Mapping[str, Any]

    def q_values(self, features: Floats) -> Floats:
        """The value of each step, for features of shape (..., features)."""
        values: Floats = ((features - self.mean) / self.deviation).astype(np.float32)
        for matrix, bias in self.layers[:-1]:
            values = np.maximum(values @ matrix + bias, np.float32(0))
        matrix, bias = self.layers[-1]
        result: Floats = values @ matrix + bias
        return result

    def unseen(self, features: Floats) -> str:
        """The name of a feature that lies outside of what training saw; empty if none does."""
        slack = np.maximum(_SLACK * (self.high - self.low), _LEAST_SLACK)
        outside = (features < self.low - slack) | (features > self.high + slack)
        return FEATURES[int(np.argmax(outside))] if outside.any() else ""

    def tensors(self) -> dict[str, Floats]:
        """Everything that is a number, by its name in the file."""
        named = dict(zip(_VECTORS, (self.mean, self.deviation, self.low, self.high), strict=True))
        for number, (matrix, bias) in enumerate(self.layers):
            named |= {f"layers.{number}.weight": matrix, f"layers.{number}.bias": bias}
        return {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in named.items()}

    def metadata(self) -> dict[str, str]:
        """Everything that is a text, with a digest over all of it and the numbers."""
        texts = {
            "format": FORMAT,
            "features": json.dumps(FEATURES),
            "ladder": json.dumps([str(step) for step in LADDER]),
            "interval_s": repr(self.interval_s),
            "caution": repr(self.caution),
            "training": json.dumps(self.training, sort_keys=True),
        }
        return texts | {"sha256": digest(self.tensors(), texts)}


def digest(tensors: Mapping[str, Floats], texts: Mapping[str, str]) -> str:
    """SHA-256 over all tensors and texts, by name."""
    whole = hashlib.sha256()
    for name, text in sorted(texts.items()):
        whole.update(f"{name}={text}\n".encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name}{tensor.shape}\n".encode() + tensor.tobytes())
    return whole.hexdigest()


def read_network(path: str | Path) -> Network:
    """The network in a file.

    Raises:
        InputError: If the file cannot be read, is no safetensors file, was cut short or changed, or holds a network
            for another state definition.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        tensors, texts = _parsed(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: not a safetensors file of a trained network ({error}); make one with `hindscale train`"
        ) from error
    _require_same_definition(path, texts)
    if texts.pop("sha256", "") != digest(tensors, texts):
        raise InputError(
            f"{path}: was changed after it was written (its digest differs); train it again or copy it anew"
        )
    return _network(path, tensors, texts)


def _parsed(content: bytes) -> tuple[dict[str, Floats], dict[str, str]]:
    """Tensors and texts of a safetensors file; ValueError for anything that is not exactly as it should be."""
    if len(content) < 8:
        raise ValueError(f"{len(content)} bytes")
    length = int.from_bytes(content[:8], "little")
    if length > min(_MOST_HEADER_BYTES, len(content) - 8):
        raise ValueError("its header is longer than the file")
    header = json.loads(content[8 : 8 + length].decode())
    texts = {str(name): str(text) for name, text in header.pop("__metadata__", {}).items()}
    data = content[8 + length :]
    tensors, position = {}, 0
    for name, entry in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        shape = tuple(int(size) for size in entry["shape"])
        if entry["dtype"] != "F32" or begin != position or end - begin != 4 * math.prod(shape) or min(shape) < 1:
            raise ValueError(f"tensor {name} is not what its header says")
        if end > len(data):
            raise ValueError(f"cut short: {len(data)} bytes of numbers where {end} are needed at least")
        tensors[name] = np.frombuffer(data[begin:end], "<f4").reshape(shape)
        position = end
    if position != len(data):
        raise ValueError(f"{len(data) - position} bytes too many")
    return tensors, texts


def _require_same_definition(path: Path, texts: Mapping[str, str]) -> None:
    if texts.get("format") != FORMAT:
        raise InputError(f"{path}: expected a network of format {FORMAT}, was {texts.get('format', 'none')!r}")
    for name, known in (("features", list(FEATURES)), ("ladder", [str(step) for step in LADDER])):
        try:
            given = json.loads(texts.get(name, "[]"))
        except ValueError:
            given = []
        if given != known:
            raise InputError(
                f"{path}: holds a network for another state definition: its {name} differ from this version's;"
                " train it again"
            )


def _network(path: Path, tensors: dict[str, Floats], texts: Mapping[str, str]) -> Network:
    sizes = [len(FEATURES)]
    layers: list[tuple[Floats, Floats]] = []
    while f"layers.{len(layers)}.weight" in tensors:
        matrix = tensors.pop(f"layers.{len(layers)}.weight")
        bias = tensors.pop(f"layers.{len(layers)}.bias", np.empty(0, np.float32))
        if matrix.ndim != 2 or matrix.shape[0] != sizes[-1] or bias.shape != (matrix.shape[1],):
            raise InputError(f"{path}: layer {len(layers)} does not fit the one before; train it again")
        sizes.append(matrix.shape[1])
        layers.append((matrix, bias))
    vectors = [tensors.pop(name, np.empty(0, np.float32)) for name in _VECTORS]
    numbers = [*vectors, *(each for layer in layers for each in layer)]
    fits = sizes[-1] == len(LADDER) and all(each.shape == (len(FEATURES),) for each in vectors)
    if tensors or not fits or not all(np.isfinite(each).all() for each in numbers) or not (vectors[1] > 0).all():
        raise InputError(
            f"{path}: its tensors do not make a network of {len(FEATURES)} features and {len(LADDER)} steps"
        )
    mean, deviation, low, high = vectors
    try:
        interval_s, caution, training = (
            float(texts["interval_s"]),
            float(texts["caution"]),
            json.loads(texts["training"]),
        )
        require_positive(interval_s=interval_s, caution=caution)
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: says nothing usable about its training ({error}); train it again") from error
    return Network(
        layers=tuple(layers),
        mean=mean,
        deviation=deviation,
        low=low,
        high=high,
        interval_s=interval_s,
        caution=caution,
        training=training,
    )
