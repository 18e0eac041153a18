"""Rewrite what the docs take from the code: the CLI reference, the API page, the threshold picture.

Run by `make docs`; a test holds the files equal to what this makes.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re
from pathlib import Path

import hindscale
from hindscale.cli.main import main as command_line
from hindscale.sizing import scale_in_replicas, scale_out_replicas

DOCS = Path(__file__).resolve().parents[1] / "docs"
COMMANDS = (
    ("backtest",),
    ("what-if",),
    ("tune",),
    ("emit",),
    ("check",),
    ("forecast",),
    ("train",),
    ("demo",),
    ("run",),
    ("promote",),
    ("rollback",),
    ("explain",),
    ("load",),
    ("emulate",),
    ("import", "prometheus"),
    ("traces", "describe"),
    ("traces", "convert"),
    ("traces", "generate"),
    ("traces", "formats"),
    ("policies",),
    ("guardrails",),
    ("forecasters",),
    ("applications",),
)


CLI_INTRODUCTION = """\
Made from `--help` by `make docs`. Flags win over environment variables, over the file given with `--config`, over
defaults. Every option has an environment variable, `HINDSCALE_<COMMAND>_<OPTION>`, such as `HINDSCALE_BACKTEST_SEEDS`.
Results go to stdout, remarks and progress to stderr. Exit code 0 is done, 1 failed, 2 wrong usage, 130 interrupted;
`--debug` anywhere adds the traceback."""


def cli_page() -> str:
    """Every command's --help, as it is printed."""
    parts = ["# Command line", CLI_INTRODUCTION]
    for command in COMMANDS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            command_line([*command, "--help"])
        text = "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())
        parts += [f"## hindscale {' '.join(command)}", f"```\n{text}\n```"]
    return "\n\n".join(parts) + "\n"


def api_page() -> str:
    """Every name that `import hindscale` gives, with the first paragraph of what it says of itself."""
    parts = ["# Python", "Made from docstrings by `make docs`: what `import hindscale` gives."]
    for name in hindscale.__all__:
        if name.startswith("__"):
            continue
        thing = getattr(hindscale, name)
        room = thing.__module__
        call = f"{name}{signature(thing)}" if callable(thing) else name
        said = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
        parts.append(f"## {name}\n\n```python\n{call}\n```\n\n{said} (`{room}`)")
    return "\n\n".join(parts) + "\n"


def signature(thing: object) -> str:
    """How it is called, one parameter a line where there are many."""
    try:
        parameters = inspect.signature(thing).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return ""
    shown = [f"{'*' * (each.kind == each.VAR_KEYWORD) * 2}{each.name}" + default(each) for each in parameters]
    return f"({', '.join(shown)})" if sum(map(len, shown)) < 80 else "(\n    " + ",\n    ".join(shown) + ",\n)"


def default(parameter: inspect.Parameter) -> str:
    """A parameter's default where it is short enough to read, quoted as the formatter quotes."""
    if parameter.default is inspect.Parameter.empty:
        return ""
    text = repr(parameter.default).replace("'", '"')
    return f"={text}" if len(text) < 40 and "object at" not in text else "=..."


def thresholds_picture() -> str:
    """Fleet size after one decision, from 10 replicas, in both readings of the formulas."""
    replicas, upper, lower = 10, 0.8, 0.4
    width, height, left, top = 640, 300, 52, 16
    plot_width, plot_height = width - left - 24, height - top - 48

    def x(utilization: float) -> float:
        return left + utilization * plot_width

    def y(size: float) -> float:
        return top + plot_height * (1 - size / 22)

    def path(rounding: str) -> str:
        points = []
        for step in range(401):
            u = step / 400
            size = scale_out_replicas(replicas, u, upper, rounding=rounding)  # type: ignore[arg-type]
            if u < lower:
                size = scale_in_replicas(replicas, u, lower, rounding=rounding)  # type: ignore[arg-type]
            if points and points[-1][1] != size:
                points.append((x(u), points[-1][1]))
            points.append((x(u), size))
        return "M" + "L".join(f"{px:.1f} {y(size):.1f}" for px, size in points)

    grid = "".join(
        f'<line x1="{left}" x2="{width - 24}" y1="{y(size):.1f}" y2="{y(size):.1f}" class="g"/>'
        f'<text x="{left - 8}" y="{y(size) + 4:.1f}" text-anchor="end">{size}</text>'
        for size in (0, 5, 10, 15, 20)
    )
    marks = "".join(
        f'<text x="{x(u):.1f}" y="{height - 28}" text-anchor="middle">{u:.0%}</text>'
        for u in (0, 0.2, 0.4, 0.6, 0.8, 1)
    )
    limits = "".join(
        f'<line x1="{x(u):.1f}" x2="{x(u):.1f}" y1="{top}" y2="{top + plot_height}" class="t"/>'
        f'<text x="{x(u) - 6:.1f}" y="{top + 12}" text-anchor="end">{name}</text>'
        for u, name in ((lower, "T_L"), (upper, "T_U"))
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
  aria-label="Fleet size after one decision from 10 replicas, by utilization, in two readings of the formulas">
<style>
text {{ font: 13px sans-serif; fill: #555 }} .g {{ stroke: #ddd }} .t {{ stroke: #999; stroke-dasharray: 4 4 }}
path {{ fill: none; stroke-width: 2.5 }} .p {{ stroke: #1457b8 }} .r {{ stroke: #c4302b }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #bbb }} .g {{ stroke: #333 }} .p {{ stroke: #79aef5 }} .r {{ stroke: #ff7b74 }} }}
</style>
{grid}{marks}{limits}
<path class="r" d="{path("ratio")}"/><path class="p" d="{path("product")}"/>
<text x="{x(1):.1f}" y="{y(20) + 20:.1f}" text-anchor="end">rounding=ratio</text>
<text x="{x(1):.1f}" y="{y(14):.1f}" text-anchor="end">rounding=product</text>
<text x="{left}" y="{height - 8}">utilization; fleet size wanted, from 10 replicas</text>
</svg>
"""


def pages() -> dict[str, str]:
    """Every generated file by its path under docs/."""
    for room in ("hindscale.backtesting", "hindscale.policies"):
        importlib.import_module(room)
    return {
        "cli.md": cli_page(),
        "api.md": re.sub(r"[ \t]+\n", "\n", api_page()),
        "pictures/thresholds.svg": thresholds_picture(),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/{name}")
