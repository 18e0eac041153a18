from __future__ import annotations

import json
from typing import Any

import pytest

from hindscale.core.errors import ParameterError
from hindscale.live.load_http import Origin
from hindscale.live.load_requests import RequestTemplate

HERE = Origin.parse("http://127.0.0.1:8080")


def parsed(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


def test_a_plain_request_is_the_url_itself() -> None:
    first, headers, body = parsed(RequestTemplate().maker(Origin.parse("http://[::1]:80/a?b=c"))(5, 5))
    assert first == "GET /a?b=c HTTP/1.1"
    assert headers == {"host": "[::1]:80", "user-agent": "hindscale-load"}
    assert body == b""


def test_a_body_is_posted() -> None:
    template = RequestTemplate(body=b"{}", headers={"content-type": "application/x", "authorization": "Bearer a"})
    first, headers, body = parsed(template.maker(HERE)(5, 5))
    assert first == "POST / HTTP/1.1"
    assert (headers["content-type"], headers["content-length"]) == ("application/x", "2")
    assert headers["authorization"] == "Bearer a"
    assert body == b"{}"


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_a_model_is_asked_for_as_many_tokens_as_the_trace_says(api: str) -> None:
    first, headers, body = parsed(RequestTemplate(api=api, model="m", is_streamed=False).maker(HERE)(7, 30))
    assert first == f"POST /v1/{'chat/' if api == 'chat' else ''}completions HTTP/1.1"
    assert int(headers["content-length"]) == len(body)
    asked = json.loads(body)
    prompt = asked["messages"][0]["content"] if api == "chat" else asked["prompt"]
    assert len(prompt.split()) == 7
    assert (asked["max_tokens"], asked["stream"], asked["model"]) == (30, False, "m")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"api": "chatt"}, "api: nobody speaks 'chatt'; did you mean 'chat'?"),
        ({"api": "chat", "body": b"{}"}, "body is for api plain; api chat makes its own"),
        ({"output_tokens": 0}, "output_tokens must be a whole number >= 1, was 0"),
        ({"headers": {"a": "b\r\nc: d"}}, "a header must be a name and a value in one line, was 'a': 'b\\r\\nc: d'"),
    ],
)
def test_what_cannot_be_asked_is_said(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as raised:
        RequestTemplate(**given)
    assert str(raised.value) == message


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://a", "http://", "http://a:99999"])
def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(ParameterError, match="url"):
        Origin.parse(url)
