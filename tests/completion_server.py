"""A completion server with byte tokens on the loopback address, and the network behind it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

from harness.learn.fit import seeded
from harness.nn.networks.decoder import Decoder

CONTEXT = 32
# lm-eval keeps a token for the reply, and one more of a context that starts with what stands before a text.
LENGTH = CONTEXT + 2


def network() -> torch.nn.Module:
    with seeded(0):
        module = Decoder(width=16, depth=1, heads=2, hidden=32)
        torch.nn.init.normal_(module.head.weight, std=0.3)
    return module


class Endpoint(BaseHTTPRequestHandler):
    """A completion server with byte tokens: the network's log-probabilities of a prompt, and greedy text."""

    module = network()
    keys: tuple[str, ...] = ()

    def do_GET(self) -> None:
        self._reply({"eos_token": "\0", "bos_token": "\0"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Endpoint.keys += (str(self.headers.get("Authorization")),)
        if self.path == "/tokenize":
            self._reply({"tokens": list(asked["prompt"].encode())})
        else:
            choices = [
                {"index": index, "logprobs": self._log_probabilities(tokens)}
                for index, tokens in enumerate(asked["prompt"])
            ]
            self._reply({"choices": choices})

    def _log_probabilities(self, tokens: list[int]) -> dict[str, Any]:
        with torch.inference_mode():
            table = self.module(torch.tensor([tokens]))[0].double().log_softmax(-1)
        of_tokens = [None, *(float(table[row, token]) for row, token in enumerate(tokens[1:]))]
        best = [None, *({"": float(row.max())} for row in table)]
        return {"token_logprobs": [*of_tokens, float(table[-1].max())], "top_logprobs": best}

    def _reply(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """Yields the baseline's address, `lm_eval:openai-completions?...`, of a running server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/v1/completions"
        settings = f"model=davinci-002&base_url={url}&tokenizer_backend=remote&max_length={LENGTH}"
        yield f"lm_eval:openai-completions?{settings}"
        server.shutdown()
        thread.join()
