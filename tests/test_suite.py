"""Wrong suites end in one sentence that says where. Truth: the files written here."""

from pathlib import Path

import pytest

from harness.errors import HarnessError, UnknownNameError
from harness.study.study import make_plan
from harness.study.suite import load_suite


def suite_file(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seedz = [1, 2]", r"mine.toml, line 2: the top level has no key 'seedz'; did you mean seeds"),
        ('seeds = ["a"]', r"line 2: seeds must be a whole number, not 'a'"),
        ("seeds = 3", r"line 2: seeds must be a list"),
        ("seeds = [1]", "at least two"),
        ("[search]\nevaluation = 3", r"line 3: \[search\] has no key 'evaluation'; did you mean evaluations"),
        ("[search]\nevaluations = true", "whole number"),
        ("[search]\nevaluations = 0", "at least 1"),
        ('reference = "nobody"', "reference 'nobody'"),
        ("title = ", "is not TOML"),
        ('[claim]\nmethod = "local_search"\nspace = "hybrid:nowhere"', "claim must name"),
    ],
)
def test_a_wrong_suite_says_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        load_suite(suite_file(tmp_path, 'extends = "toy"\n' + text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'spaces = ["hybrid:huge"]\n[claim]\nmethod = "local_search"\nspace = "hybrid:huge"',
            "preset named 'huge'",
        ),
        ('[[tasks]]\nname = "toy_patterns"\nheld_out = ["clean"]', "clean both as source and as held out"),
        ('[[tasks]]\nname = "toy_patterns"\nheld_out = ["roug"]', "did you mean rough"),
        ("[search.options.local_search]\nwarmth = 1", "has no option 'warmth'"),
    ],
)
def test_a_suite_that_names_what_is_not_there_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        make_plan(*load_suite(suite_file(tmp_path, 'extends = "toy"\n' + text)))


@pytest.mark.parametrize(("limit", "steps"), [(None, {300, 500}), (2, {10}), (1000, {300, 500})])
def test_a_limited_run_trains_few_steps(limit: int | None, steps: set[int]) -> None:
    units = make_plan(*load_suite("quickstart"), limit=limit).units
    assert {unit.spec.steps for unit in units if "steps" in unit.spec.to_json()} == steps


def test_an_unknown_suite_is_answered_with_near_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean quickstart"):
        load_suite("quikstart")


def test_the_quickstart_plans_crossed_roles_and_shares_the_tuned_search() -> None:
    plan = make_plan(*load_suite("quickstart"))
    kinds = [unit.kind.name for unit in plan.units]
    assert kinds.count("supernet") == 8
    assert kinds.count("search") == 24
    finals = [unit.spec for unit in plan.units if unit.kind.name == "final"]
    roles = {(spec.select_seed, spec.report_seed) for spec in finals}
    assert roles == {(0, 1), (1, 0)}
    assert len(finals) == 2 * (2 * (3 + 5) - 1), "a floor has one role"


def test_needs_come_before_what_needs_them() -> None:
    plan = make_plan(*load_suite("quickstart"))
    seen: set[str] = set()
    for unit in plan.units:
        assert set(unit.needs) <= seen
        seen.add(unit.hash)


def test_only_scores_need_a_held_out_domain() -> None:
    plan = make_plan(*load_suite("quickstart"))
    held_out = {
        unit.hash
        for unit in plan.units
        if unit.kind.name == "prepare" and unit.spec.domain in ("figlet", "optdigits", "health_tweets")
    }
    readers = {unit.kind.name for unit in plan.units if held_out & set(unit.needs)}
    assert readers == {"score"}
