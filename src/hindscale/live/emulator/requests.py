"""What clients ask, in OpenAI's words, and what they are told.

A token is a word: text between blanks. An answer has exactly as many as `max_tokens` (or
`max_completion_tokens`) asks for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hindscale.core.errors import ParameterError

__all__ = ["Completion", "words"]

WORDS = ("the", "fleet", "is", "as", "large", "as", "the", "traffic", "asks", "for", "and", "no", "larger")


def words(first: int, count: int) -> str:
    """A part of an answer: `count` words, from number `first` on.

    >>> words(1, 3)
    ' fleet is as'
    """
    return "".join((" " if number else "") + WORDS[number % len(WORDS)] for number in range(first, first + count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One request for a completion.

    Attributes:
        is_chat: Whether it came to the chat API.
        model: The model it names.
        input_tokens: Words of its prompt; at least 1.
        output_tokens: Words it wants.
        is_streamed: Whether tokens are wanted as they come.
        wants_usage: Whether a stream is to end with the count of tokens.
    """

    is_chat: bool
    model: str
    input_tokens: int
    output_tokens: int
    is_streamed: bool
    wants_usage: bool

    @classmethod
    def parse(cls, body: bytes, *, is_chat: bool, default_model: str, default_tokens: int) -> Completion:
        """Read a request's body.

        Raises:
            ParameterError: If it is not a request.
        """
        asked = _object(body)
        texts = _chat_texts(asked) if is_chat else _prompt_texts(asked)
        wanted = asked.get("max_completion_tokens", asked.get("max_tokens"))
        output_tokens = default_tokens if wanted is None else wanted
        if not isinstance(output_tokens, int) or isinstance(output_tokens, bool) or output_tokens < 1:
            raise ParameterError(f"max_tokens must be a whole number >= 1, was {output_tokens!r}")
        options = asked.get("stream_options")
        return cls(
            is_chat=is_chat,
            model=str(asked.get("model", default_model)),
            input_tokens=max(sum(len(text.split()) for text in texts), 1),
            output_tokens=output_tokens,
            is_streamed=asked.get("stream") is True,
            wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        )

    def answer(self, number: int, created: int) -> dict[str, Any]:
        """The whole answer at once."""
        choice = self._choice(words(0, self.output_tokens), "length", whole=True)
        return {**self._head(number, created, whole=True), "choices": [choice], "usage": self._usage()}

    def events(self, number: int, created: int, first: int, count: int) -> Iterator[bytes]:
        """Server-sent events for new tokens, each with as many as have come; the last ones say how it ended."""
        head = self._head(number, created, whole=False)
        is_last = first + count == self.output_tokens
        choice = self._choice(words(first, count), "length" if is_last else None, whole=False)
        yield _event({**head, "choices": [choice]})
        if is_last and self.wants_usage:
            yield _event({**head, "choices": [], "usage": self._usage()})
        if is_last:
            yield b"data: [DONE]\n\n"

    def _head(self, number: int, created: int, *, whole: bool) -> dict[str, Any]:
        kind = "chat.completion" if self.is_chat else "text_completion"
        return {
            "id": f"{'chatcmpl' if self.is_chat else 'cmpl'}-{number}",
            "object": f"{kind}.chunk" if self.is_chat and not whole else kind,
            "created": created,
            "model": self.model,
        }

    def _choice(self, text: str, finish_reason: str | None, *, whole: bool) -> dict[str, Any]:
        said: dict[str, Any] = {"text": text}
        if self.is_chat:
            said = {"message" if whole else "delta": {"role": "assistant", "content": text}}
        return {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}

    def _usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
        }


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise ParameterError(f"the body must be JSON: {error}") from None
    if not isinstance(asked, dict):
        raise ParameterError("the body must be a JSON object")
    return asked


def _chat_texts(asked: dict[str, Any]) -> list[str]:
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise ParameterError("messages must be a list of objects with role and content")
    texts = []
    for message in messages:
        content = message.get("content") or ""
        parts = content if isinstance(content, list) else [{"text": content}]
        texts += [str(part.get("text", "")) for part in parts if isinstance(part, dict)]
    return texts


def _prompt_texts(asked: dict[str, Any]) -> list[str]:
    prompt = asked.get("prompt")
    if not isinstance(prompt, str):
        raise ParameterError("prompt must be a text")
    return [prompt]


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content, separators=(",", ":")).encode() + b"\n\n"
