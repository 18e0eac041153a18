"""Pin the newest versions that fit, with hashes, for every platform and Python from 3.11 on.

`constraints.txt` holds what hindscale needs to run and to be built, `constraints-dev.txt` what its tests
need as well, at the same versions. Names, versions and hashes only. Run by `make lock`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def compile_pins(target: str, *arguments: str) -> None:
    """Write one pin file with uv, which must be on the path or installable."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments]
    options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    subprocess.run([*command, *options, "--python-version", "3.11", "-q", "-o", target], cwd=ROOT, check=True)


def main() -> None:
    """Pin the runtime first, then everything else around it."""
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "uv"], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".in", delete=False) as build:
        build.write("hatchling\n")
    for pins in ("constraints.txt", "constraints-dev.txt"):
        (ROOT / pins).unlink(missing_ok=True)
    compile_pins("constraints.txt", "pyproject.toml", build.name, "--extra", "live")
    compile_pins("constraints-dev.txt", "pyproject.toml", "--all-extras", "-c", "constraints.txt")
    Path(build.name).unlink()


if __name__ == "__main__":
    main()
