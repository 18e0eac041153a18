from __future__ import annotations

import json
import math
from dataclasses import dataclass

import pytest

from hindscale.core import InputError
from hindscale.core.state import from_plain, to_plain
from hindscale.forecasting.history import History
from hindscale.guardrails.cooldown import LastChange
from hindscale.guardrails.stabilization import Recommendations


@pytest.mark.parametrize(
    "state",
    [
        None,
        3,
        -0.25,
        math.inf,
        "words",
        (1.5, (2, None), ()),
        LastChange(),
        Recommendations(largest=((1.0, 3), (2.0, 1))),
        History(limit=3).append(1.0).append(math.nan),
    ],
)
def test_states_survive_json(state: object) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(state), allow_nan=False))) == state


def test_nan_survives_json() -> None:
    assert math.isnan(from_plain(json.loads(json.dumps(to_plain(math.nan), allow_nan=False))))


def test_what_cannot_be_written_down_is_refused_when_it_is_saved() -> None:
    with pytest.raises(TypeError, match="found list"):
        to_plain([1, 2])


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"$type": "subprocess:Popen", "fields": {"args": "true"}}, "outside hindscale"),
        ({"$type": "hindscale.core.errors:did_you_mean", "fields": {}}, "which is no state"),
        ({"$type": "hindscale.guardrails.cooldown:LastChange", "fields": {"no": 1}}, "cannot be restored"),
        ({"$type": "hindscale.nowhere:Thing", "fields": {}}, "cannot be restored"),
        ({"something": "else"}, "cannot be restored"),
    ],
)
def test_foreign_or_damaged_values_are_refused(plain: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_plain(plain)


@dataclass(frozen=True)
class Mine:
    value: int


def test_own_states_are_restored_when_their_package_is_trusted() -> None:
    package = Mine.__module__.split(".")[0]
    assert from_plain(to_plain(Mine(3)), packages={package}) == Mine(3)
