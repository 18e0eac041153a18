"""The runner under a clock that tests move."""

from __future__ import annotations

import asyncio

import pytest

from hindscale.live.emulator.engine import Engine, Sequence
from hindscale.live.emulator.model import EmulatedModel
from hindscale.live.emulator.runner import ModelClock, Runner


class Wall:
    now_s = 5.0

    def __call__(self) -> float:
        return self.now_s


def test_the_models_clock_runs_faster() -> None:
    wall = Wall()
    clock = ModelClock(speed=60.0, wall=wall)
    wall.now_s += 2.0
    assert clock.now_s() == 120.0
    assert clock.wall_s_until(180.0) == 1.0
    assert clock.wall_s_until(60.0) == 0.0


def test_tokens_come_as_the_model_has_them() -> None:
    async def story() -> None:
        wall, finished = Wall(), []
        engine = Engine(EmulatedModel(overhead_s=1.0, per_sequence_s=0, per_prompt_token_s=0, per_cached_token_s=0))
        runner = Runner(engine, ModelClock(wall=wall), finished.append)
        ticket = runner.submit(5, 4)
        tokens = runner.tokens(ticket)
        wall.now_s += 2.5
        runner._advance()
        assert await anext(tokens) == 2
        wall.now_s += 10.0
        runner._advance()
        assert [new async for new in tokens] == [2]
        assert finished == [ticket.sequence]
        assert ticket.sequence.finished_s == pytest.approx(4.0)  # not when it was noticed

    asyncio.run(story())


def test_who_stops_listening_leaves_the_engine() -> None:
    async def story() -> None:
        finished: list[Sequence] = []
        engine = Engine(EmulatedModel())
        runner = Runner(engine, ModelClock(wall=Wall()), finished.append)
        tokens = runner.tokens(runner.submit(5, 400))
        listening = asyncio.create_task(anext(tokens))
        await asyncio.sleep(0)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await tokens.aclose()
        assert engine.running == []
        assert finished == []

    asyncio.run(story())
