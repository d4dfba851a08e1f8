"""CoLLM-NAS with a competent scripted model over HTTP. Truth: NAS-Bench-201 and local search on it."""

from typing import Any

import llm_server
import published
import pytest
import spaces

from harness.search.loop import SearchResult
from harness.space.form import Architecture

SEEDS = range(10)
BUDGET = 100
TOLERANCE = 0.48
"""Percent: two standard errors of the difference of two means of ten, each seed spreading by 0.53."""

Table = dict[Architecture, tuple[float, float]]


@pytest.fixture(scope="module")
def table() -> Table:
    """Returns (validation, test) accuracy on CIFAR-100 in percent."""
    return {
        genes: (float(row["c100_val"]), float(row["c100_test"])) for genes, row in published.cells().items()
    }


def mean_test(results: list[SearchResult], table: Table) -> float:
    """Returns the mean test accuracy of what validation chose, in percent."""
    return sum(table[one.best.architecture][1] for one in results if one.best) / len(results)


@pytest.fixture(scope="module")
def searches(table: Table, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Returns the searches of the scripted model, those of local search, and the model's policy."""
    space = spaces.named("nasbench201:cifar100")
    policy = llm_server.Improver(space)

    def score(architecture: Architecture) -> float:
        return table[architecture][0] / 100

    led, local = [], []
    folder = tmp_path_factory.mktemp("transcripts")
    with llm_server.served(policy) as (url, _, _):
        for seed in SEEDS:
            client = llm_server.endpoint(url, folder / f"{seed}.jsonl", model=f"policy-{seed}")
            led.append(llm_server.searched(client, budget=BUDGET, seed=seed, space=space, score=score))
            local.append(spaces.searched("local_search", space, score, seed=seed, budget=BUDGET))
    return led, local, policy


def test_a_competent_model_reaches_the_row_of_local_search(searches: Any, table: Table) -> None:
    led, local, _ = searches
    assert mean_test(led, table) > mean_test(local, table) - TOLERANCE
    assert mean_test(led, table) > 73.32 - TOLERANCE


def test_a_competent_model_spends_all_of_its_budget(searches: Any) -> None:
    led, _, _ = searches
    assert {(len(one.history), one.stopped) for one in led} == {(BUDGET, "budget")}


def test_the_prompts_name_the_best_architecture_of_their_results(searches: Any) -> None:
    _, _, policy = searches
    assert policy.wrong == []
