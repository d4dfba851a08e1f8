"""What a study is: all between a suite and what is said of its run.

A study is a folder with `study.py`, whose constant STUDY is the one object that the command line, runs,
boards and reports ask: for settings, units, boards, verdicts and comparisons. None of them knows a study by
name. Ours lie beside this file, others in `studies/` of a catalog folder.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from harness import catalog
from harness.errors import HarnessError
from harness.identity.unit import AnyKind, AnyUnit, called
from harness.run.loaded import Run
from harness.study.settings import Need, SearcherSettings, Settings

if TYPE_CHECKING:
    from harness.board.comparison import RowComparison
    from harness.board.leaderboard import FoundNetwork, Leaderboard
    from harness.board.series import Series
    from harness.board.table import Table
    from harness.data.view import DataPlace
    from harness.language.export import SuitePart
    from harness.run.record import Speed
    from harness.study.network import RowNetwork
    from harness.study.plan import Plan
    from harness.study.published import ForeignRow
    from harness.task.signature import Signature


class AnyBoard(Protocol):
    """What every board says, a frozen dataclass that holds no timing."""

    study: ClassVar[str]

    @property
    def name(self) -> str:
        """The suite's name."""
        ...

    @property
    def title(self) -> str:
        """The suite's title."""
        ...

    @property
    def limit(self) -> int | None:
        """Largest number of samples of each split, or of seeds; None for all."""
        ...


S = TypeVar("S", bound=Settings)
B = TypeVar("B", bound=AnyBoard)


