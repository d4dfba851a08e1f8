"""A suite is one TOML file and the experiment's whole configuration; wrong ones say where and why."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from harness import catalog
from harness.errors import HarnessError, UnknownNameError


@dataclass(frozen=True, kw_only=True)
class SupernetSettings:
    """How a supernet is trained: optimizer steps, batch and peak learning rate."""

    steps: int
    batch_size: int = 32
    learning_rate: float = 3e-3


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How finals are trained; the best of `learning_rates` on source validation is kept, for every arm."""

    steps: int
    batch_size: int = 32
    learning_rates: list[float] = field(default_factory=lambda: [3e-3])


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """One task of a suite.

    Attributes:
        name: catalog name.
        supernet: recipe of its supernets.
        training: recipe of its finals.
        sources: source domains; the task's own when empty.
        held_out: held-out domains; the task's own when empty.
        validation_samples: images or documents of each source's validation split that score a candidate.
        test_samples: images or documents of each domain's test split that a final score reads.
        document_bytes: leading bytes of a document that are scored.
    """

    name: str
    supernet: SupernetSettings
    training: TrainingSettings
    sources: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    validation_samples: int = 300
    test_samples: int = 1500
    document_bytes: int = 512


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The budget every searcher and the tuned baseline have.

    Attributes:
        evaluations: new, legal architectures.
        parameter_tolerance: largest distance from the default's parameters, a share.
        options: searcher name -> its options.
    """

    evaluations: int
    parameter_tolerance: float = 0.05
    options: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The row that the verdict speaks of, fixed before any result."""

    method: str
    space: str


