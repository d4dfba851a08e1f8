"""Which language model a run asks: the one of its suite, else of the environment, with its host's key."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from harness.errors import HarnessError
from harness.guard.network import is_loopback
from harness.run.place import Place
from harness.study.plan import Plan
from harness.study.settings import SearchingSettings, Settings
from harness.study.study import load_study
from harness.study.work.units import SearchingSpec

T = TypeVar("T", bound=Settings)


def with_environment(suite: T, environment: Mapping[str, str]) -> T:
    """Returns the suite with the endpoint and the model of the environment where it names none."""
    if not isinstance(suite, SearchingSettings):
        return suite
    llm = replace(
        suite.llm,
        base_url=suite.llm.base_url or environment.get("HARNESS_LLM_BASE_URL", ""),
        model=suite.llm.model or environment.get("HARNESS_LLM_MODEL", ""),
    )
    if llm.base_url and not llm.model:
        raise HarnessError(f"The endpoint {llm.base_url} needs a model; set HARNESS_LLM_MODEL or llm.model.")
    asking: T = replace(suite, llm=llm)
    return asking if llm.base_url or llm.model_file else load_study(suite.study).stood_in(asking)


def check_language_model(plan: Plan, place: Place) -> None:
    """Makes sure that the language model of a plan may be asked; says where no key of the user's is sent."""
    searches = (unit.spec for unit in plan.units if isinstance(unit.spec, SearchingSpec))
    settings = next((spec.llm for spec in searches if spec.llm is not None), None)
    if settings is None:
        return
    address = settings.base_url
    if not address:
        if settings.model_file and not Path(settings.model_file).is_file():
            raise HarnessError(f"llm.model_file {settings.model_file} is not a file; give a GGUF file.")
        return
    if place.data.offline and not is_loopback(urlsplit(address).hostname):
        raise HarnessError(
            f"--offline forbids asking the endpoint {address}; run without it, or give --replay RUN."
        )
    key = place.keys.of(address)
    if place.keys.held and not any(key):
        print(
            f"harness: {' and '.join(place.keys.held)} is for another host and is not sent to {address}; to "
            "send a key there, set HARNESS_LLM_BASE_URL to that address and HARNESS_LLM_API_KEY.",
            file=sys.stderr,
        )