class Study(Generic[S, B]):
    """A kind of study.

    Attributes:
        summary: one line.
        settings: dataclass that a suite's TOML file is parsed as.
        planned: dataclass of the settings as `plan.json` keeps them, complete.
        kinds: of its units.
        rows: kinds of the units that rows are made of.
        parts: name of a method below -> MODULE:FUNCTION that it calls, by name, as naming it must not import
            it; a study may have the method itself in place of it. `values` names the class of its boards.
        free: keys of a suite that say which rows there are; all others must agree where runs are merged.
    """

    summary: ClassVar[str]
    settings: type[S]
    planned: type[Any]
    kinds: tuple[AnyKind, ...]
    rows: tuple[AnyKind, ...] = ()
    parts: ClassVar[Mapping[str, str]] = {}
    free: tuple[str, ...] = ("title", "extends", "claim", "llm", "limits")

    def check(self, settings: S, need: Need) -> None:
        """Raises the first thing that is wrong with a suite, a HarnessError with its file."""
        raise NotImplementedError

    def plan(self, name: str, settings: S, *, limit: int | None, tables: tuple[Path, ...]) -> "Plan":
        """Returns the units of a suite.

        Raises:
            UnknownNameError: an entry that the suite names does not exist.
            HarnessError: its settings do not fit together.
        """
        plan: Plan = self._part("plan")(name, settings, limit=limit, tables=tables)
        return plan

    def register(self, plan: "Plan") -> Path:
        """Writes down what of a plan is fixed before anything runs, and returns where.

        Raises:
            HarnessError: the study fixes nothing so, or it was done before.
        """
        raise HarnessError(f"{plan.name} is of a study without registration; leave out --register.")

    def refuse(self, plan: "Plan") -> None:
        """Raises a HarnessError where a plan may not run yet."""

    def board(self, run: Run) -> B:
        """Returns the board of a run, complete or not."""
        board: B = self._part("board")(run)
        return board

    def verdict(self, board: B) -> str:
        """Returns what the run says of the claim that its suite fixed in advance."""
        return str(self._part("verdict")(board))

    def wants(self, run: Run, board: B) -> list[str]:
        """Returns what a verdict that the run does not give would take, with its cost at this run's speed."""
        return list(self._part("wants")(run, board)) if "wants" in self.parts else []

    def tables(self, board: B) -> "list[Table]":
        """Returns the tables that a leaderboard prints."""
        return list(self._part("tables")(board))

    def series(self, board: B) -> "Sequence[Series]":
        """Returns the board's rows as figures draw them; none where figures may choose."""
        return ()

    def headline(self, board: B) -> str:
        """Returns what of the verdict stands first, in one sentence."""
        return str(self._part("headline")(board)) if "headline" in self.parts else self.verdict(board)

    def leaderboards(self, board: B) -> "list[Leaderboard]":
        """Returns the board's rankings as a site shows them; none where the study has no rows."""
        return list(self._part("leaderboards")(board)) if "leaderboards" in self.parts else []

    def found(self, run: Run) -> "list[FoundNetwork]":
        """Returns the architectures that a site shows of a run."""
        return list(self._part("found")(run)) if "found" in self.parts else []

    def history(self, run: Run) -> list[dict[str, Any]]:
        """Returns a line for each architecture that a search evaluated; none of a study without searches."""
        return list(self._part("history")(run)) if "history" in self.parts else []

    def board_from_json(self, value: Mapping[str, Any]) -> B:
        """Returns the board that a file keeps.

        Raises:
            ValueError: it is none of this study.
        """
        from pydantic import TypeAdapter

        kind: Any = self._part("values")
        board: B = TypeAdapter(kind).validate_python(value)
        return board

    def with_foreign(self, board: B, rows: "Sequence[ForeignRow]") -> B:
        """Returns the board with rows of other programs beside those of papers, where any has its scores.

        Raises:
            HarnessError: the study shows none.
        """
        if "with_foreign" not in self.parts:
            raise HarnessError(
                f"{board.name} has no held-out domains, so no row of another program joins it."
            )
        joined: B = self._part("with_foreign")(board, rows)
        return joined

    def lines(self, board: B) -> list[dict[str, Any]]:
        """Returns the lines of the board's CSV."""
        return list(self._part("lines")(board))

    def compare(self, run: Run, first: str, second: str, metric: str | None) -> "RowComparison":
        """Returns two rows of a run side by side.

        Raises:
            HarnessError: there are no such rows, or the study has none.
        """
        if "compare" not in self.parts:
            raise HarnessError(f"{run.name} has no rows of scores to compare; its board holds what it found.")
        comparison: RowComparison = self._part("compare")(run, first, second, metric)
        return comparison

    def rescore(self, run: Run, metric: str) -> B:
        """Returns the board of a run with another metric.

        Raises:
            HarnessError: what the run kept does not give it.
        """
        if "rescore" not in self.parts:
            raise HarnessError(
                f"{run.name} keeps no scores per sample, so no other metric can be had from it."
            )
        board: B = self._part("rescore")(run, metric)
        return board

    def network(self, run: Run, row: str, task: str | None, seed: int | None) -> "RowNetwork":
        """Returns the final network of a row of a run, of one task and one seed.

        Raises:
            HarnessError: there is none, or the study trains none.
        """
        if "network" not in self.parts:
            raise HarnessError(
                f"{run.name} keeps no final networks, as its study {self.summary}; export from a run of a "
                "suite that trains."
            )
        network: RowNetwork = self._part("network")(run, row, task, seed)
        return network

    def measure(self, run: Run, *, device: str, threads: int, batch_size: int) -> "Iterator[Speed]":
        """Yields how fast each network of a run answers on this machine, on `cpu` or `cuda`.

        Raises:
            HarnessError: the study trains no networks.
        """
        if "measure" not in self.parts:
            raise HarnessError(
                f"{run.name} has no networks to measure, as its study {self.summary}; name a run of a suite "
                "that trains."
            )
        speeds: Iterator[Speed] = self._part("measure")(run, device, threads, batch_size)
        return speeds

    def measured(self, run: Run, board: B) -> "list[Table]":
        """Returns the tables of what was measured on machines, which no board holds."""
        return list(self._part("measured")(run, board)) if run.speeds and "measured" in self.parts else []

    def scored_parts(self, plan: "Plan", task: str, place: "DataPlace") -> "Mapping[str, SuitePart]":
        """Returns domain -> what a plan scores of the held-out domains of a task.

        Raises:
            HarnessError: it scores none.
        """
        if "scored_parts" not in self.parts:
            raise HarnessError(f"{plan.name} scores no samples of {task}; name a suite that trains.")
        parts: Mapping[str, SuitePart] = self._part("scored_parts")(plan, task, place)
        return parts

    def names(self, settings: S) -> list[str]:
        """Returns the entries that a suite names where its plan needs files that may not be here."""
        return []

    def with_models(self, settings: S, models: Sequence[str]) -> S:
        """Returns the suite with more baselines, each by its name or as PATH.py:FUNCTION.

        Raises:
            HarnessError: the study has no rows that a model could join.
        """
        raise HarnessError("--model joins suites that train; this one has no rows that a model could join.")

    def seeded(self, settings: S, count: int) -> list[str]:
        """Returns KEY=VALUE that give a suite so many seeds, its own ones first.

        Raises:
            HarnessError: the study has no seeds.
        """
        raise HarnessError("--seeds is for suites with seeds; this one has none.")

    def trained_on(self, settings: S) -> "list[tuple[str, Signature]]":
        """Returns name and signature, as networks see it, of each task that networks are trained on."""
        return []

    def whole(self, settings: S) -> S:
        """Returns the suite with its held-out domains scored without a cap.

        Raises:
            HarnessError: the study scores none.
        """
        raise HarnessError("--whole is for suites that train; this one scores no held-out samples.")

    def stood_in(self, settings: S) -> S:
        """Returns the suite with searchers under the names that they have with the embedded model."""
        return settings

    def protocol(self, run: Run) -> dict[str, Any]:
        """Returns, by what people call it, all that must agree before rows of two runs are comparable."""
        suite = asdict(run.suite)  # type: ignore[call-overload]
        found = {words(key): value for key, value in suite.items() if key not in self.free}
        return {"limit": run.limit, **found}

    def stands_alone(self) -> str:
        """Returns why runs of this study are never merged; empty where they are."""
        return ""

    def place(self, unit: AnyUnit) -> Sequence[Any]:
        """Returns what tells the cell of a unit of `rows` from all others, its row first."""
        return [unit.hash]

    def merged(self, runs: Sequence[Run]) -> Any:
        """Returns the settings of several runs as one, as `Run.suite` has them."""
        return runs[0].suite

    def noted(self, board: B, note: str) -> B:
        """Returns the board with one more note."""
        return board

    def suite_from_json(self, value: Mapping[str, Any]) -> Any:
        """Returns the settings that `plan.json` keeps.

        Raises:
            ValueError: they are none of this study.
        """
        from pydantic import TypeAdapter

        return TypeAdapter(self.planned).validate_python(value)

    def _part(self, name: str) -> Callable[..., Any]:
        return called(self.parts[name])