@dataclass(frozen=True, kw_only=True)
class LanguageModelSettings:
    """The language model; an empty `base_url` means the embedded one, or `model_file` in its place."""

    base_url: str = ""
    model: str = ""
    model_file: str = ""
    timeout_seconds: float = 60.0
    max_tokens: int = 4096
    price_per_million_prompt_tokens: float = 0.0
    price_per_million_completion_tokens: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tasks x spaces x methods x seeds, with budgets and rules.

    Attributes:
        title: shown above the board.
        seeds: two or more; roles are crossed over consecutive pairs.
        spaces: `SPACE:PRESET` that each searcher searches.
        searchers: catalog names.
        baselines: catalog names.
        tuned_space: the space of the tuned baseline, and the source of the parameter target.
        reference: the row that others are compared with.
        claim: the row of the verdict.
        tasks: at least one.
        search: budget of a search.
        llm: the language model.
        extends: another suite whose keys hold where this one is silent.
    """

    title: str
    seeds: list[int]
    spaces: list[str]
    searchers: list[str]
    baselines: list[str]
    tuned_space: str
    reference: str
    claim: Claim
    tasks: list[TaskSettings]
    search: SearchSettings
    llm: LanguageModelSettings = field(default_factory=LanguageModelSettings)
    extends: str = ""


def load_suite(name: str) -> tuple[str, Suite]:
    """Returns the name and the suite called `name` in the catalog, or in the file at that path.

    Raises:
        UnknownNameError: there is neither.
        HarnessError: the file has a wrong key, type or value.
    """
    if name.endswith(".toml") or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise HarnessError(f"There is no suite file {name}; `harness list suites` shows the names.")
    else:
        known = catalog.files("suite")
        if name not in known:
            raise UnknownNameError("suite", name, known)
        path = known[name]
    table = _read(path)
    suite = _Reader(path).value(Suite, table, "")
    assert isinstance(suite, Suite)
    _check(suite, path)
    return path.stem, suite


def _read(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"{path} is not TOML: {error}.") from error
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path} is not UTF-8 text: {error.reason}.") from error
    parent = table.get("extends")
    if not parent:
        return table
    known = catalog.files("suite")
    if parent not in known or known[parent] == path:
        raise HarnessError(f"{path}: `extends` names {parent!r}; suites are: {', '.join(known)}.")
    return _merge(_read(known[parent]), table)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Joins tables key by key, and lists of named tables name by name."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value)
        elif key == "tasks" and isinstance(old, list) and isinstance(value, list):
            known = {task.get("name"): task for task in old}
            merged[key] = [_merge(known.get(task.get("name"), {}), task) for task in value]
        else:
            merged[key] = value
    return merged


T = TypeVar("T")


@dataclass(frozen=True)
class _Reader:
    path: Path

    def value(self, wanted: Any, value: Any, where: str) -> Any:
        """Returns `value` as `wanted`, or says in one sentence where the file is wrong."""
        origin = get_origin(wanted)
        if hasattr(wanted, "__dataclass_fields__"):
            return self._table(wanted, value, where)
        if origin is list:
            self._expect(isinstance(value, list), where, "a list", value)
            return [self.value(get_args(wanted)[0], item, f"{where}") for item in value]
        if origin is dict:
            self._expect(isinstance(value, dict), where, "a table", value)
            return {
                key: self.value(get_args(wanted)[1], item, f"{where}.{key}") for key, item in value.items()
            }
        if wanted is Any or isinstance(wanted, UnionType):
            return value
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        right = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
        kind = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}[wanted]
        self._expect(right, where, kind, value)
        return value

    def _table(self, wanted: type[T], value: Any, where: str) -> T:
        self._expect(isinstance(value, dict), where, "a table", value)
        types = get_type_hints(wanted)
        place = f"[{where}]" if where else "the top level"
        for key in value:
            if key not in types:
                near = get_close_matches(key, types, n=1)
                hint = f"did you mean {near[0]}?" if near else f"allowed are: {', '.join(sorted(types))}."
                raise HarnessError(f"{self._at(key)}: {place} has no key {key!r}; {hint}")
        for item in fields(wanted):  # type: ignore[arg-type]
            required = item.default is MISSING and item.default_factory is MISSING
            if required and item.name not in value:
                raise HarnessError(f"{self.path}: {place} lacks the key {item.name!r}.")
        inside = f"{where}." if where else ""
        return wanted(**{key: self.value(types[key], item, inside + key) for key, item in value.items()})

    def _expect(self, right: bool, where: str, kind: str, value: Any) -> None:
        if not right:
            key = where.rpartition(".")[2]
            raise HarnessError(f"{self._at(key)}: {where} must be {kind}, not {value!r}.")

    def _at(self, key: str) -> str:
        for number, line in enumerate(self.path.read_text().splitlines(), start=1):
            if line.strip().lstrip("[").startswith(key):
                return f"{self.path}, line {number}"
        return str(self.path)


def _check(suite: Suite, path: Path) -> None:
    def need(right: bool, what: str) -> None:
        if not right:
            raise HarnessError(f"{path}: {what}.")

    need(len(suite.seeds) >= 2, "seeds needs at least two, as one selects and another reports")
    need(len(set(suite.seeds)) == len(suite.seeds), "seeds has a seed twice")
    need(bool(suite.tasks), "there is no task")
    need(suite.search.evaluations >= 1, "search.evaluations must be at least 1")
    need(0 < suite.search.parameter_tolerance < 1, "search.parameter_tolerance must be in (0, 1)")
    names = [task.name for task in suite.tasks]
    need(len(set(names)) == len(names), "a task stands twice")
    for task in suite.tasks:
        both = sorted(set(task.sources) & set(task.held_out))
        need(not both, f"task {task.name!r} has {', '.join(both)} both as source and as held out")
        need(task.supernet.steps >= 1 and task.training.steps >= 1, f"task {task.name!r} needs steps >= 1")
        need(
            task.supernet.batch_size >= 1 and task.training.batch_size >= 1,
            f"task {task.name!r} needs batch_size >= 1",
        )
        smallest = min(task.validation_samples, task.test_samples, task.document_bytes)
        need(smallest >= 1, f"task {task.name!r} needs sample counts and document_bytes >= 1")
        rates = [*task.training.learning_rates, task.supernet.learning_rate]
        need(bool(task.training.learning_rates), f"task {task.name!r} needs at least one learning rate")
        need(min(rates) > 0, f"task {task.name!r} needs learning rates above 0")
    rows = {*suite.baselines, *suite.searchers}
    need(suite.reference in rows, f"reference {suite.reference!r} is not among its methods")
    need(
        suite.claim.method in suite.searchers and suite.claim.space in suite.spaces,
        "claim must name one of its searchers and one of its spaces",
    )
