"""A real model as a service: POST a file's bytes, get its type.

    pip install magika onnxruntime
    python server.py --port 8001
    curl --data-binary @photo.jpg http://127.0.0.1:8001/

The model is the one that ships inside the `magika` package: a network of 3 MB that was trained on millions of
files and looks at the first and the last kilobyte. It is run by ONNX Runtime alone, on one core.
"""

from __future__ import annotations

import argparse
import json
import threading
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime


class FileTypes:
    """The model, and how bytes become what it reads."""

    def __init__(self) -> None:
        package = find_spec("magika")
        if package is None or package.origin is None:
            raise SystemExit("server.py: the model is not here; pip install magika")
        (folder,) = Path(package.origin).parent.glob("models/standard_v*")
        self.config = json.loads((folder / "config.min.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])

    @cached_property
    def labels(self) -> list[str]:
        return list(self.config["target_labels_space"])

    def guess(self, content: bytes) -> tuple[str, float]:
        """The likeliest type, and how likely it is."""
        (scores,) = self.session.run(["target_label"], {"bytes": self.features(content)})
        best = int(np.argmax(scores[0]))
        return self.labels[best], float(scores[0][best])

    def features(self, content: bytes) -> np.ndarray:
        """The first and last bytes without blanks around them, padded in the middle; shape (1, beg + end)."""
        beg_size, end_size, block = (self.config[name] for name in ("beg_size", "end_size", "block_size"))
        features = np.full(beg_size + end_size, self.config["padding_token"], np.int32)
        beg = content[:block].lstrip()[:beg_size]
        end = content[-block:].rstrip()[-end_size:]
        features[: len(beg)] = np.frombuffer(beg, np.uint8)
        features[len(features) - len(end) :] = np.frombuffer(end, np.uint8)
        return features[np.newaxis]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    model: FileTypes
    slots = threading.Semaphore(1)  # one request computes, the others wait for it

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/health" else 404, {})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.slots:
            label, score = self.model.guess(content)
        self.answer(200, {"label": label, "score": round(score, 4)})

    def answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8001)
    given = parser.parse_args()
    Handler.model = FileTypes()
    ThreadingHTTPServer.request_queue_size = 1024
    ThreadingHTTPServer(("127.0.0.1", given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