def load_study(name: str) -> "Study[Any, Any]":
    """Returns the study called `name`."""
    study: Study[Any, Any] = catalog.load("study", name)
    return study


def make_plan(
    name: str, suite: Settings, *, limit: int | None = None, tables: tuple[Path, ...] = ()
) -> "Plan":
    """Returns the plan of a suite of any study; raises as `Study.plan` does."""
    with catalog.held():
        return load_study(suite.study).plan(name, suite, limit=limit, tables=tables)


def build_board(run: Run) -> AnyBoard:
    """Returns the board of a run of any study; raises as `Study.board` does."""
    with catalog.held():
        board: AnyBoard = load_study(run.suite.study).board(run)
    return board


def verdict(board: AnyBoard) -> str:
    """Returns what the run says of the claim that its suite fixed in advance."""
    return load_study(board.study).verdict(board)


def first_seeds(seeds: Sequence[int], count: int) -> str:
    """Returns SEEDS=VALUE of so many seeds: those of a suite, and then the least others."""
    others = (seed for seed in range(count) if seed not in seeds)
    return f"seeds={[*seeds, *others][:count]}"


def words(key: str) -> str:
    """Returns a key as people read it."""
    return key.replace("_", " ")


def joint(suites: Sequence[Settings], key: str) -> list[Any]:
    """Returns what the lists of several suites hold under a key, each once."""
    return list(dict.fromkeys(one for suite in suites for one in getattr(suite, key)))


def rules_of(search: SearcherSettings) -> dict[str, Any]:
    """Returns what of a search must agree before its rows are comparable."""
    free = ("variants", "options")
    return {f"search {words(key)}": value for key, value in asdict(search).items() if key not in free}
