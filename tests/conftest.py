"""Toy catalog and data cache of the tests: small, drawn here, without a network."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ["OMP_NUM_THREADS"] = "1"  # before anything imports torch
settings.register_profile(
    "ours",  # a busy machine is no error, and a folder of a test may be used by many examples
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
settings.load_profile("ours")
TOY = Path(__file__).parent / "toy"
sys.path.append(str(Path(__file__).parent))  # where what several tests use stands


@pytest.fixture(scope="session", autouse=True)
def toy_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Adds the toy catalog, points the data cache to a folder of this session, and shares no results."""
    places = {
        "HARNESS_CATALOG": str(TOY),
        "HARNESS_DATA": str(tmp_path_factory.mktemp("data")),
        "HARNESS_CACHE_GIB": "0",
    }
    before = {name: os.environ.get(name) for name in (*places, "HARNESS_LLM_BASE_URL", "HARNESS_LLM_MODEL")}
    for name in before:
        os.environ.pop(name, None)
    os.environ |= places
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    yield
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
