"""Measurements from pages of metrics, fetched from a gateway or from every replica."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping

from hindscale.core.errors import InputError, MetricsUnavailable
from hindscale.live.sources._http import Fetcher, require_address
from hindscale.live.sources.counters import Counters
from hindscale.live.sources.measured import Measured
from hindscale.live.sources.page import PageReading, read_page
from hindscale.live.sources.presets import Preset
from hindscale.live.sources.window import Window, next_snapshot

__all__ = ["FROZEN_AFTER_S", "Page", "ScrapeSource"]

FROZEN_AFTER_S = 3.0
"""A heartbeat in whole seconds may stand still for one second; not for three."""


class Page:
    """One page over time: whether to believe it, and what its counters have grown by."""

    def __init__(self) -> None:
        self._counters = Counters()
        self._before: PageReading | None = None
        self._moved_at_s = 0.0

    def take(self, at_s: float, page: PageReading) -> dict[Hashable, float]:
        """What the counters have grown by.

        Raises:
            MetricsUnavailable: If the page is frozen, cannot be true, or begins anew.
        """
        before, self._before = self._before, page
        if before is None or _moved(before, page):
            self._moved_at_s = at_s
        elif _is_alive(page) and at_s - self._moved_at_s > FROZEN_AFTER_S:
            raise MetricsUnavailable(f"the page has not changed for {at_s - self._moved_at_s:.3g} s")
        if before is not None and _restarted(before, page):
            self._counters.forget()
            self._counters.increase(at_s, page.counters)
            raise MetricsUnavailable("the server was started again, and its counters begin anew")
        if page.says_when_started and self._counters.fell(page.counters):
            raise MetricsUnavailable("counters fell although the server was not started again")
        return self._counters.increase(at_s, page.counters)


def _restarted(before: PageReading, page: PageReading) -> bool:
    if before.uptime is not None and page.uptime is not None:
        return page.uptime < before.uptime
    return before.start_time is not None and page.start_time is not None and page.start_time != before.start_time


def _moved(before: PageReading, page: PageReading) -> bool:
    return page.uptime != before.uptime if page.uptime is not None else page.text != before.text


def _is_alive(page: PageReading) -> bool:
    """Whether a page of this kind must move: one with a clock always, another while requests are on their way."""
    return page.uptime is not None or page.gauges.get("ongoing", 0.0) > 0 or page.gauges.get("queued", 0.0) > 0


class ScrapeSource:
    """Pages of metrics, one fetched from each address at every tick.

    A tick at which one of the pages does not come adds nothing: the last measurements stand and grow old, until they
    are too old and the loop holds the fleet.

    Args:
        addresses: Of the pages to fetch now; called at every tick, since replicas come and go.
        preset: What the metrics are called.
        bound_s: The SLO's latency bound.
        window_s: Rates and means are taken over this long.
        timeout_s: A page that takes longer did not come.
        headers: Sent along with every request.
    """

    def __init__(
        self,
        addresses: Callable[[], Iterable[str]],
        preset: Preset,
        *,
        bound_s: float,
        window_s: float,
        timeout_s: float = 2.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._addresses = addresses
        self._preset = preset
        self._fetcher = Fetcher(timeout_s=timeout_s, headers=headers)
        self._pages: dict[str, Page] = {}
        self._grown: Counter[Hashable] = Counter()
        self._window = Window(preset, bound_s=bound_s, window_s=window_s)

    @property
    def ready_replicas(self) -> int | None:
        """The replicas that are asked, where each has a page of its own; None before the first tick."""
        return len(self._pages) or None

    def measure(self, now_s: float) -> Measured:
        addresses = list(self._addresses())
        for address in addresses:
            require_address(address=address)
        self._pages = {address: self._pages.get(address) or Page() for address in addresses}
        trouble, readings = "" if addresses else "there is no replica to ask", []
        for address, answer in self._fetcher.fetch_all(addresses).items():
            try:
                readings.append(self._read(address, answer, now_s))
            except MetricsUnavailable as error:
                trouble = str(error)
        if not trouble:
            self._window.add(next_snapshot(self._window.last, now_s, readings, self._grown, self._preset))
            self._grown = Counter()
        return self._window.measured(now_s, trouble)

    def close(self) -> None:
        self._fetcher.close()

    def _read(self, address: str, answer: str | MetricsUnavailable, now_s: float) -> PageReading:
        """One page; what its counters have grown by is kept until a snapshot can be made of all pages."""
        if isinstance(answer, MetricsUnavailable):
            raise answer
        try:
            page = read_page(answer, self._preset)
            self._grown.update(self._pages[address].take(now_s, page))
        except (MetricsUnavailable, InputError) as error:
            raise MetricsUnavailable(f"{address.partition('?')[0]}: {error}") from error
        return page
