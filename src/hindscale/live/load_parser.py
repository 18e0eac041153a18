"""Reads answers in HTTP/1.1: of each only so much as tells its status, where its body begins, and where it ends."""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["AnswerParser", "BadAnswer"]

LARGEST_HEAD = 1 << 16
NO_BODY = (204, 304)


class BadAnswer(Exception):
    """What came is no HTTP/1.1."""


class _Part(Enum):
    """What the parser expects next."""

    HEAD = auto()
    SIZED = auto()  # so many bytes
    CHUNK_SIZE = auto()
    CHUNK = auto()  # so many bytes, its line end included
    TRAILER = auto()
    UNTIL_CLOSE = auto()
    DONE = auto()


class AnswerParser:
    """Reads one answer, in pieces of any size.

    Attributes:
        status: Of the answer; 0 before its head was read.
        keeps_alive: Whether another question may follow on the connection.
        has_body: Whether any byte of the body has come.
    """

    def __init__(self) -> None:
        self.status = 0
        self.keeps_alive = True
        self.has_body = False
        self._part = _Part.HEAD
        self._left = 0
        self._buffer = bytearray()

    @property
    def is_done(self) -> bool:
        """Whether the answer is complete."""
        return self._part is _Part.DONE

    def feed(self, data: bytes) -> None:
        """Take what came.

        Raises:
            BadAnswer: If it is not an answer, or more than one.
        """
        self._buffer += data
        while self._step():
            pass
        if self.is_done and self._buffer:
            raise BadAnswer("more came than was asked for")

    def end(self) -> bool:
        """The connection has ended; returns whether the answer is complete by that."""
        if self._part is _Part.UNTIL_CLOSE:
            self._part = _Part.DONE
        return self.is_done

    def _step(self) -> bool:
        """Read one part, if all that it takes is there."""
        if self._part in (_Part.SIZED, _Part.CHUNK):
            return self._skip()
        if self._part is _Part.UNTIL_CLOSE:
            self.has_body = self.has_body or bool(self._buffer)
            self._buffer.clear()
            return False
        if self._part is _Part.DONE:
            return False
        if self._part is _Part.HEAD:
            head = self._take(b"\r\n\r\n")
            return head is not None and self._read_head(head)
        line = self._take(b"\r\n")
        return line is not None and self._read_line(line)

    def _take(self, end: bytes) -> bytes | None:
        """What stands before the next `end`; None if that has not come yet."""
        at = self._buffer.find(end)
        if at < 0:
            if len(self._buffer) > LARGEST_HEAD:
                raise BadAnswer(f"a header of more than {LARGEST_HEAD} bytes")
            return None
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return taken

    def _skip(self) -> bool:
        count = min(self._left, len(self._buffer))
        if not count:
            return False
        self.has_body = True
        self._left -= count
        del self._buffer[:count]
        if self._left:
            return False
        self._part = _Part.DONE if self._part is _Part.SIZED else _Part.CHUNK_SIZE
        return True

    def _read_head(self, head: bytes) -> bool:
        first, *lines = head.split(b"\r\n")
        version, _, rest = first.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
            raise BadAnswer(f"expected an answer in HTTP/1.1, got {first[:40]!r}")
        self.status = int(rest[:3])
        if self.status < 200:  # an interim answer; the real one follows
            return True
        headers = {name.strip().lower(): value.strip().lower() for name, _, value in (x.partition(b":") for x in lines)}
        self.keeps_alive = headers.get(b"connection") != b"close" and version == b"HTTP/1.1"
        self._part, self._left = self._body_of(headers)
        return True

    def _body_of(self, headers: dict[bytes, bytes]) -> tuple[_Part, int]:
        if self.status in NO_BODY:
            return _Part.DONE, 0
        if b"chunked" in headers.get(b"transfer-encoding", b""):
            return _Part.CHUNK_SIZE, 0
        length = headers.get(b"content-length")
        if length is None:
            self.keeps_alive = False
            return _Part.UNTIL_CLOSE, 0
        if not length.isdigit():
            raise BadAnswer(f"content-length must be a number, was {length[:40]!r}")
        return (_Part.SIZED, int(length)) if int(length) else (_Part.DONE, 0)

    def _read_line(self, line: bytes) -> bool:
        if self._part is _Part.TRAILER:
            self._part = _Part.TRAILER if line else _Part.DONE
            return True
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise BadAnswer(f"expected the size of a chunk, got {line[:40]!r}") from None
        self._part, self._left = (_Part.CHUNK, size + 2) if size else (_Part.TRAILER, 0)
        return True
