"""The report: what it holds, and what it does in a real browser."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hasty import Hasty
from hindscale.backtesting import BacktestResult, backtest, report
from hindscale.backtesting.series import Action
from hindscale.policies.fixed import Fixed
from hindscale.traces import RateTrace

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
browser_only = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (on Debian: apt-get install chromium)"),
    # Playwright's event loop leaves a socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def data_of(page: str) -> dict[str, Any]:
    match = re.search(r'id="data">([^<]+)<', page)
    assert match is not None
    return dict(json.loads(gzip.decompress(base64.b64decode(match[1]))))


def test_the_page_needs_nothing_from_elsewhere(compared: BacktestResult) -> None:
    page = report.report_html(compared)
    assert "default-src 'none'" in page
    # Addresses may be named (a licence, a name space), but nothing is loaded from one.
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", page)
    assert "url(" not in page
    assert "@import" not in page


def test_the_same_comparison_gives_the_same_page(compared: BacktestResult) -> None:
    assert report.report_html(compared) == report.report_html(compared)


def test_the_tables_hold_every_figure_without_javascript(compared: BacktestResult) -> None:
    page = report.report_html(compared)
    for result in compared.traces:
        assert result.verdict() in page.replace("&#x27;", "'")
        for row in result.rows:
            assert row.label in page


def test_the_data_holds_the_series_of_every_policy(compared: BacktestResult) -> None:
    traces = data_of(report.report_html(compared))["traces"]
    assert len(traces) == 2
    for trace, result in zip(traces, compared.traces, strict=True):
        assert len(trace["policies"]) == 5
        for policy, row in zip(trace["policies"], result.rows, strict=True):
            assert len(policy["series"]["ready"]) == len(trace["axes"][0]["time"])
            assert policy["series"]["axis"] == 0
            assert row.series is not None
            assert policy["actions_total"] == len(row.series.actions)


def test_policies_with_a_pace_of_their_own_have_times_of_their_own(rising: RateTrace) -> None:
    policies = [Fixed(replicas=2), Hasty()]
    trace = data_of(report.report_html(backtest(rising, policies, slo="p99 < 9s", seeds=1, jobs=1)))["traces"][0]
    assert {len(axis["time"]) for axis in trace["axes"]} == {40, 120}
    for policy in trace["policies"]:
        axis = trace["axes"][policy["series"]["axis"]]
        assert (policy["label"] == "hasty") == (len(axis["time"]) == 120)
        assert {len(values) for name, values in policy["series"].items() if name != "axis"} == {len(axis["time"])}


def test_names_cannot_break_the_page() -> None:
    evil = '"><script>alert(1)</script>&'
    trace = RateTrace(name=evil, window_s=60.0, requests=np.full(3, 60.0))
    result = backtest(trace, ["fixed"], slo="p99<2s", seeds=1)
    page = report.report_html(result)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_page_stays_below_its_size_whatever_there_is_to_show(
    compared: BacktestResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = compared.traces[0].rows[1]
    assert row.series is not None
    rng = np.random.default_rng(0)
    many = tuple(
        Action(
            time_s=float(i),
            before=int(rng.integers(100)),
            after=int(rng.integers(100)),
            desired=1,
            limited_by="",
            reason=f"reason {rng.random()} {rng.random()} {rng.random()}",
        )
        for i in range(60_000)
    )
    series = replace(row.series, actions=many)
    rows = tuple(replace(each, series=series) for each in compared.traces[0].rows)
    crowded = replace(compared, traces=(replace(compared.traces[0], rows=rows), *compared.traces[1:]))
    page = report.report_html(crowded)
    assert len(page.encode()) <= report.MOST_BYTES
    shown = data_of(page)["traces"][0]["policies"][0]
    assert shown["actions_total"] == 60_000
    assert 20 <= len(shown["actions"]) < 60_000
    # Those that changed the fleet most are kept, in order of time.
    times = [action[0] for action in shown["actions"]]
    assert times == sorted(times)
    assert min(abs(action[2] - action[1]) for action in shown["actions"]) > 10


def test_runs_that_were_not_finished_are_left_out(compared: BacktestResult) -> None:
    plan = compared.backtest
    some = BacktestResult.of(plan, [plan.perform(plan.runs[0])])
    page = report.report_html(some)
    assert "1 of 20 runs" in page
    assert "no run was finished" in page


@pytest.fixture(scope="module")
def judged() -> BacktestResult:
    """A comparison with perfect foresight beside it."""
    requests = np.array([60.0] * 20 + [600.0] * 10 + [60.0] * 20)
    trace = RateTrace(name="jump", window_s=60.0, requests=requests)
    return backtest(trace, ["optimum", "target-tracking"], slo="p90 < 2s", seeds=1, jobs=1)


def test_regret_is_there_by_cause_over_time_and_in_words(judged: BacktestResult) -> None:
    page = report.report_html(judged)
    assert page.count('<table class="regret">') == 1
    assert "unavoidable" in page
    foresight, other = data_of(page)["traces"][0]["policies"]
    assert foresight["regret"] is None
    lost = other["regret"]
    assert len(lost["time"]) == len(lost["late"]) == 200
    row = next(row for row in judged.traces[0].rows if row.policy == "target-tracking")
    assert row.regret is not None
    hours = judged.backtest.traces[0].duration_s / 3600
    assert sum(lost["late"]) / 200 * hours == pytest.approx(row.regret.late, rel=1e-3)
    assert [each["words"] for each in lost["episodes"]] == [each.words for each in row.episodes]


def test_without_foresight_there_is_no_table_of_regret(compared: BacktestResult) -> None:
    page = report.report_html(compared)
    assert '<table class="regret">' not in page
    assert all(policy["regret"] is None for policy in data_of(page)["traces"][0]["policies"])


# -- in a real browser --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page_file(compared: BacktestResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    compared.write_report(path)
    return path


@pytest.fixture(params=[(1280, 900, "light"), (375, 740, "dark")], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, chromium: Any, page_file: Path) -> Iterator[Any]:
    """The report, loaded; it must not complain or ask for anything."""
    width, height, scheme = request.param
    opened = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    troubles: list[str] = []
    opened.on(
        "console", lambda message: troubles.append(message.text) if message.type in {"error", "warning"} else None
    )
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith("file://") else troubles.append(asked.url))
    opened.goto(page_file.as_uri())
    opened.wait_for_selector("html[data-ready]")
    yield opened
    assert troubles == []
    opened.close()


def in_browser(test: Any) -> Any:
    for mark in browser_only:
        test = mark(test)
    return test


@in_browser
def test_every_chart_is_drawn(page: Any) -> None:
    # Four charts over time and one scatter for each of two traces.
    assert page.locator(".u-wrap canvas").count() == 8
    assert page.locator(".scatter svg").count() == 2
    assert page.locator(".scatter svg").first.locator(".interval").count() == 5  # two seeds: each has an interval
    blank = page.evaluate(
        """() => [...document.querySelectorAll('.u-wrap canvas')].filter((canvas) => {
          const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          return !pixels.some((value, i) => i % 4 === 3 && value > 0);
        }).length"""
    )
    assert blank == 0


@in_browser
def test_regret_is_shown_for_the_policy_that_was_chosen(chromium: Any, judged: BacktestResult, tmp_path: Path) -> None:
    judged.write_report(tmp_path / "report.html")
    opened = chromium.new_page(viewport={"width": 375, "height": 740})
    opened.goto((tmp_path / "report.html").as_uri())
    opened.wait_for_selector("html[data-ready]")
    opened.get_by_role("button", name="target-tracking", exact=True).click()
    assert opened.locator(".foresight canvas").is_visible()
    assert "Where target-tracking lost most" in opened.locator(".episodes h3").inner_text()
    assert "above foresight" in opened.locator(".episodes li").first.inner_text()
    opened.get_by_role("button", name="optimum (hindsight)", exact=True).click()
    assert not opened.locator(".foresight").is_visible()
    assert not opened.locator(".episodes").is_visible()
    assert opened.evaluate("document.documentElement.scrollWidth") <= 375
    opened.close()


@in_browser
def test_nothing_is_wider_than_the_screen(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@in_browser
def test_a_scaling_action_shows_its_reason_on_hover(page: Any) -> None:
    page.locator(".trace").first.get_by_role("button", name="target-tracking", exact=True).click()
    plot = page.locator(".replicas .u-over").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    tip = page.locator(".replicas .tip").first
    for step in range(1, 60):
        page.mouse.move(box["x"] + box["width"] * step / 60, box["y"] + box["height"] / 2)
        if tip.is_visible():
            break
    assert "requests /" in tip.inner_text()
    assert re.search(r"\d+ → \d+", tip.inner_text())
    inside = tip.bounding_box()
    assert inside["x"] >= 0
    assert inside["x"] + inside["width"] <= page.viewport_size["width"]


@in_browser
def test_choosing_a_policy_changes_the_charts(page: Any) -> None:
    first = page.locator(".trace").first
    summary = first.locator(".actions summary")
    before = summary.inner_text()
    first.get_by_role("button", name="target-tracking", exact=True).click()
    assert first.locator("button[aria-pressed=true]").inner_text() == "target-tracking"
    assert summary.inner_text() != before
    summary.click()
    first.locator(".actions tbody tr").first.wait_for()


@in_browser
def test_light_and_dark_can_be_switched(page: Any) -> None:
    shade = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(shade)
    page.locator("#theme").click()
    assert page.evaluate(shade) != before
    page.locator("#theme").click()
    assert page.evaluate(shade) == before


@in_browser
def test_text_stands_out_from_its_background(page: Any) -> None:
    """Contrast of at least 4.5 to 1 for body text, in both themes (WCAG AA)."""
    for _ in range(2):
        ratio = page.evaluate(
            """() => {
              const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
              const light = (c) => c.map((v) => v / 255).map((v) => v <= .03928 ? v / 12.92
                : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
              const pairs = [...document.querySelectorAll('p, td, th, h1, h2, figcaption, summary, .policies button')];
              const back = (e) => { while (e) { const c = getComputedStyle(e).backgroundColor;
                if (!c.endsWith(', 0)') && c !== 'transparent') return c; e = e.parentElement; } };
              return Math.min(...pairs.map((e) => {
                const [a, b] = [light(rgb(getComputedStyle(e).color)), light(rgb(back(e)))].sort((x, y) => y - x);
                return (a + .05) / (b + .05);
              }));
            }"""
        )
        assert ratio >= 4.5
        page.locator("#theme").click()


@in_browser
def test_the_charts_follow_the_width_of_the_window(page: Any) -> None:
    page.set_viewport_size({"width": 600, "height": 700})
    page.wait_for_function("document.querySelector('.u-wrap').clientWidth < 600")
    assert page.evaluate("document.documentElement.scrollWidth") <= 600
