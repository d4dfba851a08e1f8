"""Walls around lm-eval: it reseeds every generator, asks a hub about local files and warns; none may leak."""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

import numpy as np
import torch

from harness.data.prepare import quiet_datasets

MOST_TEMPLATES: Final = 256
"""Compiled templates that are kept."""


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Restores the random states of python, numpy and torch (with every CUDA device in use) afterwards."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one is what leaks
    deterministic, benchmark = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = deterministic, benchmark


@contextmanager
def sandboxed_templates() -> Iterator[None]:
    """Lets lm-eval's templates, which come with its tasks, reach nothing but their documents inside.

    Each is compiled once, and not once a document.
    """
    from jinja2.sandbox import SandboxedEnvironment
    from lm_eval import utils

    before = utils.env
    sandbox = SandboxedEnvironment(undefined=before.undefined, keep_trailing_newline=True)
    sandbox.filters.update(before.filters)
    vars(sandbox)["from_string"] = lru_cache(MOST_TEMPLATES)(sandbox.from_string)
    utils.env = sandbox
    try:
        yield
    finally:
        utils.env = before


@contextmanager
def hub_access(*, offline: bool) -> Iterator[None]:
    """Shuts the hub clients inside where `offline`, and lm-eval's warnings; all are as they were afterwards.

    The environment variables are read when the clients are imported, which is too late here.
    """
    with quiet_datasets() as datasets:
        from huggingface_hub import constants

        places = [(constants, "HF_HUB_OFFLINE"), (datasets.config, "HF_HUB_OFFLINE")]
        before = [getattr(module, name) for module, name in places]
        logger = logging.getLogger("lm_eval")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            for module, name in places if offline else []:
                setattr(module, name, True)
            yield
        finally:
            logger.setLevel(level)
            for (module, name), value in zip(places, before, strict=True):
                setattr(module, name, value)
