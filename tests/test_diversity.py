"""The study of diversity. Truth: formulas written anew, planted effects, and a plan that is edited."""

import importlib.util
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import harness
from scipy import stats
from working import plan_of

from harness.files import write_atomically
from harness.run.loaded import load_run
from harness.run.stored import write_record
from harness.stats.contrast import (
    at_level,
    behaviours,
    called,
    components,
    contrast,
    contrast_of_best,
    entropy,
    sign_flips,
    vendi,
)
from harness.stats.order import expected_best
from harness.study.diversity.board import DiversityBoard
from harness.study.diversity.design import balanced_rows
from harness.study.diversity.registration import text_of
from harness.study.diversity.results import PoolQuestion
from harness.study.diversity.tables import leading
from harness.study.diversity.units import CELL
from harness.study.study import build_board, verdict

DRAW = np.random.default_rng(7)


def two_arms(first: int, second: int) -> np.ndarray:
    return np.column_stack([np.ones(first + second), np.r_[np.zeros(first), np.ones(second)]])


def test_of_two_arms_a_contrast_is_welchs_with_the_variance_of_domains_beside_it() -> None:
    values = DRAW.normal(size=(30, 6)) + DRAW.normal(size=(30, 1))
    found = contrast(values, two_arms(8, 22))
    apart = values[8:].mean(axis=0) - values[:8].mean(axis=0)
    mean = values.mean(axis=1)
    architectures = mean[:8].var(ddof=1) / 8 + mean[8:].var(ddof=1) / 22
    domains = apart.var(ddof=1) / 6
    shared = 0.0
    for rows in (values[:8], values[8:]):
        own = rows - rows.mean(axis=1, keepdims=True)
        own = own - own.mean(axis=0)
        shared += (own**2).sum() / (len(rows) - 1) / 5 / len(rows) / 6
    assert found.effect.value == pytest.approx(apart.mean())
    assert found.architectures == pytest.approx(architectures)
    assert found.domains == pytest.approx(domains)
    assert found.shared == pytest.approx(shared)
    assert found.effect.error**2 == pytest.approx(max(shared, architectures + domains - shared))
    assert found.by_domain == pytest.approx(tuple(apart))


def test_a_coefficient_is_that_of_least_squares_and_what_follows_from_others_has_none() -> None:
    design = np.column_stack([np.ones(25), DRAW.normal(size=(25, 3))])
    values = DRAW.normal(size=(25, 4))
    found = contrast(values, design)
    assert found.by_domain == pytest.approx(tuple(np.linalg.lstsq(design, values, rcond=None)[0][-1]))
    with pytest.raises(ValueError, match="follows from what is held fixed"):
        contrast(values, np.column_stack([design, design[:, 1] - design[:, 2]]))


def test_the_freedom_of_one_architecture_alone_is_bell_and_mccaffreys() -> None:
    """Of two arms of n and m, all errors alike, HC2 has that of (1/n + 1/m)^2 over its parts."""
    values = np.repeat(DRAW.normal(size=(12, 1)), 3, axis=1)  # domains alike, so that they add nothing
    found = contrast(values, two_arms(4, 8)).effect
    expected = (1 / 4 + 1 / 8) ** 2 / (1 / 4**2 / 3 + 1 / 8**2 / 7)
    assert found.freedom == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sizes", "families"),
    [((0.03, 0.03, 0.03), 14), ((0.05, 0.02, 0.0), 10), ((0.0, 0.03, 0.04), 5)],
)
def test_nothing_is_called_at_most_as_often_as_the_level_and_an_interval_covers(
    sizes: tuple[float, float, float], families: int
) -> None:
    architecture, interaction, domain = sizes
    draw, wrong, tries = np.random.default_rng(1), 0, 600
    design = two_arms(8, 25)
    for _ in range(tries):
        values = draw.normal(0, architecture, (33, 1)) + draw.normal(0, interaction, (33, families))
        values += design[:, 1:] * draw.normal(0, domain, (1, families))
        low, high = contrast(values, design).effect.interval
        wrong += not low <= 0 <= high
    assert 0.005 < wrong / tries < 0.08


