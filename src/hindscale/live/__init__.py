"""Against a real fleet: sources, controller, gateway, processes, store, dashboard."""
