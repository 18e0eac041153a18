"""The example's model, a real one, as a fleet behind the gateway."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from hindscale.live.local import LocalService
from live_helpers import client, scaled

ROOT = Path(__file__).resolve().parents[3]
SERVER = ROOT / "examples" / "file_types" / "server.py"

MISSING = [name for name in ("onnxruntime", "magika") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


def test_a_real_model_tells_types_of_files(make_service: Callable[..., LocalService]) -> None:
    service = scaled(make_service(command=(sys.executable, str(SERVER), "--port", "{port}")), 2)
    files = {
        "python": SERVER.read_bytes(),
        "markdown": (ROOT / "CONTRIBUTING.md").read_bytes(),
        "toml": (ROOT / "pyproject.toml").read_bytes(),
        "gzip": gzip.compress(b"a" * 1000, mtime=0),
        "svg": (ROOT / "docs" / "pictures" / "thresholds.svg").read_bytes(),
    }
    told = {label: client.post(service.url, content=content).json() for label, content in files.items()}
    assert {label: answer["label"] for label, answer in told.items()} == {label: label for label in files}
    assert min(answer["score"] for answer in told.values()) > 0.5
