from __future__ import annotations

from pathlib import Path

from courses import SPEC, wave
from hindscale.training.calibration import calibrated
from networks import always, written


def test_the_least_caution_is_enough_for_a_network_that_keeps_the_slo_anyway(tmp_path: Path) -> None:
    path = written(tmp_path / "n.safetensors", always(7))  # half as many again, always
    found = calibrated(path, [(wave(1.0), SPEC)], least=2.0, most=200.0)
    assert found.meets_slo
    assert found.slo_attainment > 0.99
    assert 2.0 < found.caution < 2.5  # bisected down to it


def test_a_network_that_never_keeps_it_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "n.safetensors", always(0))  # a quarter fewer, always: only the floor is left
    found = calibrated(path, [(wave(1.0), SPEC)], least=2.0, most=200.0)
    assert not found.meets_slo
    assert found.caution == 200.0
