"""The dashboard in a real browser: wide and narrow, by keyboard, with the token and without."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hindscale.live.clock import WallClock
from hindscale.live.controller import Controller
from hindscale.live.dashboard import Address, DashboardServer
from hindscale.live.store import Store
from live.doubles import FakeSource, ObedientFleet, a_plan, steady

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (on Debian: apt-get install chromium)"),
    # Playwright's event loop leaves a socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Running:
    """A controller that runs in a thread, with its dashboard."""

    def __init__(self, folder: Path) -> None:
        self.fleet = ObedientFleet()
        self.folder = folder
        self.is_out = False
        self._clock = WallClock()
        self._store = Store(folder)

        def load(now_s: float) -> dict[str, float] | None:
            return None if self.is_out else steady(40.0 + 20 * (now_s % 2 < 1))(now_s)

        plan = a_plan(
            act=True,
            policy="target-tracking:target_per_replica=4",
            shadows=("fixed:replicas=3", "predictive"),
            control_interval_s=0.1,
            max_age_s=0.5,
            name="<chat & co>",
        )
        self.controller = Controller(
            plan, source=FakeSource(load), fleet=self.fleet, store=self._store, clock=self._clock, begin_with=1
        )
        self.server = DashboardServer(self.controller, folder, Address(port=0))
        self.server.start()
        self._thread = threading.Thread(target=self.controller.run)
        self._thread.start()

    def close(self) -> None:
        self._clock.stop()
        self._thread.join()
        self.server.close()
        self._store.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(params=[(1180, 900, "light"), (375, 740, "dark")], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, chromium: Any, running: Running) -> Iterator[Any]:
    """The dashboard, loaded; it must not complain, break its own policy, or ask anybody else for anything."""
    width, height, scheme = request.param
    opened = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    troubles: list[str] = []
    opened.on("console", lambda message: troubles.append(message.text) if "401" not in message.text else None)
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    ours = running.server.url
    opened.on("request", lambda asked: None if asked.url.startswith(ours) else troubles.append(asked.url))
    opened.goto(ours)
    opened.wait_for_selector("html[data-ready]")
    yield opened
    assert troubles == []
    opened.close()


def test_every_chart_is_drawn_and_says_what_it_shows(page: Any) -> None:
    page.wait_for_function("() => document.querySelectorAll('.u-wrap canvas').length === 4")
    blank = page.evaluate(
        """() => [...document.querySelectorAll('.u-wrap canvas')].filter((canvas) => {
          const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          return !pixels.some((value, i) => i % 4 === 3 && value > 0);
        }).length"""
    )
    assert blank == 0
    labels = [plot.get_attribute("aria-label") for plot in page.locator(".plot").all()]
    assert labels[0].startswith("Traffic: now ")
    assert "asked for" in labels[1]
    assert "SLO p99 < 2s" in labels[2]


def test_nothing_is_wider_than_the_screen(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_it_goes_on_with_the_run(page: Any, running: Running) -> None:
    page.wait_for_function("() => document.getElementById('replicas').textContent.includes('→')")
    before = page.locator("#cost").inner_text()
    page.wait_for_function("(before) => document.getElementById('cost').textContent !== before", arg=before)
    assert page.locator("#mode").inner_text() == "acting"
    assert page.locator("#name").inner_text() == "<chat & co>"
    assert page.locator("#policies tr").count() == 4


def test_missing_data_is_said_at_once(page: Any, running: Running) -> None:
    running.is_out = True
    page.wait_for_selector("#trouble:not([hidden])")
    page.wait_for_function("() => document.getElementById('trouble').textContent.includes('nobody answers')")
    running.is_out = False
    page.wait_for_selector("#trouble", state="hidden")


def test_a_decision_is_explained(page: Any) -> None:
    page.locator("#decisions button").first.click()
    page.wait_for_function("() => document.getElementById('explanation-text').textContent.includes('made again')")
    assert "the same result" in page.locator("#explanation-text").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#explanation").is_visible()


def test_without_the_token_nothing_is_done(page: Any, running: Running) -> None:
    page.locator("#pause").click()
    page.wait_for_function("() => document.getElementById('answer').textContent.includes('token')")
    assert not running.controller.board.state.plan.is_paused


def test_with_the_token_one_can_pause_bound_and_promote_by_keyboard(page: Any, running: Running) -> None:
    page.locator("#token").focus()
    page.keyboard.type((running.folder / "token").read_text().strip())
    page.keyboard.press("Enter")
    page.locator("#pause").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('mode').textContent === 'paused'")
    page.locator("#pause").focus()
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('mode').textContent === 'acting'")
    page.locator("#max").fill("2")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('plan').textContent.includes('1 to 2 replicas')")
    page.get_by_role("button", name="Promote fixed:replicas=3").press("Enter")
    page.wait_for_function("() => document.getElementById('plan').textContent.startsWith('fixed:replicas=3')")
    assert running.controller.board.state.plan.max_replicas == 2
    assert "token" not in page.url


def test_every_control_has_a_name_and_can_be_reached_by_tab(page: Any) -> None:
    for each in page.locator("button, input").all():
        assert each.evaluate(
            "(e) => (e.getAttribute('aria-label') || e.textContent || e.labels?.[0]?.textContent).trim()"
        )
    wanted = {"theme", "token", "min", "max", "pause", "rollback"}
    seen: set[str] = set()
    for _ in range(150):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id"))
        if wanted <= seen:
            break
    assert wanted <= seen


def test_the_theme_can_be_changed(page: Any) -> None:
    before = page.evaluate("document.documentElement.dataset.theme")
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") != before


def test_it_comes_back_when_the_controller_does(chromium: Any, tmp_path: Path) -> None:
    first = Running(tmp_path)
    page = chromium.new_page()
    page.goto(first.server.url)
    page.wait_for_selector("html[data-ready]")
    port = first.server._socket.getsockname()[1]
    first.close()
    page.wait_for_function("() => document.getElementById('trouble').textContent.includes('does not answer')")
    again = Running(tmp_path / "again")
    again.server.close()
    again.server = DashboardServer(again.controller, again.folder, Address(port=port))
    again.server.start()
    page.wait_for_selector("#trouble", state="hidden")
    page.close()
    again.close()
