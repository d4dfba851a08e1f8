"""What is edited runs again, and nothing else does. Truth: a fresh run of the edited suite, and what Python
imports while a unit runs."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import llm_server
import numpy as np
import pytest
from command import result_bytes

from harness.files import read_sealed, sealed
from harness.identity.content import INPUTS
from harness.identity.unit import Unit
from harness.run.record import read_record

ROOT = Path(__file__).parents[1]
Kept = Mapping[str, Any]
STRIPES = '''\
"""Stripes of two directions."""

import numpy as np

from harness.catalog.tasks._noise import noisy
from harness.task.task import Domain, Sample, Task; from harness.task.signature import Signature

NOISE = 40


def _domain(name, seed):
    def read(archives):
        draw = np.random.default_rng(seed)
        for index in range(160):
            image = np.tile(np.arange(8) % 2 * 200, (8, 1))
            image = image.T if index % 2 else image
            yield Sample(noisy(image, NOISE, draw), index % 2, f"group {index % 32}")

    return Domain(name=name, origin="drawn here", licence="CC0", groups="index modulo 32", read=read)


TASK = Task(
    summary="Stripes.",
    signature=Signature(kind="image", classes=2, channels=1, height=8, width=8),
    metric="accuracy",
    chance=0.5,
    domains=(_domain("calm", 1), _domain("wild", 2)),
    sources=("calm",),
    held_out=("wild",),
    class_names=("down", "across"),
)
'''
NOISY = '''\
"""Noise, which the stripes import."""

import numpy as np


def noisy(image, noise, draw):
    return (image + draw.normal(0, noise, image.shape)).clip(0, 255).astype(np.uint8).tobytes()
'''
ROWS = """\
kind = "text"
summary = "Whether a review is good."
sources = ["books"]
held_out = ["games"]
context = 16

[data]
file = "reviews.jsonl"
columns = { text = "body", label = "stars", domain = "shop" }
"""
SEARCHER = '''\
"""The first architectures of a pool in the order of another file."""

import random

from harness.catalog.searchers._order import order
from harness.search.loop import SearcherEntry


class Listed:
    def __init__(self, context):
        draw = random.Random(context.seed)
        self.queue = sorted({context.space.sample(draw) for _ in range(20)}, key=order(context.space))

    def ask(self, count):
        batch, self.queue = self.queue[:count], self.queue[count:]
        return batch

    def tell(self, evaluations):
        """Learns nothing."""

    def report(self):
        return {}


SEARCHER = SearcherEntry(summary="In order.", build=Listed)
'''
ORDER = '''\
"""The order of a pool, which a searcher imports."""


def order(space):
    return lambda one: (space.parameters(one), one)
'''
BASELINE = '''\
"""One linear layer."""

from harness.learn.baseline import FixedBaseline


def _build(signature, parameters):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, signature.classes))


BASELINE = FixedBaseline(summary="One layer.", build=_build, kinds=("image",), is_matched=False)
'''
OWN = '''\
"""A model of the user's own, with what it imports."""

from own_layers import layers

KINDS = ("image",)


def build(signature):
    return layers(signature.classes)
'''
LAYERS = '''\
"""Two layers."""

from torch import nn


