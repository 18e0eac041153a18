"""A language model's server without the model: OpenAI's API, vLLM's metrics, continuous batching, cold start."""

from hindscale.live.emulator.engine import Engine
from hindscale.live.emulator.model import EmulatedModel
from hindscale.live.emulator.server import EmulatorSpec, serve

__all__ = ["EmulatedModel", "EmulatorSpec", "Engine", "serve"]
