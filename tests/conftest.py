"""What all tests share: settings of hypothesis, and the real traces where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadlines: the first example of an engine test waits for the compiler. No test asserts a time.
settings.register_profile("hindscale", deadline=None, max_examples=60)
settings.register_profile("soak", deadline=None, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "hindscale"))

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def real_traces() -> Path:
    """The folder of recorded traces; tests that need it are skipped where it is absent."""
    folder = SHARED / "traces"
    if not folder.is_dir():
        pytest.skip("the recorded traces (../shared/traces) are not on this machine")
    return folder