def layers(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, classes))
'''
TRAINED = """\
title = "All that can be edited"
study = "trained"
seeds = [0, 1]
spaces = ["hybrid:micro-attention"]
searchers = ["listed"]
baselines = ["layer", "floor", "file:own/own.py:build"]
tuned_space = "hybrid:micro-attention"
reference = "floor"
claim = { method = "listed", space = "hybrid:micro-attention" }
search = { evaluations = 2, parameter_tolerance = 0.05, rank_architectures = 0 }
"""
TASKS = """
[[tasks]]
name = "{}"
validation_samples = 20
test_samples = 30
supernet = {{ strategy = "single_path", steps = 2, batch_size = 8 }}
training = {{ steps = 2, batch_size = 8, learning_rates = [3e-3] }}
"""
LOOKUP = """\
title = "A table, and a language model"
study = "lookup"
table = "digits"
repeats = 2
llm_repeats = 2
domains = ["near"]
feedback = ["validation"]
searchers = ["random_search", "collm_nas"]
reference = "random_search"
claim = "collm_nas"

[search]
evaluations = [4]

[search.options.collm_nas]
prompts = "./prompts"

[llm]
base_url = "{url}"
model = "scripted"
model_file = "own/weights.gguf"
"""
TABLE = """\
summary = "Made-up scores of three digits."
file = "digits.csv"
space = "toy_grid:only"
column = "cell"
encoding = "json"
unit = "percent"
origin = "made up here"
licence = "CC0"

[domains.near]
validation = "validation"
test = "test"
"""


class Ran(NamedTuple):
    """How a command ended, the units that it ran, and what it printed."""

    status: int
    units: list[Kept]
    text: str


@dataclass(frozen=True)
class Place:
    """A copy of the code and of a catalog, both to be edited, and a data cache that all share."""

    folder: Path
    data: Path
    process: "subprocess.Popen[str]"

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def mine(self) -> Path:
        return self.folder / "mine"

    def harness(self, *words: str, kill: int = 0, patch: str = "") -> Ran:
        """Runs a command of the copied code on the copied catalog."""
        log = self.folder / "log"
        command = {
            "arguments": words,
            "environment": {"HARNESS_CATALOG": str(self.mine), "HARNESS_DATA": str(self.data)},
            "paths": [str(self.code), str(self.mine / "own")],
            "folder": str(self.mine),
            "log": str(log),
            "kill": kill,
            "patch": patch,
        }
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return Ran(answer["status"], answer["ran"], log.read_text())

    def eval(self, suite: str, run: Path | None = None, *words: str, **more: Any) -> Ran:
        return self.harness("eval", suite, "--out", str(run or self.folder / suite), *words, **more)

    def equals_a_fresh_run(self, suite: str) -> bool:
        """Returns whether the run of the suite has the bytes of one in a new folder."""
        fresh = self.eval(suite, self.folder / "fresh")
        assert fresh.status == 0, fresh.text
        return result_bytes(self.folder / suite) == result_bytes(self.folder / "fresh")

    def copied(self, folder: Path) -> "Place":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Place(folder, self.data, self.process)


def answering() -> Callable[[int, dict[str, Any]], Any]:
    """Returns a language model that proposes what its prompt alone decides."""

    def answer(number: int, request: dict[str, Any]) -> Any:
        seen = hashlib.sha256(json.dumps(request.get("messages")).encode()).digest()
        digits = [{"digits": [byte % 4 for byte in seen[start : start + 3]]} for start in range(0, 30, 3)]
        return llm_server.completion(json.dumps({"architectures": digits}))

    return answer


@pytest.fixture(scope="module")
def process() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(ROOT / "benchmarks" / "forked_harness.py")]
    settings = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=settings
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture(scope="module")
def finished(process: "subprocess.Popen[str]", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Returns a place where both suites were run, in `trained` and `lookup`."""
    place = Place(tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("data"), process)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("harness", "tasks", "search_spaces", "leaderboards", "reports"):
        shutil.copytree(ROOT / name, place.code / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", place.code)
    with llm_server.served(answering()) as (url, _, _):
        write_catalog(place, url)
        for suite in ("trained", "lookup"):
            done = place.eval(suite)
            assert done.status == 0, done.text
        yield place


def write_catalog(place: Place, url: str) -> None:
    mine = place.mine
    shutil.copytree(place.code / "harness/catalog/searchers/prompts/collm_nas", mine / "prompts")
    texts = {
        "tasks/stripes.py": STRIPES,
        "tasks/_noise.py": NOISY,
        "tasks/reviews.toml": ROWS,
        "tasks/digits.toml": TABLE,
        "searchers/listed.py": SEARCHER,
        "searchers/_order.py": ORDER,
        "baselines/layer.py": BASELINE,
        "own/own.py": OWN,
        "own/own_layers.py": LAYERS,
        "own/weights.gguf": "weights of a language model",
        "leaderboards/trained.toml": TRAINED + TASKS.format("stripes") + TASKS.format("reviews"),
        "leaderboards/lookup.toml": LOOKUP.format(url=url),
    }
    ignored = shutil.ignore_patterns("_*")
    shutil.copytree(ROOT / "tests/toy/search_spaces", mine / "search_spaces", ignore=ignored)
    for name, text in texts.items():
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_text(text)
    draw = np.random.default_rng(0)
    with (mine / "tasks" / "reviews.jsonl").open("w") as file:
        for number in range(240):
            words = " ".join(f"w{word}" for word in draw.integers(0, 10**6, 6))
            body = f"{'good' if number % 2 else 'bad'} {words}"
            row = {"body": body, "stars": number % 2, "shop": ("books", "games")[number // 120]}
            file.write(json.dumps(row) + "\n")
    with (mine / "tasks" / "digits.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["cell", "validation", "test"])
        for code in range(64):
            cell = [code // 16, code // 4 % 4, code % 4]
            scores = draw.uniform(20, 80, 2).round(2)
            writer.writerow([json.dumps({"digits": cell}), *scores])


def added(text: str) -> str:
    """Returns code that differs and does the same, so that what reads its results need not run again."""
    return f"{text}\n\nADDED = 1\n"


def swapped(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


class Mutation(NamedTuple):
    """An edit, and which units must run after it.

    Attributes:
        file: below the place's folder.
        runs: whether a unit runs again.
        edit: makes the new text.
        suite: that it touches.
    """

    file: str
    runs: Callable[[Kept], bool]
    edit: Callable[[str], str] = added
    suite: str = "trained"


def of(*kinds: str, **spec: str) -> Callable[[Kept], bool]:
    """Returns whether a unit is of one of the kinds, or of any, and has these parameters."""
    return lambda unit: (
        unit["kind"] in (kinds or (unit["kind"],))
        and all(unit["spec"].get(key) == value for key, value in spec.items())
    )


def of_own_model(unit: Kept) -> bool:
    return bool(unit["spec"].get("method", "").startswith("file:"))


def of_model(file: str, more: str) -> Mutation:
    """Returns an edit of what a search with a language model reads."""
    return Mutation(file, of(searcher="collm_nas"), lambda text: text + more, "lookup")


STRIPES_FILE, TABLE_UNITS = "mine/tasks/stripes.py", of("table", "lookup")
MUTATIONS: Mapping[str, Mutation] = {
    "task": Mutation(STRIPES_FILE, of(task="stripes"), swapped("NOISE = 40", "NOISE = 90")),
    "task, its import": Mutation("mine/tasks/_noise.py", of("prepare", task="stripes")),
    "reader": Mutation(STRIPES_FILE, of(task="stripes"), swapped("NOISE = 40", "NOISE = 80")),
    "task, what it is": Mutation(
        STRIPES_FILE, of(task="stripes"), swapped('metric="accuracy"', 'metric="balanced_accuracy"')
    ),
    "data": Mutation(
        "mine/tasks/reviews.jsonl", of(task="reviews"), lambda text: text.replace("good ", "fine ", 1)
    ),
    "space": Mutation(
        "code/search_spaces/hybrid.py",
        lambda unit: bool(unit["spec"].get("space") or unit["spec"].get("tuned_space")),
    ),
    "metric": Mutation(
        "code/harness/catalog/metrics/accuracy.py",
        lambda unit: of(task="stripes")(unit) and unit["kind"] not in ("prepare", "supernet"),
    ),
    "modality": Mutation("code/harness/catalog/modalities/image.py", of(task="stripes")),
    "searcher": Mutation("mine/searchers/listed.py", of(searcher="listed")),
    "searcher, its import": Mutation(
        "mine/searchers/_order.py",
        lambda unit: unit["spec"].get("searcher", unit["spec"].get("method")) == "listed",
        swapped("space.parameters(one), one", "-space.parameters(one), one"),
    ),
    "floor": Mutation("code/harness/data/text/linear.py", of(task="reviews", method="floor")),
    "baseline": Mutation("mine/baselines/layer.py", of(method="layer")),
    "model": Mutation("mine/own/own.py", of_own_model),
    "model, its import": Mutation("mine/own/own_layers.py", of_own_model),
    "engine": Mutation("code/harness/learn/supernet.py", of("supernet", "search")),
    "spec": Mutation(
        "mine/leaderboards/trained.toml", of("score"), swapped("test_samples = 30", "test_samples = 29")
    ),
    "table": Mutation(
        "mine/tasks/digits.toml", TABLE_UNITS, swapped('unit = "percent"', 'unit = "raw"'), "lookup"
    ),
    "table, its file": Mutation(
        "mine/tasks/digits.csv", TABLE_UNITS, lambda text: text.replace("5", "4"), "lookup"
    ),
    "prompts": of_model("mine/prompts/generator_system.txt", "\nBe brief.\n"),
    "model_file": of_model("mine/own/weights.gguf", "!"),
    "board": Mutation("code/harness/board/wording.py", lambda unit: False),
}


def commented(text: str) -> str:
    """Returns the text with a sentence mended, comments and blank lines; nothing that says anything else."""
    lines = text.replace('"""', '"""Mended: ', 1).replace("\n\n\n", "\n\n\n# A remark.\n\n")
    return f"# A line above.\n{lines}\n\n"


def named(unit: Kept) -> str:
    return json.dumps([unit["kind"], unit["spec"]], sort_keys=True)


def planned(run: Path) -> list[Kept]:
    units: list[Kept] = json.loads((run / "plan.json").read_bytes())["units"]
    return units


def edit(place: Place, mutation: Mutation) -> None:
    file = place.folder / mutation.file
    before = file.read_text()
    file.write_text(mutation.edit(before))
    assert file.read_text() != before


@pytest.fixture
def place(finished: Place, tmp_path: Path) -> Place:
    """Returns a place of the test's own, where both suites were run."""
    return finished.copied(tmp_path / "place")


@pytest.fixture
def run(place: Place) -> Path:
    return place.folder / "trained"


def slow(*often: str) -> Any:
    """Returns the names of all mutations, slow ones, of which continuous integration tries some."""
    return pytest.mark.parametrize(
        "name", [pytest.param(one, marks=pytest.mark.ci if one in often else ()) for one in MUTATIONS]
    )


def test_every_kind_of_input_has_a_mutation() -> None:
    kinds = {name.partition(",")[0] for name in MUTATIONS}
    parts = {field.name for field in fields(Unit)} - {"kind", "code", "needs"}
    assert kinds == {*INPUTS, *parts, "engine", "data", "board"}


@pytest.mark.slow
@slow("task", "data", "space", "model, its import", "engine", "prompts", "table, its file", "board")
def test_what_depends_on_an_edit_runs_again_and_nothing_else(place: Place, name: str) -> None:
    mutation = MUTATIONS[name]
    edit(place, mutation)
    again = place.eval(mutation.suite)
    assert again.status == 0, again.text
    expected = [named(one) for one in planned(place.folder / mutation.suite) if mutation.runs(one)]
    assert sorted(map(named, again.units)) == sorted(expected)
    assert place.equals_a_fresh_run(mutation.suite)
    assert "changed since" in again.text or name == "spec" or not again.units
    assert ("already finished" in again.text) == (not again.units)


@pytest.mark.slow
@slow("task")
def test_a_run_that_was_killed_after_an_edit_ends_in_the_bytes_of_a_fresh_one(
    place: Place, name: str
) -> None:
    suite = MUTATIONS[name].suite
    edit(place, MUTATIONS[name])
    assert place.eval(suite, kill=1).status == (0 if name == "board" else -9)
    assert place.eval(suite).status == 0
    assert place.equals_a_fresh_run(suite)


@pytest.mark.slow
@pytest.mark.ci
def test_white_space_comments_and_docstrings_run_nothing_again(place: Place) -> None:
    edited = {one.file for one in MUTATIONS.values() if one.file.endswith(".py")}
    for file in (*edited, "code/harness/learn/fit.py", "code/harness/study/trained/work/final.py"):
        path = place.folder / file
        path.write_text(commented(path.read_text()))
    for name in ("stripes.py", "reviews.toml", "digits.toml"):
        path = place.mine / "tasks" / name
        path.write_text(f"# A remark.\n\n{path.read_text()}")
    for suite in ("trained", "lookup"):
        again = place.eval(suite)
        assert (again.status, again.units) == (0, []), again.text
        assert "already finished" in again.text


@pytest.mark.slow
@pytest.mark.ci
def test_an_edit_that_is_undone_costs_nothing(place: Place, run: Path) -> None:
    before, text = result_bytes(run), (place.folder / STRIPES_FILE).read_text()
    edit(place, MUTATIONS["task"])
    assert place.eval("trained").units
    (place.folder / STRIPES_FILE).write_text(text)
    assert place.eval("trained").units == []
    assert result_bytes(run) == before


@pytest.mark.slow
@pytest.mark.ci
def test_an_edit_while_a_run_goes_on_is_never_run_under_the_old_name(place: Place, run: Path) -> None:
    edit(place, MUTATIONS["task"])
    file = place.mine / "searchers" / "_order.py"
    patch = (
        "from harness.workers import perform\n"
        "real = perform.carry_out\n"
        "def editing(unit, needs, place):\n"
        "    status = real(unit, needs, place)\n"
        f"    if unit.kind.name == 'supernet': open({str(file)!r}, 'a').write('ADDED = 1\\n')\n"
        "    return status\n"
        "perform.carry_out = editing\n"
    )
    assert place.eval("trained", patch=patch).status == 1
    report = (run / "report.md").read_text()
    assert "searcher listed was edited while the run went on; run the command again." in report
    assert place.eval("trained").status == 0
    assert place.equals_a_fresh_run("trained")


@pytest.mark.slow
@pytest.mark.ci
def test_what_is_kept_stale_is_marked_everywhere_and_not_ranked(place: Place, run: Path) -> None:
    for name in ("searcher", "task"):
        edit(place, MUTATIONS[name])
        kept = place.eval("trained", None, "--keep-stale")
        assert (kept.status, kept.units) == (0, [])
        if name == "searcher":
            assert "listed †" in kept.text
            assert "† made before searcher listed changed" in kept.text
    board = json.loads((run / "board.json").read_text())
    by_task = {task["task"]: task["rows"] for task in board["tasks"]}
    assert {row["rank"] for row in by_task["stripes"]} == {None}
    assert all(row["difference"] is None and row["marks"]["is_apart"] for row in by_task["stripes"])
    assert {row["marks"]["is_apart"] for row in by_task["reviews"]} == {False}
    assert "made before task stripes and searcher listed changed" in (run / "report.html").read_text()
    refused = place.harness("compare", str(run), "listed", "layer")
    assert refused.status == 2
    assert "was made before" in refused.text
    for format in ("md", "csv", "tex", "html", "json"):
        shown = place.harness("leaderboard", str(run), "--format", format)
        assert any(sign in shown.text for sign in ("†", "dag", "stale"))
    again = place.eval("trained")
    assert again.status == 0
    assert again.units
    assert "†" not in again.text


@pytest.mark.slow
def test_identity_covers_all_that_a_unit_imports(place: Place, tmp_path: Path) -> None:
    """Runs units of every kind alone and compares what Python loaded with what their identity lists."""
    from harness.identity.code import PRINTING

    kinds: dict[str, Kept] = {}
    for suite in ("trained", "lookup"):
        for unit in planned(place.folder / suite):
            kinds.setdefault(f"{unit['kind']} {unit['spec'].get('method', '')}", {**unit, "run": suite})
    planning = (
        "import json,pickle,sys;from pathlib import Path\n"
        "told=json.loads(sys.argv[1])\n"
        "from harness.run.stored import planned_units;from harness.identity.content import parts_of\n"
        "units={one.hash:one for one in planned_units(Path(told['run']))};unit=units[told['hash']]\n"
        "with open(told['pickle'],'wb') as file:\n"
        "    pickle.dump((unit,{need:units[need] for need in unit.needs}),file)\n"
        "parts=parts_of(unit.kind,unit.spec).values()\n"
        "print(json.dumps(sorted({name for part in parts for name in part})))\n"
    )
    performing = (
        "import json,pickle,sys;from pathlib import Path\n"
        "told=json.loads(sys.argv[1])\n"
        "with open(told['pickle'],'rb') as file:\n"
        "    unit,needs=pickle.load(file)\n"
        "from harness.data.view import DataPlace;from harness.run.place import Place\n"
        "from harness.workers.perform import perform\n"
        "place=Place(run=Path(told['run']),data=DataPlace(folder=Path(told['data'])),replay=Path(told['run']))\n"
        "perform(unit,needs,place)\n"
        "print(json.dumps(sorted(one for one in sys.modules if one.startswith('harness'))))\n"
    )
    settings = os.environ | {
        "PYTHONPATH": f"{place.code}{os.pathsep}{place.mine / 'own'}",
        "HARNESS_CATALOG": str(place.mine),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for unit in kinds.values():
        run = place.folder / str(unit["run"])
        told = {"run": str(run), "data": str(place.data), "hash": unit["hash"]}
        told["pickle"] = str(tmp_path / "unit.pickle")
        answers = []
        for script in (planning, performing):
            done = subprocess.run(
                [sys.executable, "-c", script, json.dumps(told)],
                capture_output=True,
                text=True,
                env=settings,
                cwd=place.mine,
            )
            assert done.returncode == 0, done.stderr
            answers.append(json.loads(done.stdout.splitlines()[-1]))
        covered, loaded = answers
        packages = {"harness", "harness.run", *map("harness.catalog.{}".format, FOLDERS)}
        packages |= {"harness.workers.perform"}  # what the script above runs
        packages |= {"harness.guard.text", "harness.toml"}  # what computes identities reads tables with them
        missing = {name for name in loaded if name not in covered and name not in PRINTING} - packages
        if unit["kind"] != "prepare":  # all others read what the task says, which is hashed as such
            missing = {name for name in missing if not name.startswith("harness.catalog.tasks.")}
        assert {name for name in missing if not is_package(place.code, name)} == set(), unit["kind"]


FOLDERS = ("tasks", "search_spaces", "searchers", "baselines", "metrics", "modalities")


def is_package(code: Path, name: str) -> bool:
    """Returns whether a module is a folder, whose file only hands names on."""
    return (code.joinpath(*name.split("."))).is_dir()


@pytest.mark.slow
@pytest.mark.ci
def test_a_product_that_is_gone_is_made_again_where_it_is_needed(
    place: Place, run: Path, tmp_path: Path
) -> None:
    before = result_bytes(run)
    elsewhere = Place(place.folder, tmp_path / "other machine", place.process)
    assert elsewhere.eval("trained").units == []
    lost = next(unit for unit in planned(run) if of("score", task="stripes")(unit))
    shutil.rmtree(run / "units" / f"score-{lost['hash']}")
    again = elsewhere.eval("trained")
    assert again.status == 0, again.text
    assert [unit["kind"] for unit in again.units] == ["prepare", "score"]
    assert result_bytes(run) == before


@pytest.mark.slow
@pytest.mark.ci
def test_another_kind_of_machine_is_told_and_makes_again_under_strict_alone(place: Place, run: Path) -> None:
    search = next(unit for unit in planned(run) if of("search", task="stripes")(unit))
    path = run / "units" / f"search-{search['hash']}" / "provenance.json"
    path.write_text(sealed({**read_sealed(path, ""), "processor": "another"}))
    told = place.eval("trained")
    assert (told.status, told.units) == (0, [])
    assert "listed ¶" in told.text
    assert "¶ made on two kinds of machine (processor another against" in " ".join(told.text.split())
    path.unlink()
    assert "a machine that nobody knows any more" in place.harness("leaderboard", str(run)).text
    strict = place.eval("trained", None, "--strict")
    assert [unit["hash"] for unit in strict.units] == [search["hash"]]
    assert "¶" not in strict.text


@pytest.mark.slow
@pytest.mark.ci
def test_doctor_tells_what_is_stale_missing_or_damaged_and_what_a_unit_depends_on(
    place: Place, run: Path
) -> None:
    assert place.harness("doctor", str(run)).status == 0
    edit(place, MUTATIONS["searcher"])
    weights = next(run.glob("units/final-*/weights.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    next(run.glob("units/supernet-*/record.json")).unlink()
    found = place.harness("doctor", str(run))
    assert found.status == 1
    assert "FAIL units of the run: 1 damaged, 1 not run, " in found.text
    assert f"{weights} is damaged" in found.text
    assert found.text.count("searcher listed changed since it ran") == 4
    unit = next(unit for unit in planned(run) if unit["kind"] == "search")
    why = place.harness("doctor", str(run), "--why", str(unit["hash"])[:10])
    assert "searcher listed: changed since the plan was made" in why.text
    assert "  harness.catalog.searchers._order" in why.text.replace(why.text.split("  ")[1], "")
    assert place.harness("doctor", str(run), "--why", "nothing").status == 2


@pytest.mark.slow
@pytest.mark.ci
def test_a_run_is_reproduced_to_the_byte_and_a_forged_result_is_not(place: Place, run: Path) -> None:
    again = place.harness("reproduce", str(run), "--units", "6")
    assert again.status == 0, again.text
    assert "command: harness eval trained" in again.text
    assert again.text.count(": the same bytes") == 6
    for path in run.glob("units/score-*/record.json"):
        record = read_record(path)
        path.write_text(replace(record, result={**record.result, "value": 0.123}).to_json())
    forged = place.harness("reproduce", str(run), "--units", "6")
    assert forged.status == 1
    assert "other bytes on the same kind of machine: value: 0.123 and now" in forged.text