def test_signs_are_flipped_in_every_way() -> None:
    assert sign_flips([1.0, 1.0, 1.0, 1.0]) == pytest.approx(2 / 16)
    assert sign_flips([1.0, -1.0]) == 1.0
    values = [0.3, -0.1, 0.2]
    means = [a * 0.3 + b * 0.1 + c * 0.2 for a in (1, -1) for b in (1, -1) for c in (1, -1)]
    assert sign_flips(values) == np.mean([abs(one) >= 0.4 - 1e-12 for one in means])


def test_a_level_is_read_between_two_checkpoints_and_nowhere_else() -> None:
    held_out = np.array([[0.0, 10.0], [1.0, 20.0], [3.0, 40.0]])
    assert at_level([0.1, 0.2, 0.4], held_out, 0.3) == pytest.approx([2.0, 30.0])
    assert at_level([0.1, 0.2, 0.4], held_out, 0.4) == pytest.approx([3.0, 40.0])
    assert np.isnan(at_level([0.1, 0.2, 0.4], held_out, 0.41)).all()
    assert np.isnan(at_level([0.1, 0.2, 0.4], held_out, 0.05)).all()
    assert at_level([0.1, 0.3, 0.2], held_out, 0.2) == pytest.approx([0.5, 15.0])


def test_components_are_those_that_were_planted() -> None:
    cube = DRAW.normal(0, 0.5, (400, 1, 1)) + DRAW.normal(0, 0.3, (400, 12, 1)) + np.arange(12)[None, :, None]
    cube = cube + DRAW.normal(0, 0.2, (400, 12, 3))
    found = components(cube)
    assert found.architecture == pytest.approx(0.5, abs=0.05)
    assert found.interaction == pytest.approx(0.3, abs=0.02)
    assert found.seed == pytest.approx(0.2, abs=0.01)
    assert found.transfer == pytest.approx(0.25 / (0.25 + 0.09 / 12 + 0.04 / 36), abs=0.02)
    assert found.gain(20) / found.architecture / np.sqrt(found.transfer) == pytest.approx(1.867, abs=0.001)
    cube[::2, :, 2] = np.nan  # some were trained less often
    assert components(cube).interaction == pytest.approx(0.3, abs=0.03)


def test_the_best_of_a_budget_is_by_order_statistics_and_its_error_a_jackknife() -> None:
    select, values = DRAW.normal(size=20), DRAW.normal(size=(20, 3))
    second = np.arange(20) >= 8
    found = contrast_of_best(select, values, second, 4)
    pools = [(select[rows], values[rows]) for rows in (second, ~second)]
    best = [np.array([expected_best(keys, one, 4) for one in report.T]) for keys, report in pools]
    assert found.by_domain == pytest.approx(tuple(best[0] - best[1]))
    variance = 0.0
    for keys, report in pools:
        count = len(keys)
        left = [
            np.mean([expected_best(np.delete(keys, one), np.delete(column, one), 4) for column in report.T])
            for one in range(count)
        ]
        variance += (count - 1) / count * np.sum((np.array(left) - np.mean(left)) ** 2)
    assert found.architectures == pytest.approx(variance)


def test_vendi_counts_what_is_different() -> None:
    assert vendi(np.eye(5)) == pytest.approx(5)
    assert vendi(np.ones((5, 5))) == pytest.approx(1)
    assert vendi(np.kron(np.eye(3), np.ones((4, 4)))) == pytest.approx(3)
    assert behaviours(np.zeros((4, 2))) == pytest.approx(1)
    assert behaviours(np.arange(4)[:, None] * 20.0) == pytest.approx(4)
    near = np.exp(-0.5 * 0.5)  # of a distance of 1 on one domain of two
    assert behaviours([[0.0, 0.0], [1.0, 0.0]]) == pytest.approx(vendi([[1, near], [near, 1]]))
    assert entropy([1, 1, 2, 0]) == pytest.approx(1.5)


