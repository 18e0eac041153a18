"""How long an iteration of a language model takes: the one formula behind the emulator."""

from __future__ import annotations

from dataclasses import dataclass

from hindscale.core.checks import require_at_least, require_nonnegative, require_positive

__all__ = ["EmulatedModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedModel:
    """A language model on one accelerator, as a server with continuous batching sees it.

    An iteration works on every running request at once: it reads prompts, in pieces, and writes one token for
    each request whose prompt is read. It takes

        overhead + per sequence * B + per prompt token * P + per cached token * K  seconds

    with B requests that get a token, P prompt tokens read in this iteration and K tokens in the KV cache: the
    weights are read once for all (overhead), prompts are arithmetic (P), and each new token reads the cache of
    its request (K). The defaults are of the order of a model with 8 billion parameters at 16 bits on an
    accelerator with 2 TB/s; they are nobody's measurement.

    Attributes:
        overhead_s: Each iteration's own time; > 0.
        per_sequence_s: For each request that gets a token; >= 0.
        per_prompt_token_s: For each prompt token that is read; >= 0.
        per_cached_token_s: For each token in the cache; >= 0.
        cache_tokens: Tokens that the KV cache holds, over all running requests; >= 1.
        max_sequences: Requests that run at the same time; >= 1.
        max_batched_tokens: Prompt and new tokens in one iteration; >= `max_sequences`.
        context_tokens: Prompt and answer of one request together; >= 1.
    """

    overhead_s: float = 0.010
    per_sequence_s: float = 0.0001
    per_prompt_token_s: float = 0.0001
    per_cached_token_s: float = 7e-8
    cache_tokens: int = 160_000
    max_sequences: int = 64
    max_batched_tokens: int = 2048
    context_tokens: int = 32_768

    def __post_init__(self) -> None:
        require_positive(overhead_s=self.overhead_s)
        require_nonnegative(
            per_sequence_s=self.per_sequence_s,
            per_prompt_token_s=self.per_prompt_token_s,
            per_cached_token_s=self.per_cached_token_s,
        )
        require_at_least(1, cache_tokens=self.cache_tokens, context_tokens=self.context_tokens)
        require_at_least(1, max_sequences=self.max_sequences)
        require_at_least(self.max_sequences, max_batched_tokens=self.max_batched_tokens)

    @property
    def longest_request(self) -> int:
        """Tokens that one request may have, prompt and answer together."""
        return min(self.context_tokens, self.cache_tokens)

    def iteration_s(self, *, sequences: int, prompt_tokens: int, cached_tokens: int) -> float:
        """Seconds of one iteration.

        >>> model = EmulatedModel()
        >>> round(model.iteration_s(sequences=1, prompt_tokens=0, cached_tokens=1000), 5)
        0.01017
        >>> round(model.iteration_s(sequences=64, prompt_tokens=0, cached_tokens=64_000), 5)
        0.02088
        """
        return (
            self.overhead_s
            + self.per_sequence_s * sequences
            + self.per_prompt_token_s * prompt_tokens
            + self.per_cached_token_s * cached_tokens
        )
