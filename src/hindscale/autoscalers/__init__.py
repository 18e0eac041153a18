"""The autoscalers that people run today, emulated stage by stage as pure functions on plain values.

One package or file a system. Nothing here knows of simulations or of `Observation`: a case from the
original's own tests can be typed in directly. `hindscale.policies` holds the thin adapters that feed them.
"""
