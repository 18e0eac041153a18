"""Trained networks and half-trained learners on disk, as safetensors: numbers and texts, nothing that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hindscale.core.errors import InputError
from hindscale.core.files import atomic_writer
from hindscale.policies._dqn_network import Network

__all__ = ["read_checkpoint", "write_checkpoint", "write_network"]


def write_network(path: str | Path, network: Network) -> None:
    """Write a network where `hindscale.policies.dqn` can read it.

    Raises:
        OutputError: If it cannot be written.
    """
    _write(path, network.tensors(), network.metadata())


def write_checkpoint(path: str | Path, tree: Any, facts: Mapping[str, Any]) -> None:
    """Write the arrays of a nested structure, in its own order, and plain values beside them.

    Raises:
        OutputError: If it cannot be written.
    """
    import jax

    tensors = {f"{number:04d}": np.array(leaf, order="C") for number, leaf in enumerate(jax.tree.leaves(tree))}
    _write(path, tensors, {"facts": json.dumps(facts)})


def read_checkpoint(path: str | Path, like: Any) -> tuple[Any, dict[str, Any]]:
    """What `write_checkpoint` wrote, in the structure of `like`.

    Raises:
        InputError: If it cannot be read, or holds something else.
    """
    import jax
    from safetensors import SafetensorError, safe_open

    leaves, structure = jax.tree.flatten(like)
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads(file.metadata()["facts"])
            found = [file.get_tensor(name) for name in sorted(file.keys())]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be resumed from: {error}; delete it and train anew") from error
    if [each.shape for each in found] != [np.shape(leaf) for leaf in leaves]:
        raise InputError(f"{path}: is of a training of other dimensions; resume with the same settings, or delete it")
    return jax.tree.unflatten(structure, [jax.numpy.asarray(each) for each in found]), facts


def _write(path: str | Path, tensors: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    from safetensors.numpy import save

    with atomic_writer(path) as file:
        file.write(save(dict(tensors), dict(texts)))