def test_permuted_labels_are_called_about_as_often_as_the_level() -> None:
    values, design = DRAW.normal(size=(33, 8)) + DRAW.normal(size=(33, 1)), two_arms(8, 25)
    values[8:] += 3.0  # an effect, which permuting takes away

    def test(order: np.ndarray) -> Any:
        return contrast(values, np.column_stack([design[:, 0], design[order, 1]])).effect

    assert called(test, 33, 300, 0) < 0.1
    assert test(np.arange(33)).call == "higher"


def test_a_design_has_every_family_as_often_in_every_place_and_number_of_families() -> None:
    rows = balanced_rows(5, 3, 25)
    kinds = np.array([len(set(row)) for row in rows.tolist()])
    assert np.bincount(kinds).tolist() == [0, 5, 10, 10]
    assert len({tuple(row) for row in rows.tolist()}) == 25
    for place in range(3):
        assert np.bincount(rows[:, place]).tolist() == [5] * 5
    counts = np.eye(5)[rows].sum(axis=1)
    assert np.abs([np.corrcoef(kinds, one)[0, 1] for one in counts.T]).max() < 0.1


SUITE = """\
title = "Planted"
study = "diversity"
families = "mixers"
checkpoints = [0.25, 0.5, 1.0]
budget = 5
margin = 0.02
[[arms]]
name = "attention"
space = "hybrid:mini-attention"
architectures = 8
seeds = [0, 1]
[[arms]]
name = "hybrid"
space = "hybrid:mini"
architectures = 25
design = "balanced"
seeds = [0, 1]
[task]
name = "byte_domains"
sources = ["news", "email_ham", "sotu", "python_code"]
held_out = ["wikipedia", "openwebtext", "wordnet_glosses", "moby_dick", "usenet_rec", "headlines", "parl_de",
            "parl_es", "exams_polish", "messages_de"]
LEVEL
[task.training]
steps = 4
"""
Bits = Callable[[Any, str, np.random.Generator], float]


def planted(
    folder: Path,
    *,
    gain: float = 0.0,
    kinds: float = 0.0,
    main: Mapping[str, float] | None = None,
    faster: float = 0.0,
    level: str = "level = 2.3",
    lacking: int = 0,
    opposite: float = 0.0,
) -> DiversityBoard:
    """Returns the board of a run whose hybrids are better by so many bits, or learn so much faster.

    Args:
        gain: of hybrids, at equal in-domain score.
        kinds: of one family more in a network.
        main: of a layer of a family.
        faster: bits that hybrids are ahead in domain; held-out scores follow by the same line.
        level: of the suite.
        lacking: of the last trainings that are not there.
        opposite: of hybrids near the sources, and as many fewer in other languages.
    """
    folder.mkdir(exist_ok=True)
    plan = plan_of(SUITE.replace("LEVEL", level), folder)
    write_atomically(folder / "plan.json", plan.to_json())
    draw = np.random.default_rng(3)
    domains = {name: draw.normal(0, 0.03) for name in plan.suite.task.held_out}
    strata = plan.table["task"]["strata"]
    architectures: dict[Any, tuple[float, dict[str, float]]] = {}
    cells = [unit for unit in plan.units if unit.kind == CELL]
    for unit in cells[: len(cells) - lacking]:
        spec = unit.spec
        mixers = spec.architecture["mixers"]
        own, apart = architectures.setdefault(
            (spec.arm, spec.index), (draw.normal(0, 0.02), {one: draw.normal(0, 0.02) for one in domains})
        )
        is_hybrid = spec.arm == "hybrid"
        ahead = faster * is_hybrid
        better = is_hybrid * gain + kinds * (len(set(mixers)) - 1)
        better += sum((main or {}).get(one, 0.0) for one in mixers)
        checkpoints = []
        for steps, score in ((1, 2.6), (2, 2.4), (4, 2.2)):
            score = score - ahead + draw.normal(0, 0.005)
            held_out = {
                name: 3 + 0.8 * (score - 2.3) + own + apart[name] + domains[name] * is_hybrid - better
                - opposite * is_hybrid * {"near": 1, "other language": -1}.get(strata[name], 0)
                for name in domains
            }  # fmt: skip
            noisy = {name: value + draw.normal(0, 0.01) for name, value in held_out.items()}
            inside = dict.fromkeys(spec.sources, score)
            checkpoints.append({"steps": steps, "validation": score, "in_domain": inside, "held_out": noisy})
        result = {
            "metric": "bits_per_byte",
            "parameters": 359_000,
            "macs": 1,
            "compute": 1,
            "checkpoints": checkpoints,
            "whole": checkpoints[-1]["held_out"],
            "samples": dict.fromkeys(domains, 10),
        }
        write_record(folder, unit, "ok", result=CELL.result.from_json(result), inputs={})
    board = build_board(load_run(folder))
    assert isinstance(board, DiversityBoard)
    return board


