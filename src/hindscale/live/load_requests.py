"""What is asked: a plain request, or one to a language model with as many tokens as the trace says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hindscale.core.checks import require_at_least
from hindscale.core.errors import ParameterError, did_you_mean
from hindscale.live.load_http import Origin

__all__ = ["APIS", "RequestTemplate"]

APIS = ("plain", "chat", "completions")
PATHS = {"chat": "/v1/chat/completions", "completions": "/v1/completions"}
WORD = "word "
"""One token for most tokenizers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTemplate:
    """How a request is made from its number of tokens.

    Attributes:
        api: "plain" asks for the URL itself; "chat" and "completions" ask a language model, in OpenAI's words.
        body: Of plain requests: POST with this; None asks with GET.
        headers: Further headers.
        model: The model's name.
        is_streamed: Whether the model is to answer token by token.
        input_tokens, output_tokens: Where the trace does not say; >= 1.
    """

    api: str = "plain"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = "emulated"
    is_streamed: bool = True
    input_tokens: int = 500
    output_tokens: int = 150

    def __post_init__(self) -> None:
        if self.api not in APIS:
            raise ParameterError(f"api: nobody speaks {self.api!r}; {did_you_mean(self.api, APIS)}")
        if self.body is not None and self.api != "plain":
            raise ParameterError(f"body is for api plain; api {self.api} makes its own")
        require_at_least(1, input_tokens=self.input_tokens, output_tokens=self.output_tokens)
        for name, value in self.headers.items():
            if not name or any(letter in name + value for letter in "\r\n"):
                raise ParameterError(f"a header must be a name and a value in one line, was {name!r}: {value!r}")

    def maker(self, origin: Origin) -> Callable[[int, int], bytes]:
        """A function from input and output tokens to a request's bytes."""
        if self.api == "plain":
            whole = self._request(origin, origin.path, self.body)
            return lambda _input_tokens, _output_tokens: whole
        path = PATHS[self.api] if origin.path == "/" else origin.path

        def make(input_tokens: int, output_tokens: int) -> bytes:
            return self._request(origin, path, json.dumps(self._asked(input_tokens, output_tokens)).encode())

        return make

    def _asked(self, input_tokens: int, output_tokens: int) -> dict[str, Any]:
        prompt = WORD * max(input_tokens, 1)
        content = {"messages": [{"role": "user", "content": prompt}]} if self.api == "chat" else {"prompt": prompt}
        # ignore_eos: vLLM and SGLang then write as many tokens as they are asked for, whatever they have to say.
        return {
            "model": self.model,
            **content,
            "max_tokens": max(output_tokens, 1),
            "stream": self.is_streamed,
            "ignore_eos": True,
        }

    def _request(self, origin: Origin, path: str, body: bytes | None) -> bytes:
        headers = {"host": origin.authority, "user-agent": "hindscale-load", **self.headers}
        if body is not None:
            headers = {"content-type": "application/json", **headers, "content-length": str(len(body))}
        lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
