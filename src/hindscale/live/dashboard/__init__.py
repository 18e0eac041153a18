"""The dashboard: a page, the interface behind it, and a server for both."""

from hindscale.live.dashboard.server import Address, DashboardServer

__all__ = ["Address", "DashboardServer"]
