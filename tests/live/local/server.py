"""A service to be run as a replica: slow, streaming, crashing, hanging or never ready, as it is told.

python server.py PORT [--start-s S] [--never-ready] [--crash] [--deaf]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

BEGAN_S = time.monotonic()
given: argparse.Namespace


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if url.path == "/health" and (given.never_ready or time.monotonic() - BEGAN_S < given.start_s):
            return self.answer(503, b"not yet")
        if url.path == "/die":
            os._exit(9)
        if url.path == "/freeze":
            self.answer(200, b"")
            os.kill(os.getpid(), signal.SIGSTOP)
            return None
        if url.path == "/stream":
            return self.stream(int(query["events"]), float(query["pause_s"]))
        time.sleep(float(query.get("s", 0)))
        return self.answer(int(query.get("status", 200)), body or str(os.getpid()).encode())

    do_POST = do_GET  # noqa: N815

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events: int, pause_s: float) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(events):
            event = b"data: %d\n\n" % number
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            time.sleep(pause_s)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass  # a client that left


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--start-s", type=float, default=0.0)
    parser.add_argument("--never-ready", action="store_true")
    parser.add_argument("--crash", action="store_true")
    parser.add_argument("--deaf", action="store_true", help="ignore TERM")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    if given.crash:
        sys.exit("out of memory: the model does not fit")
    if given.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.stack_size(256 * 1024)
    Server(("127.0.0.1", given.port), Handler).serve_forever()
