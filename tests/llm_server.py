"""A chat-completions server on loopback, scripted: what a test wants of a language model, over real HTTP."""

import hashlib
import json
import random
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import spaces
from spaces import named

from harness.guard.keys import Key
from harness.llm import Client, open_client
from harness.search.loop import SearchResult
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.task.signature import Signature

KEY = "sk-planted-key-0123456789"
SUITE = """
extends = "toy"
title = "A search with a language model"
study = "trained"
spaces = ["hybrid:micro"]
searchers = ["collm_nas"]
claim = { method = "collm_nas", space = "hybrid:micro" }
"""
TABLE_SUITE = """
extends = "toy_lookup"
title = "A search on a table with a language model"
study = "lookup"
feedback = ["validation"]
searchers = ["random_search", "collm_nas"]
claim = "collm_nas"
search = { evaluations = [6] }
"""
"""A suite of a second or two, to which `llm` is added."""
NOBODY = "http://127.0.0.1:9/v1"


@dataclass(frozen=True)
class Answer:
    """What the server sends: all of `payload`, or the first `cut` bytes and then a dropped connection.

    `after` seconds pass before the first byte, `between` seconds before each of the following ones.
    """

    status: int = 200
    payload: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    after: float = 0.0
    between: float = 0.0


Handle = Callable[[int, dict[str, Any]], Answer]


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.open: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.append(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """Ends the connections that clients keep alive."""
        for connection in self.open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a client that went away, as those of these tests do."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    handle_request: Handle
    requests: list[dict[str, Any]]
    seen: list[Mapping[str, str]]
    closing: threading.Event
    sent: Callable[[int], None]
    lock: threading.Lock

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.lock:
            self.requests.append(body)
            self.seen.append({**self.headers, "path": self.path})
            number = len(self.requests)
        self._send(self.handle_request(number, body))
        type(self).sent(number)

    def do_GET(self) -> None:
        self.seen.append({**self.headers, "path": self.path})
        self._send(self.handle_request(0, {}))

    def _send(self, answer: Answer) -> None:
        self.closing.wait(answer.after)
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.payload)))
        self.end_headers()
        if answer.cut is not None:
            self.wfile.write(answer.payload[: answer.cut])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif answer.between:
            for byte in answer.payload:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.closing.wait(answer.between):
                    break
        else:
            self.wfile.write(answer.payload)
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def served(
    handle: Handle | Answer, *, sent: Callable[[int], None] = lambda number: None
) -> Iterator[tuple[str, list[dict[str, Any]], list[Mapping[str, str]]]]:
    """Serves POSTs with `handle(number, request)`, or with the same answer each; gives the address, and the
    requests and headers so far."""
    requests: list[dict[str, Any]] = []
    headers: list[Mapping[str, str]] = []
    closing = threading.Event()
    bound = {
        "handle_request": staticmethod(handle if callable(handle) else lambda number, request: handle),
        "requests": requests,
        "seen": headers,
        "closing": closing,
        "sent": staticmethod(sent),
        "lock": threading.Lock(),
    }
    server = Quiet(type("Bound", (Handler,), bound))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", requests, headers
    finally:
        closing.set()
        server.shutdown()
        server.hang_up()
        server.server_close()
        thread.join()


