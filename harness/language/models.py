"""Whatever gives code lengths as an lm-eval model, so that every row answers lm-eval's tasks.

This module imports lm-eval, which takes seconds: import it in the function that needs it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from lm_eval.api.model import LM

from harness.errors import HarnessError
from harness.language.byte_model import ByteModel
from harness.language.external import LmEvalLanguageModel
from harness.learn.baseline import LanguageModel, Predictor
from harness.learn.predictors import TorchLanguageModel


def lm_eval_model(model: Predictor) -> Any:
    """Returns `model` as lm-eval sees it: itself where it is one of lm-eval's."""
    if isinstance(model, LmEvalLanguageModel):
        return model.model
    if isinstance(model, TorchLanguageModel):
        return ByteModel(model.module, model.context, *model.route)
    if isinstance(model, LanguageModel):
        return CodeLengthModel(model)
    raise HarnessError(f"{type(model).__name__} gives no code lengths, so it answers no questions.")


class CodeLengthModel(LM):  # type: ignore[misc]
    """A model of whole documents: a continuation costs what it adds to the code length of its context.

    It cannot say what it would write itself, so it answers no task that asks for that.
    """

    writes = False

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Returns (log-probability in nats, False) per (context, continuation)."""
        pairs = [(before.encode(), after.encode()) for before, after in (one.args for one in requests)]
        nats = self._nats([text for before, after in pairs for text in (before, before + after)])
        return [(nats[before + after] - nats[before], False) for before, after in pairs]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """Returns the log-probability in nats of whole texts."""
        texts = [request.args[0].encode() for request in requests]
        nats = self._nats(texts)
        return [nats[text] for text in texts]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Raises NotImplementedError: code lengths are no texts."""
        raise NotImplementedError("A model that gives code lengths alone writes no text.")

    def _nats(self, texts: Sequence[bytes]) -> dict[bytes, float]:
        distinct = sorted({text for text in texts if text})
        bits = self.model.bits(distinct) if distinct else np.zeros(0)
        return {b"": 0.0} | dict(zip(distinct, (-bits * np.log(2)).tolist(), strict=True))
