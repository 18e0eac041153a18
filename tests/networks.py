"""Networks to test with: small, made of random numbers or of a plain rule, and written byte by byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hindscale.policies._dqn_actions import LADDER
from hindscale.policies._dqn_network import Network
from hindscale.policies._dqn_state import FEATURES

__all__ = ["always", "random_network", "safetensors", "written"]

FEW = len(FEATURES)


def random_network(seed: int = 0, *, hidden: int = 8, widest: float = 1e6) -> Network:
    """A network that has learned nothing, for states within `widest` of 0."""
    rng = np.random.default_rng(seed)
    return Network(
        layers=(
            (rng.normal(size=(FEW, hidden)).astype(np.float32), rng.normal(size=hidden).astype(np.float32)),
            (rng.normal(size=(hidden, len(LADDER))).astype(np.float32), np.zeros(len(LADDER), np.float32)),
        ),
        mean=np.zeros(FEW, np.float32),
        deviation=np.ones(FEW, np.float32),
        low=np.full(FEW, -widest, np.float32),
        high=np.full(FEW, widest, np.float32),
        interval_s=15.0,
        caution=20.0,
        training={"seed": seed},
    )


def always(action: int) -> Network:
    """A network that values one step above all others, whatever it sees."""
    from dataclasses import replace

    network = random_network()
    matrix = np.zeros((FEW, len(LADDER)), np.float32)
    return replace(network, layers=((matrix, np.eye(len(LADDER), dtype=np.float32)[action]),))


def safetensors(tensors: Mapping[str, Any], texts: Mapping[str, str]) -> bytes:
    """The file's bytes: eight of length, the header, the numbers."""
    header: dict[str, Any] = {"__metadata__": dict(texts)}
    data = b""
    for name, tensor in tensors.items():
        offsets = [len(data), len(data) + tensor.nbytes]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def written(path: Path, network: Network) -> str:
    """The network in a file; returns its path as a text."""
    path.write_bytes(safetensors(network.tensors(), network.metadata()))
    return str(path)
