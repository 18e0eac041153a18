"""The learned policy: its features, its shield, its file, and that it hands over where it knows nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hindscale.core import InputError, Observation, ParameterError, Policy, ServiceProfile, ServiceSpec, Slo
from hindscale.policies import build_policy
from hindscale.policies._dqn_actions import LADDER, Shield, nearest_action
from hindscale.policies._dqn_network import Network, digest, read_network
from hindscale.policies._dqn_state import FEATURES, Memory, ServiceFigures, features, remembered
from hindscale.testing import PolicyContract, observation
from networks import always, random_network, safetensors, written
from strategies import histories

SPEC = ServiceSpec(profile=ServiceProfile(), slo=Slo(latency_s=2.0), max_replicas=60)  # a replica works off 10/s
FIGURES = ServiceFigures.of(SPEC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks")


def policy_of(folder: Path, network: Network, **given: Any) -> Policy[Any]:
    return build_policy("dqn", SPEC, {"path": written(folder / "network.safetensors", network), **given})


def seen_after(history: Sequence[Observation]) -> tuple[float, ...]:
    memory = Memory()
    for each in history:
        memory = remembered(each, memory, 15.0)
    return features(history[-1], memory, FIGURES, 20.0)


def named(values: Sequence[float]) -> dict[str, float]:
    return dict(zip(FEATURES, values, strict=True))


class TestContract(PolicyContract):
    @pytest.fixture(autouse=True)
    def _folder(self, folder: Path) -> None:
        type(self).folder = folder  # type: ignore[attr-defined]

    def policies(self) -> Sequence[Policy[Any]]:
        return [policy_of(self.folder, random_network(seed)) for seed in (0, 1)]  # type: ignore[attr-defined]


# -- what it sees ---------------------------------------------------------------------------------


def test_loads_are_in_replicas_and_relative_to_the_fleet() -> None:
    values = named(seen_after([observation(ready=8, starting_replicas=2, arrival_rate_rps=50.0)]))
    assert values["load_now"] == values["load_minute"] == values["load_peak"] == pytest.approx(0.5)  # 50/s are 5 of 10
    assert values["ready"] == pytest.approx(0.8)
    assert values["starting_soon"] == pytest.approx(0.2)  # nobody saw them ordered, so they are taken for the oldest
    assert values["day_sin"] == values["day_cos"] == 0.0


def test_starting_replicas_grow_older() -> None:
    history = [
        observation(15.0, ready=4),
        observation(30.0, ready=4, starting_replicas=4),  # ordered at 15 s, of 30 s half are over
        observation(45.0, ready=4, starting_replicas=4),
    ]
    assert named(seen_after(history[:2]))["starting_midway"] == pytest.approx(0.5)
    assert named(seen_after(history))["starting_soon"] == pytest.approx(0.5)


def test_given_up_replicas_were_the_newest() -> None:
    history = [
        observation(15.0, ready=2),
        observation(30.0, ready=2, starting_replicas=2),
        observation(45.0, ready=2, starting_replicas=6),
        observation(60.0, ready=4, starting_replicas=1),  # 4 of 6 were given up, 2 are ready: of 15 s, one is left
    ]
    values = named(seen_after(history[:3]))
    assert (values["starting_soon"], values["starting_midway"]) == (pytest.approx(0.25), pytest.approx(0.5))
    assert named(seen_after(history))["starting_soon"] == pytest.approx(0.2)


def test_the_peak_is_forgotten_slowly() -> None:
    rates = [10.0] * 4 + [100.0] * 4 + [10.0] * 60
    history = [observation(15.0 * (tick + 1), ready=5, arrival_rate_rps=rate) for tick, rate in enumerate(rates)]
    peaks = [named(seen_after(history[:end]))["load_peak"] for end in (4, 8, 9, 20, 68)]
    assert peaks[0] < peaks[4] < peaks[3] < peaks[2] <= peaks[1]


@given(history=histories())
def test_features_are_finite_numbers(history: list[Observation]) -> None:
    values = seen_after(history)
    assert len(values) == len(FEATURES)
    assert np.isfinite(values).all()


# -- what it may do -------------------------------------------------------------------------------


@given(replicas=st.integers(0, 10_000))
def test_the_ladder_is_a_ladder(replicas: int) -> None:
    sizes = [step.from_size(replicas) for step in LADDER]
    assert sizes == sorted(sizes)
    assert sizes[3] == replicas
    assert sizes[2] == max(replicas - 1, 0)
    assert sizes[4] == replicas + 1


@given(replicas=st.integers(1, 500), action=st.integers(0, len(LADDER) - 1))
def test_what_was_done_is_recognised(replicas: int, action: int) -> None:
    size = LADDER[action].from_size(replicas)
    assert LADDER[nearest_action(replicas, size)].from_size(replicas) == size


@given(history=histories(), seed=st.integers(0, 3), max_utilization=st.floats(0.3, 1.0), spare=st.integers(0, 3))
def test_never_below_the_shields_floor(
    folder: Path, history: list[Observation], seed: int, max_utilization: float, spare: int
) -> None:
    given_ = {"max_utilization": max_utilization, "spare_replicas": spare, "min_replicas": 2}
    policy = policy_of(folder, random_network(seed), **given_)
    state, memory = policy.initial_state(), Memory()
    for each in history:
        decision, state = policy.decide(each, state)
        memory = remembered(each, memory, 15.0)
        carried = max_utilization * (decision.desired_replicas - spare)
        assert carried >= memory.load(FIGURES) * (1 - 1e-6) - 1e-8 or decision.desired_replicas == 60
        assert 2 <= decision.desired_replicas <= 60


def test_the_fleet_shrinks_only_as_far_as_the_others_carry_the_load(folder: Path) -> None:
    policy = policy_of(folder, always(0))  # a quarter fewer, always
    sizes = []
    state, size = policy.initial_state(), 20
    for tick in range(1, 9):
        decision, state = policy.decide(observation(15.0 * tick, ready=size, arrival_rate_rps=72.0), state)
        sizes.append(size := decision.desired_replicas)
    assert sizes == [15, 11, 8, 8, 8, 8, 8, 8]
    assert "the shield allows 8 at a load of 7.2 replicas" in decision.reason


def test_a_fleet_below_the_floor_is_brought_up_at_once(folder: Path) -> None:
    policy = policy_of(folder, always(0))
    decision, _ = policy.decide(observation(ready=3, arrival_rate_rps=200.0), policy.initial_state())
    assert decision.desired_replicas == 20


def test_outside_of_training_target_tracking_decides(folder: Path) -> None:
    policy = policy_of(folder, replace(always(0), low=-np.full(19, 3.0, np.float32), high=np.full(19, 3.0, np.float32)))
    inside, _ = policy.decide(observation(ready=4, arrival_rate_rps=20.0, ongoing_requests=8.0), Memory())
    assert inside.reason.startswith("step -25% is worth 1, staying 0")
    outside, _ = policy.decide(observation(ready=40, arrival_rate_rps=20.0, ongoing_requests=80.0), Memory())
    reactive, _ = build_policy("target-tracking", SPEC).decide(
        observation(ready=40, arrival_rate_rps=20.0, ongoing_requests=80.0), None
    )
    assert outside.desired_replicas == reactive.desired_replicas
    assert outside.reason == f"fleet is outside of training, so target-tracking: {reactive.reason}"


def test_a_policy_needs_a_network_and_its_interval(folder: Path) -> None:
    with pytest.raises(ParameterError, match="dqn needs a trained network"):
        build_policy("dqn", SPEC)
    path = written(folder / "minute.safetensors", replace(random_network(), interval_s=60.0))
    with pytest.raises(ParameterError, match=r"trained to decide every 1min, the service decides every 15s"):
        build_policy("dqn", SPEC, {"path": path})
    with pytest.raises(ParameterError, match="caution must be a number > 0"):
        policy_of(folder, random_network(), caution="-1")
    with pytest.raises(ParameterError, match="service must be ServiceFigures, was 'fast'"):
        policy_of(folder, random_network(), service="fast")


# -- the file -------------------------------------------------------------------------------------


def test_a_network_survives_its_file(tmp_path: Path) -> None:
    network = random_network(7)
    found = read_network(written(tmp_path / "n.safetensors", network))
    states = np.random.default_rng(0).normal(size=(5, len(FEATURES))).astype(np.float32)
    assert (found.q_values(states) == network.q_values(states)).all()
    assert (found.interval_s, found.caution, found.training) == (15.0, 20.0, {"seed": 7})


def _short(content: bytes) -> bytes:
    return content[:-10]


def _long(content: bytes) -> bytes:
    return content + b"\0\0\0\0"


def _header_only(content: bytes) -> bytes:
    return content[:40]


def _pickle(content: bytes) -> bytes:
    return b"\x80\x04\x95" + content[3:]


def _another_weight(content: bytes) -> bytes:
    return content[:-4] + np.float32(3.0).tobytes()


def _another_caution(content: bytes) -> bytes:
    return content.replace(b'"caution": "20.0"', b'"caution": "99.0"')


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_short, "cut short"),
        (_long, "4 bytes too many"),
        (_header_only, "header is longer than the file"),
        (_pickle, "not a safetensors file of a trained network"),
        (_another_weight, "was changed after it was written"),
        (_another_caution, "was changed after it was written"),
        (lambda _: b"", "0 bytes"),
    ],
)
def test_a_file_that_was_cut_or_changed_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    path = Path(written(tmp_path / "n.safetensors", random_network()))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        read_network(path)
    assert "\n" not in str(caught.value)


@given(position=st.integers(0, 3000), byte=st.integers(0, 255))
def test_no_changed_byte_goes_unnoticed(folder: Path, position: int, byte: int) -> None:
    network = random_network()
    path = Path(written(folder / "one.safetensors", network))
    content = bytearray(path.read_bytes())
    position %= len(content)
    if content[position] == byte:
        return
    content[position] = byte
    path.write_bytes(bytes(content))
    try:
        found = read_network(path)
    except InputError:
        return
    # White space in the header means nothing.
    assert found.metadata() == network.metadata()


def test_a_network_for_another_state_is_refused(tmp_path: Path) -> None:
    network = random_network()
    texts = network.metadata() | {"features": json.dumps(["load", "fleet"])}
    path = tmp_path / "n.safetensors"
    path.write_bytes(safetensors(network.tensors(), texts))
    with pytest.raises(InputError, match="another state definition: its features differ from this version's"):
        read_network(path)
    path.write_bytes(safetensors(network.tensors(), {"format": "onnx"}))
    with pytest.raises(InputError, match="expected a network of format hindscale-dqn-1, was 'onnx'"):
        read_network(path)


def test_a_network_of_numbers_that_are_none_is_refused(tmp_path: Path) -> None:
    network = random_network()
    broken = replace(network, mean=np.full(len(FEATURES), np.nan, np.float32))
    with pytest.raises(InputError, match="do not make a network of 19 features and 8 steps"):
        read_network(written(tmp_path / "n.safetensors", broken))


def test_a_network_that_says_nothing_of_its_training_is_refused(tmp_path: Path) -> None:
    network, path = random_network(), tmp_path / "n.safetensors"
    for left_out in ("interval_s", "caution", "training"):
        texts = {name: text for name, text in network.metadata().items() if name not in (left_out, "sha256")}
        path.write_bytes(safetensors(network.tensors(), texts | {"sha256": digest(network.tensors(), texts)}))
        with pytest.raises(InputError, match=f"says nothing usable about its training \\('{left_out}'\\)"):
            read_network(path)


def test_a_header_that_goes_too_deep_is_refused(tmp_path: Path) -> None:
    path, header = tmp_path / "n.safetensors", b"[" * 200_000
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match="not a safetensors file of a trained network"):
        read_network(path)


def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(InputError, match=r"nowhere.safetensors: cannot be read: No such file or directory"):
        read_network("nowhere.safetensors")


def test_the_floor_is_bounded() -> None:
    assert Shield(max_replicas=5).allowed(0, load=100.0) == 5
    with pytest.raises(ParameterError, match="min_replicas must be <= max_replicas"):
        Shield(min_replicas=9, max_replicas=5)
