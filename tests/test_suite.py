"""Wrong suites end in one sentence that says where. Truth: the files written here."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from command import harness
from working import plan_of, planned, units

from harness.cli.language_model import with_environment
from harness.errors import HarnessError, UnknownNameError
from harness.study.study import first_seeds, load_study, make_plan
from harness.study.suite import load_suite, named_suites
from harness.study.trained.units import SearchSpec
from harness.task.selection import CROSS_VALIDATION

TASK = '[[tasks]]\nname = "toy_patterns"\n'
CHOICE = '[[tasks]]\nname = "toy_patterns"\n[tasks.recipe]\n'
WRONG = {
    "toy": [
        ("seedz = [1, 2]", r"mine.toml, line 2: the top level has no key 'seedz'; did you mean seeds"),
        ('seeds = ["a"]', r"line 2: seeds must be a whole number, not 'a'"),
        ("seeds = 3", r"line 2: seeds must be a list"),
        ("seeds = [1]", r"line 2: seeds must be a list of 2 or more, not \[1\]"),
        ("[search]\nevaluation = 3", r"line 3: \[search\] has no key 'evaluation'; did you mean evaluations"),
        ("[search]\nbudget = 3", "has no key 'budget'; did you mean evaluations"),
        ("[search]\nrank_samples = 8", "has no key 'rank_samples'; did you mean rank_architectures"),
        ("[search]\nevaluations = true", "whole number"),
        ("[search]\nevaluations = 0", "at least 1"),
        (
            'baselines = ["default", "tuned:default"]\nspaces = []\nsearchers = []\nreference = "default"\n'
            'claim = { method = "default", space = "" }\n[search]\nevaluations = 0',
            "say how many in search.trials",
        ),
        (
            'baselines = ["default", "longer"]\nspaces = []\nsearchers = []\nreference = "default"\n'
            'claim = { method = "default", space = "" }',
            "'longer' trains for as much longer as searches cost, and this suite has no search",
        ),
        ('reference = "nobody"', "reference 'nobody'"),
        ("title = ", "is not TOML"),
        ('[claim]\nmethod = "local_search"\nspace = "hybrid:nowhere"', "claim must name"),
        ("tasks = [1]", r"mine\.toml.*(must be|lacks)"),
        ('tasks = [{ name = ["a"] }]', r"mine\.toml.*(must be|lacks)"),
        (
            'spaces = ["hybrid:huge"]\n[claim]\nmethod = "local_search"\nspace = "hybrid:huge"',
            "preset named 'huge'",
        ),
        (TASK + 'held_out = ["clean"]', "clean both as source and as held out"),
        (TASK + 'held_out = ["roug"]', "did you mean rough"),
        (TASK + 'held_out = ["clean+rotatoin-3"]', "did you mean rotation"),
        ("[search.options.local_search]\nwarmth = 1", "has no option 'warmth'"),
        ("[limits.kinds.scores]\nseconds = 5", "There is no kind of unit named 'scores'; did you mean score"),
        ("[limits.kinds.evaluation]\nseconds = 5", "There is no kind of unit named 'evaluation'"),
        ("[limits]\nseconds = -1", "line 3: limits.seconds must be at least 0, not -1"),
        ("[limits.kinds.tune]\nmemory_gib = inf", "limits.kinds.tune.memory_gib must be a number, not inf"),
        ("[limits]\nminutes = 5", r"\[limits\] has no key 'minutes'"),
        ('selection = ["orakel"]', "oracle"),
        (f'selection = ["{CROSS_VALIDATION}"]\n{TASK}sources = ["clean"]', "needs two sources"),
        (CHOICE + 'optimizer = "sdg"', "did you mean sgd"),
        (CHOICE + 'schedule = "step"', "tasks.recipe.schedule must be 'cosine' or 'linear', not 'step'"),
        (CHOICE + 'augmentation = ["mixpu"]', "did you mean mixup"),
        (CHOICE + "warmup = 1.0", r"recipe\.warmup must be at least 0 and below 1, not 1\.0"),
        (CHOICE + "clip = -1.0", r"recipe\.clip must be at least 0"),
        (CHOICE + "momentum = 0.9", r"has no key 'momentum'"),
    ],
    "toy_lookup": [
        ('table = "toy_tabel"', "did you mean toy_table"),
        ('domains = ["nearer"]', "no domain named 'nearer'; did you mean near"),
        ('searchers = ["random_serch"]\nreference = "random_serch"\nclaim = "random_serch"', "did you mean"),
        ("repeats = 1", "at least 2"),
        ('feedback = ["tset"]', "feedback must be 'validation' or 'test', not 'tset'; did you mean test"),
        ('claim = "nobody"', "claim 'nobody' is not among its searchers"),
        ('controls = ["nobody"]', "controls names 'nobody'"),
        (
            '[search.options.local_search]\nstart = "there"',
            "'start' of searcher 'local_search' is .*'there'",
        ),
        ("[search.options.local_search]\nstart = 3", "is 'random' by default and cannot be 3"),
        ("[search.options.spos_evolution]\nmutation = 3.0", "'mutation' of searcher 'spos_evolution' is 0"),
        ('held_out = "some"', "held_out must be 'each' or a list of domains, not 'some'"),
        ("held_out = [3]", "held_out must be 'each' or a list of domains"),
        ('held_out = ["nera"]', "no domain named 'nera'; did you mean near"),
        ('held_out = "each"\ndomains = ["near"]', "needs another domain to see"),
        ('domains = ["near", "near"]', "domains has a name twice"),
        ('[search.cost_limit]\ncost = "watts"\nshare = 0.5', "There is no cost named 'watts'"),
        ("[search.cost_limit]\nshare = 0.5", "search.cost_limit lacks `cost`"),
        ('[search.cost_limit]\ncost = "macs"', "needs either share, above 0 and at most 1, or at_most"),
        ('[search.cost_limit]\ncost = "macs"\nshare = 2.0', "needs either share"),
        (
            '[search]\nmac_limit = 3\ncost_limit = { cost = "macs", share = 0.5 }',
            "both a cost_limit and a mac",
        ),
    ],
    "toy_quality": [
        ("budget = 3", "has no key 'budget'; did you mean architectures"),
        ("seeds = [1]", "a list of 2 or more"),
        ("architectures = 3", "at least 4"),
        ("strategies = []", "strategies must be a list of 1 or more"),
        ("parameter_tolerance = 2.0", "parameter_tolerance must be at least 0 and below 1"),
        ("[task.training]\nsteps = 0", "task.training.steps must be at least 1, not 0"),
        ('strategies = ["sandwhich"]', "did you mean sandwich"),
    ],
}


@pytest.mark.parametrize(
    ("suite", "text", "message"), [(suite, *row) for suite, rows in WRONG.items() for row in rows]
)
def test_a_wrong_suite_is_one_sentence(tmp_path: Path, suite: str, text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        plan_of(f'extends = "{suite}"\n{text}\n', tmp_path)


def _toy_without_size(tmp_path: Path, **replaced: str) -> Path:
    """Writes the toy suite without its tuned space, with other values of some keys."""
    lines = (Path(__file__).parent / "toy/leaderboards/toy.toml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("tuned_space", *replaced))]
    path = tmp_path / "own.toml"
    path.write_text("\n".join([*(f"{key} = {value}" for key, value in replaced.items()), *kept]))
    return path


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ({}, "the size of baseline 'tuned' and a search of several spaces comes from .* it names none"),
        ({"spaces": '["hybrid:micro"]'}, "own.toml: the size of baseline 'tuned' comes"),
        (
            {"baselines": '["floor"]', "reference": '"local_search"'},
            "own.toml: the size of a search of several spaces comes",
        ),
    ],
)
def test_a_tuned_space_is_asked_for_where_rows_follow_its_size(
    tmp_path: Path, replaced: dict[str, str], words: str
) -> None:
    with pytest.raises(HarnessError, match=words):
        make_plan(*load_suite(str(_toy_without_size(tmp_path, **replaced))))


def test_one_space_without_a_tuned_one_has_its_own_size(tmp_path: Path) -> None:
    own = {"spaces": '["hybrid:micro"]', "baselines": '["floor", "random"]', "reference": '"local_search"'}
    plan = make_plan(*load_suite(str(_toy_without_size(tmp_path, **own))))
    assert {unit.spec.space for unit in plan.units if isinstance(unit.spec, SearchSpec)} == {"hybrid:micro"}
    assert {getattr(unit.spec, "tuned_space", None) for unit in plan.units} == {None}


@pytest.mark.parametrize(
    ("line", "words"), [('extends = ["toy"]', "`extends` names"), ("extends = {}", "lacks the key 'study'")]
)
def test_what_is_no_suite_to_extend_is_told(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(HarnessError, match=rf"mine\.toml.*{words}"):
        plan_of(line, tmp_path)


STEPS = {60, 200, 340, 371, 729, *(steps // part for steps in (60, 200) for part in (2, 4, 8))}
"""Finals, supernets, `longer`, which takes what supernet and search do beside its own, and shorter ones."""


@pytest.mark.parametrize(("limit", "steps"), [(None, STEPS), (2, {10, 5, 2, 1}), (1000, STEPS)])
def test_a_limited_run_trains_few_steps(limit: int | None, steps: set[int]) -> None:
    found = planned("quickstart", limit).units
    assert {unit.spec.steps for unit in found if "steps" in unit.spec.to_json()} == steps


def test_an_unknown_suite_is_answered_with_near_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean quickstart"):
        load_suite("quikstart")


def test_the_quickstart_plans_crossed_roles() -> None:
    plan = planned("quickstart")
    finals = [unit.spec for unit in units(plan, "final")]
    assert len(units(plan, "supernet")) == 2, "one for each task"
    assert len(units(plan, "search")) == 2 * 5 * 2, "two searchers"
    assert len(units(plan, "tune")) == 2 * 5 * 2, "the tuned row and it once more"
    ring = {(seed, (seed + 1) % 5) for seed in range(5)}
    again = {(one + 1000, other + 1000) for one, other in ring}
    assert {(spec.select_seed, spec.report_seed) for spec in finals} == ring | again
    fixed, shorter, drawn, searched = ("default", "longer", "tuned", "tuned again"), 3, 2, 2
    assert len(finals) == 2 * (5 * (len(fixed) + shorter + drawn + searched) + 1), "a floor has one role"
    assert len(units(plan, "inherited")) == 2, "one for each supernet"
    assert len(units(plan, "scratch")) == 2 * 8


def test_needs_come_before_what_needs_them_and_only_scores_need_a_held_out_domain() -> None:
    plan = planned("quickstart")
    seen: set[str] = set()
    for unit in plan.units:
        assert set(unit.needs) <= seen
        seen.add(unit.hash)
    held_out = {unit.hash for unit in units(plan, "prepare") if unit.spec.domain in ("figlet", "parl_de")}
    assert {unit.kind.name for unit in plan.units if held_out & set(unit.needs)} == {"score"}


def test_the_reference_stands_once_more_under_other_seeds(tmp_path: Path) -> None:
    text = 'extends = "toy"\nagain = true\ncontrol = ["erase"]\n[search]\nshared_supernet = true\n'
    plan = plan_of(text, tmp_path)
    finals = {variant: units(plan, "final", method="tuned", variant=variant) for variant in ("", "again")}
    assert len(finals["again"]) == len(finals[""]) > 0
    others = {(one.spec.select_seed - 1000, one.spec.report_seed - 1000) for one in finals["again"]}
    assert others == {(one.spec.select_seed, one.spec.report_seed) for one in finals[""]}
    assert {one.spec.key[0] for one in finals["again"]} == {"tuned again"}
    assert not units(plan, "final", method="local_search", variant="again")
    augmented = units(plan, "final", variant="augmented")
    assert {one.spec.recipe.augmentation for one in augmented} == {("erase",)}
    assert len(augmented) == len(finals[""])
    supernets = units(plan, "supernet")
    assert len(supernets) == len({(one.spec.task, one.spec.space) for one in supernets})
    searches = units(plan, "search", searcher="local_search")
    assert len({one.hash for one in searches}) > len(supernets) / 2
    with pytest.raises(HarnessError, match=r"control must be 'move' .*, not 'blur'"):
        plan_of('extends = "toy"\ncontrol = ["blur"]\n', tmp_path)


def test_no_row_bears_the_name_of_a_method_that_the_embedded_model_stands_in_for() -> None:
    endpoint = {"HARNESS_LLM_BASE_URL": "http://127.0.0.1:9/v1", "HARNESS_LLM_MODEL": "large"}
    _, trained = load_suite("quickstart")
    asked = with_environment(trained, endpoint)
    assert (asked.searchers[0], asked.claim.method) == ("collm_nas", "collm_nas")
    stood_in = with_environment(trained, {})
    assert (stood_in.searchers, stood_in.claim.method) == (
        ["collm_standin", "random_search"],
        "collm_standin",
    )
    plan = make_plan("quickstart", stood_in)
    assert {unit.spec.searcher for unit in units(plan, "search")} == {"collm_nas", "random_search"}
    assert {unit.spec.key[0] for unit in units(plan, "final")} == {
        *("collm_standin", "random_search", "random", "default", "longer", "floor"),
        *("tuned", "tuned again", "tuned half", "tuned quarter", "tuned eighth"),
    }
    table = with_environment(load_suite("nasbench201_contamination")[1], {})
    assert table.controls[0] == table.searchers[0] == "collm_standin"
    assert "collm_nas" not in table.searchers


def test_a_suite_is_changed_by_the_command_line() -> None:
    words = ["search.evaluations=3", "tasks.digits.training.steps=7", "seeds=[4, 5]", "title=Mine, not yours"]
    plain, suite = load_suite("quickstart")[1], load_suite("quickstart", words)[1]
    digits, _ = suite.tasks
    assert (suite.search.evaluations, digits.training.steps, suite.seeds) == (3, 7, [4, 5])
    assert suite.title == "Mine, not yours"
    same = replace(plain.search, evaluations=3), replace(plain.tasks[0].training, steps=7)
    assert (suite.search, digits.training) == same
    assert suite.tasks[1] == plain.tasks[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("seeds", "--set takes KEY=VALUE, such as search.evaluations=32, and not 'seeds'"),
        ("=3", "--set takes KEY=VALUE"),
        ("search..steps=3", "--set takes KEY=VALUE"),
        ("search.evaluatons=3", "no key 'evaluatons'; did you mean evaluations.* It was read with --set "),
        ("search.evaluations=many", "a whole number, not 'many'.* It was read with --set "),
        ("tasks.digit.training.steps=3", "no entry of tasks in .*toml named 'digit'; did you mean digits"),
        ("seeds.first=3", "--set 'seeds.first=3': seeds is no table of "),
        ("tasks.steps=3", "--set 'tasks.steps=3': tasks is no table of "),
        ("search.evaluations=" + "[" * 99, "a whole number"),
        ("a." * 60 + "b=3", "--set takes KEY=VALUE"),
    ],
)
def test_a_wrong_change_is_told_in_one_sentence(change: str, told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        load_suite("quickstart", [change])


def test_a_plan_says_what_the_command_line_changed() -> None:
    name, suite = load_suite("toy", ["seeds=[0, 1, 2]"])
    plan = replace(make_plan(name, suite), changes=["seeds=[0, 1, 2]"])
    assert json.loads(plan.to_json())["command"] == "harness eval toy --set 'seeds=[0, 1, 2]'"
    assert len({unit.spec.seed for unit in plan.units if unit.kind.name == "search"}) == 3


def test_several_suites_and_patterns_run_each_in_its_own_folder_with_the_worst_status(tmp_path: Path) -> None:
    for name in ("own_one", "own_two"):
        (tmp_path / f"{name}.toml").write_text('extends = "toy_lookup"\ntitle = "Own"\nstudy = "lookup"\n')
    files = [tmp_path / "own_one.toml", tmp_path / "own_two.toml"]
    done = harness("eval", *files, "--out", tmp_path / "runs", "--seeds", "3")
    assert done.returncode == 0, done.stderr
    for name in ("own_one", "own_two"):
        plan = json.loads((tmp_path / "runs" / name / "plan.json").read_text())
        assert plan["suite"]["repeats"] == 3
        assert plan["command"] == f"harness eval {name} --set repeats=3 --set llm_repeats=2"
    (tmp_path / "runs" / "own_one" / "units").rename(tmp_path / "gone")
    (tmp_path / "runs" / "own_one" / "plan.json").write_text('{"name": "another"}')
    worst = harness("eval", *files, "--out", tmp_path / "runs", "--seeds", "3")
    assert worst.returncode == 2
    assert "harness: own_one: " in worst.stderr
    assert f"own_two was already finished in {tmp_path / 'runs' / 'own_two'}" in worst.stderr
    assert harness("eval", *files, "--json").returncode == 2
    again = tmp_path / "more" / "own_one.toml"
    again.parent.mkdir()
    again.write_text(files[0].read_text())
    assert "have one name" in harness("eval", files[0], again, "--dry-run").stderr


def test_a_pattern_stands_for_the_suites_of_the_catalog() -> None:
    assert named_suites(["toy_l*", "toy", "toy_lookup"]) == ["toy_lookup", "toy"]
    with pytest.raises(UnknownNameError, match=r"no suite named 'nothing\*'"):
        named_suites(["toy", "nothing*"])


@pytest.mark.parametrize(
    ("suite", "count", "change"), [("toy", 4, "seeds=[0, 1, 2, 3]"), ("toy_lookup", 9, "repeats=9")]
)
def test_seeds_of_a_suite_come_first(suite: str, count: int, change: str) -> None:
    _, loaded = load_suite(suite)
    assert change in load_study(loaded.study).seeded(loaded, count)
    assert first_seeds([3, 0], 4) == "seeds=[3, 0, 1, 2]"
    assert first_seeds([3, 0], 1) == "seeds=[3]"


def test_what_a_suite_misspells_is_told_with_what_is_near() -> None:
    for change, near in {
        "reference=tund": "did you mean tuned?",
        "claim.method=locl_search": "did you mean local_search?",
        'searchers=["locl_search"]': "did you mean local_search",
        'spaces=["hybrd:micro"]': "did you mean hybrid?",
    }.items():
        with pytest.raises(HarnessError, match=re.escape(near)):
            load_suite("toy", [change])
