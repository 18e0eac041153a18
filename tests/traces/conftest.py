"""A file with given content, and the one line that refuses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hindscale.core.errors import TraceError
from hindscale.traces import read_trace


@pytest.fixture
def file_with(tmp_path: Path) -> Callable[..., Path]:
    """Write a small file."""

    def write(content: str | bytes, name: str = "trace.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def refusal(file_with: Callable[..., Path]) -> Callable[..., str]:
    """What is said of a file that is no trace, after the file's name: always one line."""

    def message_for(content: str | bytes, name: str = "trace.csv", **options: Any) -> str:
        path = file_with(content, name)
        with pytest.raises(TraceError) as caught:
            read_trace(path, **options)
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith(f"{path}: ")
        return message.removeprefix(f"{path}: ")

    return message_for
