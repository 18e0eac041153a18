"""The docs say what the code does: generated pages are fresh, snippets run, everything has a heading."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import hindscale
from hindscale.forecasting import FORECASTERS
from hindscale.guardrails import GUARDRAILS
from hindscale.policies import POLICIES
from hindscale.traces import applications
from hindscale.traces.formats import known_formats

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def headings(page: str) -> set[str]:
    return {line.lstrip("#").strip() for line in (DOCS / page).read_text().splitlines() if line.startswith("#")}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tool", ROOT / "tools" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_fresh(generator: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in generator.pages().items():
        assert (DOCS / name).read_text() == text, f"docs/{name} is out of date; run make docs"


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("policies.md", [name for name, policy in POLICIES.classes.items() if not hasattr(policy, "emulates")]),
        ("guardrails.md", GUARDRAILS.classes),
        ("forecasting.md", FORECASTERS.classes),
        ("traces.md", applications()),
        ("api.md", [name for name in hindscale.__all__ if not name.startswith("_")]),
    ],
)
def test_everything_has_a_heading(page: str, names: list[str]) -> None:
    assert set(names) <= headings(page)


def test_every_emulation_says_what_it_emulates_and_has_a_row_and_a_page() -> None:
    index = (DOCS / "autoscalers" / "README.md").read_text()
    for name, policy in POLICIES.classes.items():
        if hasattr(policy, "emulates"):
            assert policy.emulates
            assert policy.leaves_out
            row = re.search(rf"^\| .*`{name}`.* \| .*\]\((.+)\) \|$", index, re.MULTILINE)
            assert row, f"{name} has no row in docs/autoscalers/README.md"
            assert f"`{name}`" in (DOCS / "autoscalers" / row[1]).read_text()


def test_every_format_is_in_the_table() -> None:
    text = (DOCS / "traces.md").read_text()
    for known in known_formats():
        assert re.search(rf"^\| .*\b{known.name}\b", text, re.MULTILINE), known.name


def test_the_public_names_are_the_same_everywhere() -> None:
    tree = ast.parse((ROOT / "src/hindscale/__init__.py").read_text())
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    imported = [alias.name for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted([*imported, "__version__"]) == sorted(hindscale.__all__)
    for name in hindscale.__all__:
        assert getattr(hindscale, name) is not None


def test_importing_hindscale_loads_nothing_heavy() -> None:
    code = (
        "import sys, hindscale; print(sorted({'numpy','numba','pyarrow','scipy','rich','pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def snippets(kind: str) -> list[tuple[str, str]]:
    """Code blocks of the README and the docs, with where they stand."""
    found = []
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        if path.name in {"api.md", "cli.md"}:
            continue
        for number, block in enumerate(re.findall(rf"```{kind}\n(.*?)```", path.read_text(), re.DOTALL)):
            found.append((f"{path.name}:{number}", block))
    return found


@pytest.mark.parametrize(("where", "block"), snippets("toml"), ids=lambda value: value if len(value) < 40 else "")
def test_configurations_in_the_docs_are_valid(where: str, block: str, tmp_path: Path) -> None:
    from hindscale.cli.config import config_from, read_config

    path = tmp_path / "backtest.toml"
    path.write_text(block)
    config = config_from(read_config(path), where=where)
    config.service.profile(hindscale.ServiceProfile())


@pytest.mark.parametrize(("where", "block"), snippets("python"), ids=lambda value: value if len(value) < 40 else "")
def test_python_in_the_docs_runs(where: str, block: str, tmp_path: Path) -> None:
    prelude = (
        "from dataclasses import dataclass\nfrom typing import Any, ClassVar, Self\n"
        "from hindscale import Decision, Observation, ServiceSpec\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", prelude + block], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_links_in_the_docs_lead_somewhere() -> None:
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in link:
                assert (path.parent / link).exists(), f"{path.name}: {link}"