def completion(text: Any, *, finish_reason: Any = "stop", **message: Any) -> Answer:
    """An ordinary reply of 10 prompt and 5 completion tokens."""
    spoken = {"role": "assistant", "content": text, **message}
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "served-model",
        "choices": [{"index": 0, "finish_reason": finish_reason, "message": spoken}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return Answer(payload=json.dumps(body).encode())


def refused(status: int, message: str, **more: Any) -> Answer:
    """An error in the form of the OpenAI API."""
    error = {"message": message, "type": "invalid_request_error", **more}
    return Answer(status=status, payload=json.dumps({"error": error}).encode())


def table(url: str, model: str = "m", **settings: Any) -> dict[str, Any]:
    """Returns the table `[llm]` of a suite."""
    return {"base_url": url, "model": model, "timeout_seconds": 5.0, "max_tokens": 512} | settings


def endpoint(
    url: str, transcript: Path, *, model: str = "asked-model", replay: bool = False, timeout: float = 5.0
) -> Client:
    """Returns a client of the server at `url`."""
    settings = table(url, model, timeout_seconds=timeout)
    return open_client(settings, model_file=None, transcript=transcript, key=Key(token=KEY), replay=replay)


def replaying(transcript: Path) -> Client:
    """Returns a client that has a transcript and no server."""
    return endpoint(NOBODY, transcript, replay=True)


def asked(client: Client, text: str = "x") -> Any:
    """Returns the reply to one message."""
    return client.chat([{"role": "user", "content": text}], temperature=0.6)


def hybrid() -> SearchSpace:
    """The space of most tests: a window that forbids most changes, and depth that varies."""
    return named("hybrid:micro", Signature(kind="image", classes=10), tolerance=0.05)


def recurrences(space: SearchSpace) -> Callable[[Architecture], float]:
    """Returns the score of most tests: the share of layers, of four, that mix by recurrence."""

    def score(architecture: Architecture) -> float:
        return sum(family == "recurrence" for family in space.to_json(architecture)["mixers"]) / 4

    return score


def searched(
    client: Client,
    *,
    budget: int = 12,
    seed: int = 0,
    space: SearchSpace | None = None,
    score: Callable[[Architecture], float | None] | None = None,
    **options: Any,
) -> SearchResult:
    """Returns what CoLLM-NAS finds with `client`."""
    bound = space or hybrid()
    score = score or recurrences(bound)
    return spaces.searched("collm_nas", bound, score, client=client, budget=budget, seed=seed, **options)


def design(*mixers: str) -> str:
    """Returns the JSON of a legal hybrid of three layers."""
    return json.dumps({"width": 48, "depth": 3, "mixers": list(mixers), "mlp_ratio": [2.0] * 3})


def improving(number: int, request: dict[str, Any]) -> Answer:
    """Navigates with a word and proposes hybrids, others for each conversation."""
    if "You propose" not in request["messages"][0]["content"]:
        return completion("SUMMARY: more recurrence")
    families = ["attention", "local", "recurrence", "convolution"]
    start = int(hashlib.sha256(json.dumps(request["messages"]).encode()).hexdigest(), 16) % len(families)
    batch = [design(families[start], one, two) for one in families for two in families]
    return completion("Here they are:\n```json\n[" + ", ".join(batch) + ",]\n```")


class Improver:
    """A competent model with no memory but the prompts: it reads results, and changes one choice of the best.

    Its Navigator writes the best architecture and all that were tried into the strategy; its Generator
    proposes untried neighbours of that, nearest first. `wrong` collects what the prompts say wrongly.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.wrong: list[str] = []

    def __call__(self, number: int, request: dict[str, Any]) -> Answer:
        messages = request["messages"]
        if "You propose" in messages[0]["content"]:
            return completion(self.generate(messages[-1]["content"], request["model"]))
        return completion(self.navigate([one["content"] for one in messages if one["role"] == "user"]))

    def navigate(self, texts: list[str]) -> str:
        scores: dict[Architecture, float] = {}
        claimed = None
        for text in texts:
            results, _, rest = text.partition("Best so far")
            scores.update(pair for line in results.splitlines() if (pair := self._result(line)))
            claimed = self._result(rest.partition("\n")[0]) or claimed
        if not scores:
            return "SUMMARY\nNothing is known.\nNAVIGATION DIRECTIONS\nTry everything."
        best = max(scores, key=lambda one: scores[one])
        if claimed is None or claimed[1] != scores[best]:
            self.wrong.append(f"best is {scores[best]}, the prompt says {claimed}")
        lines = [json.dumps(self.space.to_json(one)) for one in sorted(scores, key=lambda one: scores[one])]
        return "SUMMARY\nOne change of the best.\nEXAMPLE ARCHITECTURES\nworst to best:\n" + "\n".join(lines)

    def generate(self, text: str, salt: str) -> str:
        strategy, _, order = text.rpartition("Propose ")
        shown = [self._read(match) for match in re.findall(r"^\{.*\}$", strategy, flags=re.MULTILINE)]
        tried = [one for one in shown if one is not None]
        count = int(re.match(r"\d+", order).group())
        draw = random.Random(salt + strategy)
        batch: dict[Architecture, None] = {}
        for parent in reversed(tried):
            near = [one for one in self.space.neighbours(parent) if one not in tried]
            draw.shuffle(near)
            batch.update(dict.fromkeys(near))
            if len(batch) >= count:
                break
        while len(batch) < count:
            batch[self.space.sample(draw)] = None
        chosen = [self.space.to_json(one) for one in list(batch)[:count]]
        return json.dumps({"architectures": chosen})

    def _result(self, line: str) -> tuple[Architecture, float] | None:
        start = line.find("{")
        if start < 0:
            return None
        value, end = json.JSONDecoder().raw_decode(line, start)
        architecture = self._read(json.dumps(value.get("architecture", value)))
        numbers = re.findall(r"-?\d+\.\d+", line[end:]) or [str(value.get("score"))]
        return (architecture, float(numbers[-1])) if architecture is not None else None

    def _read(self, text: str) -> Architecture | None:
        with suppress(Exception):
            return self.space.from_json(json.loads(text))
        return None
