from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hindscale.core import OutputError
from hindscale.core.files import atomic_writer, make_folder


def test_a_file_appears_whole_with_ordinary_permissions(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    with atomic_writer(target) as file:
        file.write(b"one")
        assert not target.exists()
    assert target.read_bytes() == b"one"
    umask = os.umask(0)
    os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_what_stood_there_and_nothing_beside_it(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "result.json"
    target.write_bytes(b"old")

    def write() -> None:
        with atomic_writer(target) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OutputError, match=r"result\.json: cannot be written: No space left on device"),
        atomic_writer(tmp_path / "result.json") as file,
    ):
        file.write(b"x")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No such file"), atomic_writer(tmp_path / "no" / "x"):
        pass


def test_a_file_in_the_place_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot be made a folder"):
        make_folder(tmp_path / "taken")
    assert make_folder(tmp_path / "a" / "b").is_dir()
