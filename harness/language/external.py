"""Any lm-eval model as a fixed row: `lm_eval:hf?pretrained=PATH`, `lm_eval:openai-completions?model=NAME`."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, UnknownNameError
from harness.guard.keys import ENDPOINTS, OPENAI, host_of, refuse_secrets
from harness.guard.network import is_loopback
from harness.language.isolation import hub_access, kept_random_states

PREFIX = "lm_eval:"
BITS_OF_AN_UNREAD_BYTE = 8.0


@dataclass(frozen=True, kw_only=True)
class Address:
    """A model of lm-eval and its arguments.

    Attributes:
        model: lm-eval's name of the kind of model, such as `hf`.
        arguments: its arguments, typed as lm-eval types those of its command line.
    """

    model: str
    arguments: Mapping[str, str | int | float | bool | None]


def is_address(text: str) -> bool:
    """Returns whether `text` is meant as a model of lm-eval."""
    return text.startswith(PREFIX)


def parse_address(text: str) -> Address:
    """Returns the model that `lm_eval:MODEL?NAME=VALUE&NAME=VALUE` means; `%26` stands for & in a value.

    Raises:
        HarnessError: it has another form, or holds a secret, which would be written into records.
        UnknownNameError: lm-eval has no such kind of model.
    """
    from lm_eval.models import MODEL_MAPPING
    from lm_eval.utils import handle_arg_string

    model, _, query = text.removeprefix(PREFIX).partition("?")
    if not is_address(text) or not model:
        raise HarnessError(f"{text!r} is no lm-eval model; write {PREFIX}MODEL?NAME=VALUE&NAME=VALUE.")
    if model not in MODEL_MAPPING:
        raise UnknownNameError("lm-eval model", model, MODEL_MAPPING)
    refuse_secrets(model, query)
    arguments = {}
    for part in query.split("&") if query else []:
        name, sign, value = part.partition("=")
        if not name or not sign:
            raise HarnessError(f"{part!r} in {PREFIX}{model} is not NAME=VALUE.")
        if name in arguments:
            raise HarnessError(f"{name} is given twice in {PREFIX}{model}.")
        arguments[name] = handle_arg_string(unquote(value))
    return Address(model=model, arguments=arguments)


def build_model(
    address: Address, *, device: str = "cpu", api_key: str | None = None, offline: bool = False
) -> Any:
    """Returns the lm-eval model; the caller's random states stay.

    Args:
        device: cpu or cuda; models behind an endpoint have none.
        api_key: for the host of a model behind an endpoint; without one none is sent.

    Raises:
        HarnessError: it cannot be made; the reason is lm-eval's.
    """
    import torch
    from lm_eval.api.registry import get_model

    arguments = dict(address.arguments)
    place = str(arguments.get("base_url", OPENAI if address.model.startswith("openai-") else ""))
    if offline and place and not is_loopback(urlsplit(place).hostname):
        raise HarnessError(f"--offline forbids asking {host_of(place)}; run without --offline.")
    if address.model in ENDPOINTS:  # without a header they would send OPENAI_API_KEY, wherever they lead
        logging.getLogger("lm_eval.models.api_models").disabled = True  # it prints what servers say
        arguments["header"] = {"Authorization": f"Bearer {api_key or 'none'}"}  # type: ignore[assignment]
    try:
        with kept_random_states(), hub_access(offline=offline), torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(0)
            model = get_model(address.model).create_from_arg_obj(arguments, {"device": device})
    except Exception as error:
        # Dozens of back-ends raise types of their own.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise HarnessError(f"{PREFIX}{address.model} cannot be made: {reason}") from error
    for name in ("loglikelihood", "loglikelihood_rolling", "_loglikelihood_tokens", "generate_until"):
        if hasattr(model, name):
            setattr(model, name, _without_bars(getattr(model, name)))
    return model


def _without_bars(method: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the method without its progress bar, which some callers inside lm-eval ask for by name."""

    def call(*arguments: Any, **options: Any) -> Any:
        return method(*arguments, **{**options, "disable_tqdm": True})

    return call


class LmEvalLanguageModel:
    """An lm-eval model as a `LanguageModel`: bits of documents, whatever its tokens are.

    The bits of all tokens of a document are divided by its bytes, so models with different tokens compare.
    Bytes that are not UTF-8, such as the rest of a character that a limit cut, are not shown to the model and
    cost 8 bits each.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def bits(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        """Returns the code length of each document in bits, shape (documents,).

        Raises:
            FloatingPointError: the model gives a log-probability that is not finite.
        """
        texts = [document.decode(errors="ignore") for document in documents]
        shown = sorted({text for text in texts if text}, key=lambda text: (-len(text), text))
        requests = [SimpleNamespace(args=(text,)) for text in shown]
        with kept_random_states():
            answers = self.model.loglikelihood_rolling(requests) if requests else []
        nats = {"": 0.0} | {
            text: float(answer[0] if isinstance(answer, tuple) else answer)
            for text, answer in zip(shown, answers, strict=True)  # some models give a tuple of one
        }
        unread = [len(document) - len(text.encode()) for document, text in zip(documents, texts, strict=True)]
        bits: NDArray[np.float64] = np.array([-nats[text] for text in texts], dtype=np.float64) / np.log(2)
        if not np.isfinite(bits).all():
            raise FloatingPointError("The model gives log-probabilities that are not finite.")
        bits += BITS_OF_AN_UNREAD_BYTE * np.array(unread, dtype=np.float64)
        return bits