def of(board: DiversityBoard, asked: str, outcome: str = "matched") -> PoolQuestion:
    return next(
        one for one in board.found[0].questions
        if (one.asked, one.outcome, one.stratum) == (asked, outcome, "")
    )  # fmt: skip


def test_a_planted_gain_is_found_and_no_other(tmp_path: Path) -> None:
    board = planted(tmp_path, gain=0.1)
    arms = of(board, "arms")
    assert arms.answer == "better"
    assert arms.low < 0.1 < arms.high
    assert (arms.architectures, arms.domains) == (8, 9)  # the parliaments are one family
    assert of(board, "network").answer in ("cannot tell", "equivalent")
    assert "architecture of hybrid holds up better than one of the reference: it does" in verdict(board)
    assert of(planted(tmp_path / "less", gain=-0.1), "arms").answer == "worse"


def test_kinds_of_shift_with_opposite_answers_have_no_verdict_together(tmp_path: Path) -> None:
    board = planted(tmp_path, opposite=0.4)
    arms = of(board, "arms")
    assert arms.answer == "no verdict"
    assert arms.reason == "signs disagree: up on near, and down on other language"
    raw = of(board, "arms", "raw")
    assert raw.reason == arms.reason


def test_learning_faster_is_not_called_diversity(tmp_path: Path) -> None:
    """Hybrids are ahead along the line of everybody: better raw, and alike at equal in-domain score."""
    board = planted(tmp_path, faster=0.12)
    assert of(board, "arms", "raw").answer == "better"
    arms = of(board, "arms")
    assert arms.answer in ("cannot tell", "equivalent")
    assert arms.low < 0 < arms.high


def test_main_effects_of_families_are_not_called_diversity_and_a_family_more_is(tmp_path: Path) -> None:
    main = {"recurrence": 0.08, "linear": -0.05}
    board = planted(tmp_path, main=main)
    assert of(board, "network").answer in ("cannot tell", "equivalent")
    effects = board.found[0].effects
    assert "more diversity helps" not in verdict(board)
    assert effects["recurrence"].low > 0 > effects["linear"].high
    more = of(planted(tmp_path / "more", main=main, kinds=0.06), "network")
    assert more.answer == "helps"
    assert more.low < 0.06 < more.high


def test_a_level_that_trainings_do_not_pass_gives_no_verdict_and_a_raw_gain_is_none(tmp_path: Path) -> None:
    nowhere = planted(tmp_path, gain=0.1, level="level = 2.1")
    assert of(nowhere, "arms", "raw").answer == "better"
    assert leading(nowhere.found[0]) == []
    assert verdict(nowhere).startswith("No arms are compared at equal in-domain score, so nothing can be")
    half = planted(tmp_path / "half", gain=0.1, faster=0.0, level="level = 2.2")
    arms = of(half, "arms")
    assert arms.answer == "no verdict"
    assert arms.reason.endswith("% of the trainings of an arm are outside of the level")


