"""The results of a run for notebooks: its board, and tidy frames of what its units left."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.identity.unit import AnyUnit
from harness.run import loaded
from harness.run.loaded import Run
from harness.run.samples import SAMPLES, read_samples
from harness.study.formats import render
from harness.study.study import AnyBoard, build_board, load_study, verdict

if TYPE_CHECKING:
    from pandas import DataFrame

    from harness.task.metric import SampleScores

KEYS: Final = ("task", "domain", "role", "method", "space", "selection", "seed", "report_seed")
"""Columns that say what a unit is of; a cell is missing where a unit has no such thing."""
INSTEAD: Final = {"task": "table", "method": "searcher", "seed": "select_seed"}
"""What stands in a column where a unit has no member of its name."""
COUNTS: Final = frozenset({"rank", "samples", "groups", "seeds", "budget", "seed", "report_seed"}) | {
    *("evaluation", "iteration", "parameters", "macs", "peak_memory_bytes", "prediction"),
}
"""Columns of whole numbers that may be missing."""
PER_SAMPLE: Final = ("position", "digest", "group", "label", "prediction")
SAMPLE_COLUMNS: Final = (*KEYS, *PER_SAMPLE, "log_probability", "numerator", "denominator")
HISTORY_COLUMNS: Final = (
    *("task", "domain", "feedback", "method", "space", "seed", "evaluation", "iteration"),
    *("score", "test", "architecture", "parameters", "macs"),
)


@dataclass(frozen=True)
class RunResults:
    """The results of a run as far as it has come; frames are made anew at each call.

    Attributes:
        run: what its folder holds.
    """

    run: Run

    @cached_property
    def board(self) -> AnyBoard:
        """The board of its study, as `board.json` keeps it."""
        return build_board(self.run)

    @property
    def verdict(self) -> str:
        """What the run says of the claim that its suite fixed in advance."""
        return verdict(self.board)

    def rows(self) -> "DataFrame":
        """Returns a line for each number of the board, as `harness leaderboard RUN --format csv` prints them.

        Columns of a suite that trains: task, selection, metric, rank, method, space, marks, what (held_out,
        in_domain, gap, difference, at_equal_in_domain or domain), value with low and high of its 95 %
        interval in the metric's own unit (shares in [0, 1], or bits per byte), domain, role, state, reason,
        samples, groups and limited. Of a table: feedback, budget, rank, method, marks, what (regret,
        difference or test), value, low, high, domain, state, reason and seeds. Of a ranking: space, order,
        marks, what (tau or difference), value, low and high.
        """
        frame = _frame(load_study(self.run.study).lines(self.board))
        lacking = [
            name for name in ("value", "low", "high") if name not in frame
        ]  # where nothing has one yet
        return frame.reindex(columns=[*frame.columns, *lacking])

    def units(self) -> "DataFrame":
        """Returns a line for each planned unit.

        Columns: unit (name of its folder), kind, status (ok, failed, skipped; missing where it has not
        run), reason, task (or table), domain, role (source or held_out), method, space, selection, seed,
        report_seed, seconds, peak_memory_bytes and result (16 hexadecimal digits over what it computed).
        """
        return _frame(self._unit(unit) for unit in self.run.units)

    def samples(self) -> "DataFrame":
        """Returns a line for each sample of each score; none of a run that keeps no scores per sample.

        Columns: task, domain, role, method, space, selection, seed, report_seed, then position (in the
        domain's prepared data), digest (of the sample's bytes), group (that is never split), label,
        prediction, log_probability (of the label, in nats), numerator and denominator. The score of lines
        together is the sum of numerators (1 for a right prediction, or bits) over that of denominators (1, or
        bytes), but for metrics that balance classes. A cell is missing where a model does not give it.

        Raises:
            HarnessError: samples are gone or damaged.
        """
        from pandas import DataFrame, concat

        frames = [DataFrame({**keys_of(unit), **columns}) for unit, columns in self._samples()]
        frames = frames or [DataFrame(columns=list(SAMPLE_COLUMNS))]
        return _typed(concat(frames, ignore_index=True).astype({"log_probability": "float64"}))

    def history(self) -> "DataFrame":
        """Returns a line for each architecture that a search evaluated, or of a table each new best one.

        Columns: task (or table), domain, feedback, method, space, seed, evaluation (1 for the first of its
        search), iteration, score (that the search saw, higher being better; None where there is none), test
        (score of a table), architecture (JSON, or the row of a table), parameters and macs.
        """
        return _frame(load_study(self.run.study).history(self.run), list(HISTORY_COLUMNS))

    def _unit(self, unit: AnyUnit) -> dict[str, Any]:
        record, timing = self.run.records.get(unit.hash), self.run.timings.get(unit.hash)
        return {
            "unit": unit.folder,
            "kind": unit.kind.name,
            "status": record.status if record else None,
            "reason": record.reason if record else None,
            **keys_of(unit),
            "seconds": timing.seconds if timing else None,
            "peak_memory_bytes": timing.peak_memory_bytes if timing else None,
            "result": record.result_hash if record and record.status == "ok" else None,
        }

    def _samples(self) -> "Iterator[tuple[AnyUnit, dict[str, Any]]]":
        for unit in self.run.units:
            record = self.run.records.get(unit.hash)
            if record is None or SAMPLES not in record.files:
                continue
            for need in ("bits", "prediction"):
                found = read_samples(self.run, unit, need, whole=True)
                if found is not None:
                    yield unit, _columns(found)

    def __repr__(self) -> str:
        done = sum(record.status == "ok" for record in self.run.records.values())
        return f"<{self.run.name!r} in {str(self.run.folder)!r}: {done} of {len(self.run.units)} units done>"

    def _repr_html_(self) -> str:
        return render(self.board, "html")


def load_run(folder: str | Path) -> RunResults:
    """Returns the results of the run in `folder`.

    Raises:
        HarnessError: there is no run, or one of its files is damaged or of another schema.
    """
    return RunResults(loaded.load_run(Path(folder)))


def _frame(lines: Iterable[Mapping[str, Any]], columns: list[str] | None = None) -> "DataFrame":
    from pandas import DataFrame

    return _typed(DataFrame(list(lines), columns=columns))


def _typed(frame: "DataFrame") -> "DataFrame":
    return frame.astype({name: "Int64" for name in frame.columns if name in COUNTS})


def keys_of(unit: AnyUnit) -> dict[str, Any]:
    """Returns what a unit is of; a table stands for a task, a searcher for its row, one seed for a pair."""
    told = {name: getattr(unit.spec, name, None) for name in (*KEYS, *INSTEAD.values(), "variant")}
    found = {name: told[name] for name in KEYS}
    found |= {name: told[other] for name, other in INSTEAD.items() if told[name] is None}
    if told["variant"]:
        found["method"] = f"{told['method']} {told['variant']}"
    return found


def _columns(samples: "SampleScores") -> dict[str, Any]:
    sure = None if samples.log_probabilities is None else samples.likelihood
    return {
        **{name: getattr(samples, name) for name in PER_SAMPLE},
        "log_probability": sure,
        "numerator": samples.numerator,
        "denominator": samples.denominator,
    }
