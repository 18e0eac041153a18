from __future__ import annotations

from dataclasses import replace

import numpy as np

from courses import SPEC
from hindscale.policies._dqn_actions import LADDER
from hindscale.policies._dqn_state import FEATURES
from hindscale.training.action_map import action_map
from networks import always, random_network


def by_load(weight: float) -> object:
    """A network that adds a replica at loads above 0.8 of the fleet, or, with a negative weight, below."""
    matrix = np.zeros((len(FEATURES), len(LADDER)), np.float32)
    matrix[FEATURES.index("load_now"), 4] = weight
    bias = np.zeros(len(LADDER), np.float32)
    bias[4] = -0.8 * weight
    bias[[0, 1, 2, 5, 6, 7]] = -100.0
    return replace(random_network(), layers=((matrix, bias),))


def test_more_load_more_replicas_is_no_violation() -> None:
    found = action_map(by_load(1.0), SPEC, largest_load=10.0)  # type: ignore[arg-type]
    assert found.violations == found.violations_behind_shield == 0
    fleet, row = int(found.fleets[10]), found.wanted[10]
    assert (row == np.where(found.loads > 0.8 * fleet, fleet + 1, fleet)).all()


def test_more_load_fewer_replicas_is_counted() -> None:
    found = action_map(by_load(-1.0), SPEC, largest_load=10.0)  # type: ignore[arg-type]
    assert found.violations > 0


def test_what_training_has_not_seen_is_not_drawn() -> None:
    network = replace(always(4), low=np.full(19, -5, np.float32), high=np.full(19, 2.0, np.float32), caution=2.0)
    found = action_map(network, SPEC, largest_load=10.0)
    assert (found.wanted[-1] == -1).all()  # ln(1 + 20) is more than 2
    assert (found.wanted[1] == found.fleets[1] + 1).any()
