"""Continuous batching in the emulator's own time: what runs, what waits, and when each token is there.

The engine knows no clock. Whoever drives it says how late it is, and it performs every iteration that has
ended by then; the same requests at the same times give the same tokens at the same times.

Source: the scheduler of vLLM (first come, first served; chunked prefill, decoding first; what was admitted
last is preempted and computed again when the cache is full).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from hindscale.core.errors import ParameterError
from hindscale.live.emulator.model import EmulatedModel

__all__ = ["Engine", "Sequence"]


@dataclass(eq=False, slots=True, kw_only=True)
class Sequence:
    """One request in the engine.

    Attributes:
        input_tokens: Of its prompt; >= 1.
        output_tokens: That it will get; >= 1.
        arrived_s: When it came.
        generated: Tokens it has got.
        cached: Its tokens in the KV cache.
        admitted_s: When it was first let in; NaN before.
        first_token_s: When its first token was there; NaN before.
        finished_s: When its last token was there; NaN before.
    """

    input_tokens: int
    output_tokens: int
    arrived_s: float
    generated: int = 0
    cached: int = 0
    admitted_s: float = math.nan
    first_token_s: float = math.nan
    finished_s: float = math.nan

    @property
    def to_read(self) -> int:
        """Tokens that must be read before the next one can be written; after a preemption its own answer too."""
        return self.input_tokens + self.generated - self.cached

    @property
    def is_finished(self) -> bool:
        """Whether it has all its tokens."""
        return self.generated == self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """What one iteration does: how many tokens it reads for whom, and when it ends."""

    reads: tuple[tuple[Sequence, int], ...]
    ends_s: float


class Engine:
    """One replica's scheduler.

    Attributes:
        running: Requests that have room in the cache, in the order of their admission.
        waiting: Requests that have none, the first to be admitted first.
        now_s: How far the engine has come.
        preemptions: How often the cache was too small.
    """

    def __init__(self, model: EmulatedModel) -> None:
        self.model = model
        self.running: list[Sequence] = []
        self.waiting: deque[Sequence] = deque()
        self.now_s = 0.0
        self.preemptions = 0
        self._iteration: Iteration | None = None

    def add(self, input_tokens: int, output_tokens: int, now_s: float) -> Sequence:
        """A request that comes now.

        Raises:
            ParameterError: If it can never run.
        """
        total = input_tokens + output_tokens
        if input_tokens < 1 or output_tokens < 1:
            raise ParameterError(f"a request needs >= 1 token each way, had {input_tokens} and {output_tokens}")
        if total > self.model.longest_request:
            raise ParameterError(
                f"prompt and answer must be <= {self.model.longest_request} tokens, were {total}; ask for fewer"
            )
        self.advance(now_s)
        sequence = Sequence(input_tokens=input_tokens, output_tokens=output_tokens, arrived_s=now_s)
        self.waiting.append(sequence)
        self._plan()
        return sequence

    def cancel(self, sequence: Sequence) -> None:
        """Forget a request; the iteration that runs goes on."""
        if sequence in self.running:
            self.running.remove(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)

    @property
    def next_s(self) -> float:
        """When the next tokens will be there; infinite when there is nothing to do."""
        return math.inf if self._iteration is None else self._iteration.ends_s

    @property
    def cached_tokens(self) -> int:
        """Tokens in the KV cache."""
        return sum(sequence.cached for sequence in self.running)

    @property
    def cache_usage(self) -> float:
        """Share of the KV cache in use, in [0, 1]."""
        return self.cached_tokens / self.model.cache_tokens

    def advance(self, now_s: float) -> list[Sequence]:
        """Perform all that has ended by `now_s`; returns the requests that finished, in order."""
        finished: list[Sequence] = []
        while self._iteration is not None and self._iteration.ends_s <= now_s:
            finished += self._perform(self._iteration)
            self._iteration = None
            self._plan()
        if self._iteration is None:
            self.now_s = max(self.now_s, now_s)
        return finished

    def _plan(self) -> None:
        """Decide on the next iteration, if none runs and there is something to do."""
        if self._iteration is not None:
            return
        self._make_room()
        self._admit()
        reads = self._reads()
        if not reads:
            return
        prompt_tokens = sum(count for sequence, count in reads if sequence.to_read > 1)
        taken_s = self.model.iteration_s(
            sequences=sum(count == sequence.to_read for sequence, count in reads),
            prompt_tokens=prompt_tokens,
            cached_tokens=self.cached_tokens,
        )
        self._iteration = Iteration(reads=tuple(reads), ends_s=self.now_s + taken_s)

    def _make_room(self) -> None:
        """Preempt the latest until each of the others has room for what it must read."""
        while sum(each.cached + each.to_read for each in self.running) > self.model.cache_tokens:
            preempted = self.running.pop()
            preempted.cached = 0
            self.waiting.appendleft(preempted)
            self.preemptions += 1

    def _admit(self) -> None:
        """Let in, in order, whoever fits as a whole; who does not fit keeps the others waiting, too."""
        taken = sum(each.cached + each.to_read for each in self.running)
        while self.waiting and len(self.running) < self.model.max_sequences:
            taken += self.waiting[0].to_read
            if taken > self.model.cache_tokens:
                return
            admitted = self.waiting.popleft()
            if math.isnan(admitted.admitted_s):
                admitted.admitted_s = self.now_s
            self.running.append(admitted)

    def _reads(self) -> list[tuple[Sequence, int]]:
        """Who reads how much: one token for those that write, then prompts, as long as the budget lasts."""
        budget = self.model.max_batched_tokens
        reads = []
        for sequence in sorted(self.running, key=lambda each: each.to_read > 1):
            count = min(sequence.to_read, budget)
            if count:
                reads.append((sequence, count))
                budget -= count
        return reads

    def _perform(self, iteration: Iteration) -> list[Sequence]:
        """Whoever has read all gets a token; returns those for whom it was the last."""
        self.now_s = iteration.ends_s
        finished = []
        for sequence, count in iteration.reads:
            complete = count == sequence.to_read
            sequence.cached += count
            if not complete:
                continue
            if not sequence.generated:
                sequence.first_token_s = self.now_s
            sequence.generated += 1
            if sequence.is_finished:
                sequence.finished_s = self.now_s
                finished.append(sequence)
        if finished:
            self.running = [each for each in self.running if not each.is_finished]
        return finished
