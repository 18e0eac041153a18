"""The emulator as clients see it: a real process on a real port."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hindscale.live.ports import free_port
from live_helpers import client, until

SPEED = 20.0
COLD_START_S = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "hindscale.cli.main", "emulate", "--port", str(port), "--speed", str(SPEED)]
    began_s = time.monotonic()
    with subprocess.Popen([*command, "--cold-start", f"{COLD_START_S}s"], stderr=subprocess.PIPE) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: is_ready(url))
            assert time.monotonic() - began_s > COLD_START_S / SPEED - 0.05  # its clock may have coarser ticks
            yield url
        finally:
            process.terminate()
            _, said = process.communicate()
    assert process.returncode == 0
    assert said.decode() == f"emulated model 'emulated' at {url}\n"


def is_ready(url: str) -> bool:
    try:
        return client.get(f"{url}/health").is_success
    except Exception:
        return False


def metric(url: str, name: str) -> float:
    families = text_string_to_metric_families(client.get(f"{url}/metrics").text)
    return next(sample.value for family in families for sample in family.samples if sample.name == name)


def test_a_chat_completion(server: str) -> None:
    asked = {"model": "emulated", "messages": [{"role": "user", "content": "how large is it"}], "max_tokens": 6}
    answer = client.post(f"{server}/v1/chat/completions", json=asked).json()
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "the fleet is as large as"}
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
def test_a_stream_says_the_same_as_the_whole(server: str, path: str) -> None:
    asked = {"prompt": "a b", "messages": [{"role": "user", "content": [{"type": "text", "text": "a b"}]}]}
    asked |= {"max_tokens": 500, "stream": True, "stream_options": {"include_usage": True}}
    text, finished, usage = "", [], None
    with client.stream("POST", f"{server}/v1/{path}", json=asked) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    for line in lines[:-1]:
        event = json.loads(line)
        usage = event.get("usage", usage)
        for choice in event["choices"]:
            text += choice["delta"]["content"] if "delta" in choice else choice["text"]
            finished.append(choice["finish_reason"])
    assert len(text.split()) == 500
    assert len(finished) > 1  # it came in parts
    assert finished[-1] == "length"
    assert set(finished[:-1]) == {None}
    assert usage == {"prompt_tokens": 2, "completion_tokens": 500, "total_tokens": 502}


def test_it_tells_what_vllm_tells_in_the_models_time(server: str) -> None:
    count, total = "vllm:time_to_first_token_seconds_count", "vllm:time_to_first_token_seconds_sum"
    before, before_s = metric(server, count), metric(server, total)
    client.post(f"{server}/v1/completions", json={"prompt": "word " * 1000, "max_tokens": 11})
    assert metric(server, count) == before + 1
    # Reading 1000 tokens takes 10 + 0.1 + 100 ms; alone in the engine it need not wait.
    assert metric(server, total) - before_s == pytest.approx(0.1101, rel=1e-6)
    for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"):
        assert metric(server, f"vllm:{name}") == 0.0
    assert metric(server, "vllm:generation_tokens_total") >= 11
    assert metric(server, "process_start_time_seconds") > 0


def test_a_client_that_leaves_takes_its_request_with_it(server: str) -> None:
    asked = {"prompt": "a", "max_tokens": 30_000, "stream": True}
    with client.stream("POST", f"{server}/v1/completions", json=asked) as answer:
        parts = answer.iter_raw()  # held on to: a generator that is dropped closes its connection
        next(parts)
        until(lambda: metric(server, "vllm:num_requests_running") == 1)
    until(lambda: metric(server, "vllm:num_requests_running") == 0)


@pytest.mark.parametrize(
    ("path", "asked", "status", "message"),
    [
        ("completions", "{", 400, "the body must be JSON"),
        ("completions", "[]", 400, "must be a JSON object"),
        ("completions", '{"prompt": 5}', 400, "prompt must be a text"),
        ("completions", '{"prompt": "a", "max_tokens": 0}', 400, "max_tokens must be a whole number >= 1, was 0"),
        ("completions", '{"prompt": "a", "max_tokens": 99999}', 400, "prompt and answer must be <= 32768 tokens"),
        ("completions", '{"prompt": "a", "model": "b"}', 404, "the model 'b' does not exist; use 'emulated'"),
        ("chat/completions", '{"messages": []}', 400, "messages must be a list"),
    ],
)
def test_what_cannot_be_answered_is_said_as_openai_says_it(
    server: str, path: str, asked: str, status: int, message: str
) -> None:
    answer = client.post(f"{server}/v1/{path}", content=asked)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_it_says_which_model_it_has(server: str) -> None:
    (card,) = client.get(f"{server}/v1/models").json()["data"]
    assert (card["id"], card["max_model_len"]) == ("emulated", 32_768)
