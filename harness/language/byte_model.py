"""Our byte networks as lm-eval models, so that lm-eval's own code can score them.

This module imports lm-eval, which takes seconds: import it in the function that needs it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from lm_eval.api.model import TemplateLM
from torch import Tensor, nn

from harness.learn.modality import half
from harness.learn.predictors import TorchLanguageModel

START = 0  # what stands before the first byte, as in `TorchLanguageModel`
GENERATED_BYTES = 256


class Window(NamedTuple):
    """One forward pass: `data`'s last `scored` bytes, each predicted from those before it in `data`."""

    data: bytes
    scored: int


class ByteModel(TemplateLM):  # type: ignore[misc]
    """Any causal byte network as an lm-eval model whose tokens are bytes.

    Whole documents (`loglikelihood_rolling`) are read exactly as `TorchLanguageModel` reads them, so bits
    per byte are those of our own scorer, and not of lm-eval's overlapping last window. A continuation that
    fits the context is predicted from as much text before it as fits; a longer one is read like a document.
    Requests run in an order of their own, so that no answer depends on the order they came in. Nothing is
    cached and nothing is drawn.
    """

    eot_token_id = START
    max_gen_toks = GENERATED_BYTES
    tokenizer_name = "bytes"

    def __init__(self, module: nn.Module, context: int, route: Any = None, *, batch_size: int = 64) -> None:
        super().__init__()
        module.eval()
        self.module = module
        self.context = context
        self.route = () if route is None else (route,)
        self.batch_size = batch_size
        self._documents = TorchLanguageModel(module, context, route, batch_size=batch_size)

    @property
    def max_length(self) -> int:
        return self.context

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        return list(string.encode())

    def tok_decode(self, tokens: Sequence[int], **kwargs: Any) -> str:
        """Returns the text of bytes; what is not UTF-8 becomes the replacement character."""
        return bytes(tokens).decode(errors="replace")

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Returns (log-probability in nats, whether greedy decoding gives it) per (context, continuation).

        Unlike its base, no space is moved between the two, and no byte is taken for a special token.
        """
        pairs = [request.args for request in requests]
        encoded = [(pair, self.tok_encode(pair[0]) or [START], self.tok_encode(pair[1])) for pair in pairs]
        return self._loglikelihood_tokens(encoded, disable_tqdm=disable_tqdm)

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """Returns the log-probability in nats of whole texts."""
        documents = [request.args[0].encode() for request in requests]
        distinct = sorted(set(documents), key=lambda document: (-len(document), document))
        bits = self._documents.bits(distinct)
        nats = dict(zip(distinct, (-bits * np.log(2)).tolist(), strict=True))
        return [_finite(nats[document]) for document in documents]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Returns greedy continuations up to the first stop text, which is left out.

        Raises:
            ValueError: a request asks for sampling.
            FloatingPointError: a prediction is not finite.
        """
        return [self._generate(text, settings) for text, settings in (request.args for request in requests)]

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], **kwargs: Any
    ) -> list[tuple[float, bool]]:
        pairs = [(bytes(before or [START]), bytes(after)) for _, before, after in requests]
        windows = {pair: self._windows(*pair) for pair in pairs}
        scored = self._score(sorted({window for parts in windows.values() for window in parts}))
        totals = {
            pair: (sum(scored[part][0] for part in parts), all(scored[part][1] for part in parts))
            for pair, parts in windows.items()
        }
        return [(_finite(totals[pair][0]), totals[pair][1]) for pair in pairs]

    def _windows(self, before: bytes, after: bytes) -> list[Window]:
        whole = before + after
        if len(after) <= self.context:
            return [Window(whole[-self.context - 1 :], len(after))] if after else []
        windows, seen = [], len(before)
        for start in range(len(before) - 1, len(whole) - 1, half(self.context)):
            data = whole[start : start + self.context + 1]
            if (end := start + len(data)) > seen:
                windows.append(Window(data, end - seen))
                seen = end
        return windows

    @torch.inference_mode()
    def _score(self, windows: Sequence[Window]) -> dict[Window, tuple[float, bool]]:
        """Returns (nats, greedy) of each window."""
        results = {}
        for start in range(0, len(windows), self.batch_size):
            part = windows[start : start + self.batch_size]
            rows = np.repeat(np.arange(len(part)), [window.scored for window in part])
            ends = [np.arange(-scored, 0) + len(data) - 1 for data, scored in part]
            goal = np.frombuffer(b"".join(data[-scored:] for data, scored in part), dtype=np.uint8)
            wanted = torch.from_numpy(goal.astype(np.int64)).to(self.device)
            logits = self._logits([window.data[:-1] for window in part])[rows, np.concatenate(ends)]
            losses = F.cross_entropy(logits.float(), wanted, reduction="none").double().cpu().numpy()
            missed = (logits.argmax(dim=-1) != wanted).cpu().numpy()
            nats, misses = (np.bincount(rows, found, len(part)) for found in (losses, missed))
            for window, loss, missing in zip(part, nats.tolist(), misses.tolist(), strict=True):
                results[window] = (-loss, not missing)
        return results

    def _logits(self, contexts: Sequence[bytes]) -> Tensor:
        """Returns (texts, context, 256); texts are followed by zeros, which a causal network does not see."""
        inputs = np.zeros((len(contexts), self.context), dtype=np.int64)
        for row, data in enumerate(contexts):
            inputs[row, : len(data)] = np.frombuffer(data, dtype=np.uint8)
        logits: Tensor = self.module(torch.from_numpy(inputs).to(self.device), *self.route)
        return logits

    @torch.inference_mode()
    def _generate(self, text: str, settings: Mapping[str, Any]) -> str:
        if settings.get("do_sample") or settings.get("temperature"):
            raise ValueError("ByteModel generates greedily; remove do_sample and temperature from the task.")
        stops = settings.get("until") or []
        stops = [stop.encode() for stop in ([stops] if isinstance(stops, str) else stops) if stop]
        limit = settings.get("max_gen_toks", settings.get("max_tokens", GENERATED_BYTES))
        seen = bytes([START]) + text.encode()
        made = b""
        while len(made) < limit and not any(stop in made for stop in stops):
            window = (seen + made)[-self.context :]
            row = self._logits([window])[0, len(window) - 1].float()
            _finite(float(row.sum()))
            made += bytes([int(row.argmax())])
        ends = [made.index(stop) for stop in stops if stop in made]
        return self.tok_decode(made[: min(ends, default=len(made))])


def _finite(nats: float) -> float:
    if not np.isfinite(nats):
        raise FloatingPointError("The network gives log-probabilities that are not finite.")
    return float(nats)