def test_without_a_level_the_best_that_all_reach_is_taken_and_told(tmp_path: Path) -> None:
    found = planted(tmp_path, level="").found[0]
    assert not found.is_level_fixed
    reached = [min(x for x, _ in line.points) for line in found.lines]
    assert found.level == pytest.approx(max(reached))
    assert any("found by the result" in note for note in found.notes)


def test_a_part_of_the_trainings_is_told_as_a_part(tmp_path: Path) -> None:
    board = planted(tmp_path, gain=0.1, lacking=20)
    assert (board.done, board.planned) == (46, 66)
    assert verdict(board).startswith("46 of 66 trainings are finished; of 1 question about diversity")
    assert [(one.trainings, one.planned) for one in board.found[0].arms] == [
        (11, 16),
        (35, 50),
    ]  # a part of every arm alike


def test_every_answer_that_leads_is_at_equal_in_domain_score(tmp_path: Path) -> None:
    found = planted(tmp_path).found[0]
    assert [(one.asked, one.outcome, one.stratum) for one in leading(found)] == [
        ("arms", "matched", ""),
        ("network", "matched", ""),
        ("search", "matched", ""),
    ]
    rates = [one.permuted for one in leading(found) if one.permuted is not None]
    assert len(rates) == 2
    assert max(rates) < 0.12


def test_an_independent_code_finds_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[1] / "benchmarks" / "diversity_check.py"
    spec = importlib.util.spec_from_file_location("diversity_check", path)
    assert spec is not None
    assert spec.loader is not None
    independent = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(independent)
    board = planted(tmp_path, gain=0.05, kinds=0.02, main={"linear": 0.04}, lacking=9)
    told = json.loads(json.dumps(asdict(board), default=str))
    (tmp_path / "board.json").write_text(json.dumps(told))
    with warnings.catch_warnings(action="ignore"):
        assert independent.checked(tmp_path) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    told["found"][0]["questions"][0]["gain"] += 1e-6
    (tmp_path / "board.json").write_text(json.dumps(told))
    with warnings.catch_warnings(action="ignore"):
        assert independent.checked(tmp_path) == 1


