"""The examples print what stands beside them, and the README shows the first of them with its output."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def blocks(language: str) -> list[str]:
    """The README's code blocks in one language."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", readme, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_stands_beside_it(script: Path) -> None:
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == script.with_suffix(".txt").read_text(encoding="utf-8")
    assert done.stderr == ""


def test_the_readme_shows_the_ten_line_example_and_its_table() -> None:
    script = (ROOT / "examples" / "compare_policies.py").read_text(encoding="utf-8")
    assert script in blocks("python")
    assert len(script.splitlines()) <= 10
    assert (ROOT / "examples" / "compare_policies.txt").read_text(encoding="utf-8") in blocks("text")


def test_the_readme_shows_what_the_recordings_give(real_traces: Path) -> None:
    """The short ones; the long ones take minutes."""
    recordings = [real_traces / "azure_llm_2023_conv.parquet", real_traces / "native/azure_llm_2023_conv.head2000.csv"]
    code = "import sys; from hindscale.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "backtest", *map(str, recordings), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    findings = runpy.run_path(str(ROOT / "tools" / "findings.py"))
    shown = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for row in findings["rows"](json.loads(done.stdout)):
        assert row in shown
