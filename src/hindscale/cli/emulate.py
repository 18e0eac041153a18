"""`hindscale emulate`: one replica of a language model service, without the model."""

from __future__ import annotations

import sys
from typing import Annotated

from hindscale.cli.extras import LIVE, require_extra
from hindscale.cli.options import option

__all__ = ["EXAMPLES", "emulate"]

LEAST_BATCHED_TOKENS = 2048
EXAMPLES = """\b
Examples:
  hindscale emulate --port 8001
  hindscale emulate --port 8001 --speed 60 --cold-start 90s \\
      --max-sequences 16
"""


def emulate(
    port: Annotated[int, option(text="Where it listens.", metavar="N")] = 8000,
    host: Annotated[str, option(text="At which address.", metavar="ADDRESS")] = "127.0.0.1",
    name: Annotated[str, option(text="What clients call the model.", metavar="TEXT")] = "emulated",
    speed: Annotated[float, option(text="How many times faster than the clock all is.", metavar="X")] = 1.0,
    cold_start: Annotated[str, option(text="Until it is ready, in its own time.", metavar="TIME")] = "30s",
    overhead: Annotated[str, option(text="An iteration's own time.", metavar="TIME")] = "10ms",
    per_sequence: Annotated[str, option(text="For each request that gets a token.", metavar="TIME")] = "100us",
    per_prompt_token: Annotated[str, option(text="For each prompt token that is read.", metavar="TIME")] = "100us",
    per_cached_token: Annotated[str, option(text="For each token in the KV cache.", metavar="TIME")] = "70ns",
    max_sequences: Annotated[int, option(text="Requests that run at once.", metavar="N")] = 64,
    max_batched_tokens: Annotated[
        int | None, option(text="Prompt and new tokens in an iteration [2048 or more].", metavar="N")
    ] = None,
    cache_tokens: Annotated[int, option(text="Tokens that the KV cache holds.", metavar="N")] = 160_000,
    default_tokens: Annotated[int, option(text="An answer's length where no max_tokens is given.", metavar="N")] = 128,
) -> int:
    """Serve OpenAI's API as a language model would, at its pace and without it."""
    require_extra("live", LIVE, what="the emulator")
    from hindscale.core.units import parse_duration
    from hindscale.live.emulator import EmulatedModel, EmulatorSpec, serve

    model = EmulatedModel(
        overhead_s=parse_duration(overhead, name="--overhead"),
        per_sequence_s=parse_duration(per_sequence, name="--per-sequence"),
        per_prompt_token_s=parse_duration(per_prompt_token, name="--per-prompt-token"),
        per_cached_token_s=parse_duration(per_cached_token, name="--per-cached-token"),
        max_sequences=max_sequences,
        cache_tokens=cache_tokens,
        max_batched_tokens=max_batched_tokens or max(LEAST_BATCHED_TOKENS, max_sequences),
    )
    spec = EmulatorSpec(
        model=model,
        name=name,
        cold_start_s=parse_duration(cold_start, name="--cold-start"),
        speed=speed,
        default_tokens=default_tokens,
    )
    print(f"emulated model {name!r} at http://{host}:{port}", file=sys.stderr)
    serve(spec, host=host, port=port)
    return 0