REGISTERED = SUITE.replace('title = "Planted"', 'title = "Planted"\nregistered = true').replace(
    "LEVEL", "level = 2.3"
)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a catalog folder with a suite that is to be registered."""
    (tmp_path / "leaderboards").mkdir()
    (tmp_path / "leaderboards" / "mine.toml").write_text(REGISTERED)
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned_json(*words: object) -> dict[str, Any]:
    ended = harness("eval", "mine", "--dry-run", "--json", *words)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_nothing_is_trained_before_a_plan_is_registered(mine: Path) -> None:
    ended = harness("eval", "mine", "--out", mine / "run")
    assert ended.returncode == 2
    assert "trains nothing before its plan is registered; run `harness eval mine --register`" in ended.stderr
    assert not (mine / "run").exists()
    assert planned_json()["suite"]["registration"] is None
    assert harness("eval", "mine", "--register", "--limit", 5).returncode == 2


def test_the_hash_of_what_is_registered_is_in_the_key_of_every_training(mine: Path) -> None:
    before = {unit["hash"] for unit in planned_json()["units"] if unit["kind"] == "cell"}
    assert harness("eval", "mine", "--register").returncode == 0
    plan = planned_json()
    cells = [unit for unit in plan["units"] if unit["kind"] == "cell"]
    kept = json.loads((mine / "leaderboards" / "mine.registered.json").read_text())
    assert {unit["spec"]["registration"] for unit in cells} == {kept["sha256"]}
    assert not before & {unit["hash"] for unit in cells}
    assert plan["suite"]["registration"]["deviations"] == []
    again = harness("eval", "mine", "--register")
    assert again.returncode == 2
    assert "what is registered stays" in again.stderr


def test_what_departs_from_a_registration_is_told_and_an_edited_one_is_refused(mine: Path) -> None:
    harness("eval", "mine", "--register")
    suite = mine / "leaderboards" / "mine.toml"
    suite.write_text(REGISTERED.replace("margin = 0.02", "margin = 0.5"))
    told = planned_json()["suite"]["registration"]["deviations"]
    assert told == ["margin is 0.5 and was registered as 0.02."]
    suite.write_text(REGISTERED.replace("architectures = 25", "architectures = 24"))
    told = planned_json()["suite"]["registration"]["deviations"]
    assert any("registered trainings are no part of the plan" in one for one in told)
    file = mine / "leaderboards" / "mine.registered.json"
    file.write_text(file.read_text().replace('"margin": 0.02', '"margin": 0.5'))
    ended = harness("eval", "mine", "--dry-run")
    assert ended.returncode == 2
    assert "mine.registered.json" in ended.stderr


def test_other_data_than_was_registered_is_told(mine: Path) -> None:
    harness("eval", "mine", "--register")
    file = mine / "leaderboards" / "mine.registered.json"
    what = json.loads(file.read_text())["registered"]
    assert len(what["domains"]) == len(set(what["domains"].values())) == 14
    file.write_text(text_of({**what, "domains": what["domains"] | {"byte_domains/news": "other"}}))
    told = planned_json()["suite"]["registration"]["deviations"]
    assert told == ["The data or the reader of byte_domains/news changed since."]


CONTROLLED = 'control_source = "wikipedia"\ncontrol_architectures = 2'


def test_wrong_suites_are_told_in_one_sentence(mine: Path) -> None:
    suite = mine / "leaderboards" / "mine.toml"
    for old, new, said in (
        ("[0.25, 0.5, 1.0]", "[0.5, 0.25, 1.0]", "checkpoints ascend"),
        ("[0.25, 0.5, 1.0]", "[0.25, 0.5]", "the last of checkpoints is 1"),
        ('families = "mixers"\n', "", "arm 'hybrid' is balanced and needs families"),
        ("architectures = 25", "architectures = 200", "There are 125 such networks, and 200 are wanted"),
        ('families = "mixers"', 'families = "mixer"', "has no list 'mixer'"),
        ("architectures = 8", "architectures = 8000", "ask for fewer, or raise parameter_tolerance"),
        ("budget = 5", CONTROLLED, "control_source is 'wikipedia', which the suite trains on or holds out"),
    ):
        suite.write_text(REGISTERED.replace(old, new))
        ended = harness("eval", "mine", "--dry-run")
        assert ended.returncode == 2, new
        assert said in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_rates_of_families_give_a_network_their_geometric_mean(mine: Path) -> None:
    rates = (
        "rates = { attention = 1e-3, local = 2e-3, linear = 4e-3, convolution = 8e-3, recurrence = 16e-3 }\n"
    )
    (mine / "leaderboards" / "mine.toml").write_text(rates + REGISTERED)
    base = {"attention": 1e-3, "local": 2e-3, "linear": 4e-3, "convolution": 8e-3, "recurrence": 16e-3}
    for unit in planned_json()["units"]:
        if unit["kind"] == "cell":
            mixers = unit["spec"]["architecture"]["mixers"]
            assert unit["spec"]["learning_rate"] == pytest.approx(stats.gmean([base[one] for one in mixers]))


PLACES, KINDS_OF_LAYERS, FAR = 4, "abc", ("one", "two", "three", "four", "five")


def tabled(folder: Path, *, kind: float = 0.0, copies: float = 1.0) -> DiversityBoard:
    """Returns the board of a suite on a table of 81 networks, of which a family more is worth `kind`.

    Layers have main effects by place; `copies` is how much of a network's worth all domains share.
    """
    draw = np.random.default_rng(5)
    genes = np.array(list(np.ndindex(*[len(KINDS_OF_LAYERS)] * PLACES)))
    main = draw.normal(size=(PLACES, len(KINDS_OF_LAYERS)))
    worth = main[np.arange(PLACES), genes].sum(axis=1) + draw.normal(0, 0.3, len(genes))
    kinds = np.array([len(set(row)) for row in genes.tolist()])
    lines = [",".join(["key", *FAR])]
    columns = [copies * worth + kind * kinds + draw.normal(0, 0.1, len(genes)) for _ in FAR]
    for row, scores in zip(genes.tolist(), np.array(columns).T, strict=True):
        lines.append(",".join(["".join(map(str, row)), *(f"{one:.6f}" for one in scores)]))
    (folder / "tasks").mkdir(parents=True)
    (folder / "leaderboards").mkdir()
    (folder / "tasks" / "made.csv").write_text("\n".join(lines) + "\n")
    options = json.dumps(list(KINDS_OF_LAYERS))
    card = [
        'summary = "Made up."',
        'file = "made.csv"',
        'column = "key"',
        'encoding = "digits"',
        'unit = "raw"',
    ]
    card += ['origin = "made up here"', 'licence = "CC0"', "[choices]"]
    card += [f'"layer[{place}]" = {options}' for place in range(PLACES)]
    card += [f'[domains.{name}]\nvalidation = "{name}"\ntest = "{name}"' for name in FAR]
    (folder / "tasks" / "made.toml").write_text("\n".join(card) + "\n")
    suite = 'title = "Made"\nstudy = "diversity"\ntables = ["made"]\nbudget = 5\nmargin = 0.05\n'
    (folder / "leaderboards" / "of_made.toml").write_text(suite)
    ended = harness("eval", "of_made", "--out", folder / "run", "--workers", 1, HARNESS_CATALOG=str(folder))
    assert ended.returncode == 0, ended.stderr
    board = build_board(load_run(folder / "run"))
    assert isinstance(board, DiversityBoard)
    return board


def test_on_a_table_main_effects_by_place_are_no_diversity_and_a_family_more_is(tmp_path: Path) -> None:
    nothing = tabled(tmp_path / "nothing")
    assert of(nothing, "network").answer in ("equivalent", "cannot tell")
    assert of(nothing, "network", "raw").answer in ("equivalent", "cannot tell")
    found = tabled(tmp_path / "kinds", kind=1.5)
    # Every domain has it, so that it is raw, and gone at equal in-domain score.
    assert of(found, "network", "raw").answer == "helps"
    assert of(found, "network").answer in ("equivalent", "cannot tell")
    arm = found.found[0].arms[0]
    assert (arm.architectures, arm.parameters) == (81, (0, 0))
    controls = {one.name: one for one in found.found[0].controls}
    planted_gain = controls["main effects, and .05 for a family more"]
    assert planted_gain.low < 0.05 < planted_gain.high
    assert (
        controls["main effects of families alone"].low < 0 < controls["main effects of families alone"].high
    )


def test_a_table_of_one_domain_or_of_no_rows_is_refused(mine: Path) -> None:
    suite = mine / "leaderboards" / "mine.toml"
    for table, said in (
        ("hwgpt", "has no rows"),
        ("nasbench_macro", "has one domain"),
        ("nosuch", "no table"),
    ):
        suite.write_text(f'title = "x"\nstudy = "diversity"\ntables = ["{table}"]\n')
        ended = harness("eval", "mine", "--dry-run")
        assert ended.returncode == 2
        assert said in ended.stderr
    suite.write_text('title = "x"\nstudy = "diversity"\n')
    assert "a suite has either a task or tables" in harness("eval", "mine", "--dry-run").stderr
