"""From a suite to the graph of units, each named by the hash of all that defines it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import __version__, catalog
from harness.errors import HarnessError
from harness.model import FloorBaseline, TunedBaseline
from harness.records import SCHEMA, canonical_json, content_hash
from harness.space import SpaceFamily
from harness.suite import Suite, TaskSettings
from harness.task import Task


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One piece of work.

    Attributes:
        kind: prepare, supernet, search, final or score.
        spec: everything that defines it.
        needs: hashes of the units whose results it reads.
    """

    kind: str
    spec: Mapping[str, Any]
    needs: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """16 hexadecimal digits over kind, spec, needs and this version."""
        return content_hash([__version__, self.kind, self.spec, list(self.needs)])

    @property
    def folder(self) -> str:
        """Its folder below the run's `units`."""
        return f"{self.kind}-{self.hash}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A suite's units in an order in which needs come first.

    Attributes:
        name: the suite's name.
        suite: with the tasks' domains filled in.
        limit: largest number of samples of each split; None for all.
        units: all of them, without duplicates.
    """

    name: str
    suite: Suite
    limit: int | None
    units: tuple[Unit, ...]

    def to_json(self) -> str:
        """Returns the text of `plan.json`."""
        table = asdict(self.suite)
        for entry in table["tasks"]:
            task: Task = catalog.load("task", entry["name"])
            entry |= {"metric": task.metric, "chance": task.chance}
        command = f"harness eval {self.name}" + (f" --limit {self.limit}" if self.limit else "")
        units = [
            {"kind": unit.kind, "hash": unit.hash, "spec": unit.spec, "needs": list(unit.needs)}
            for unit in self.units
        ]
        plan = {
            "schema": SCHEMA,
            "name": self.name,
            "title": self.suite.title,
            "suite": table,
            "limit": self.limit,
            "command": command,
            "units": units,
        }
        return canonical_json(plan, indent=1) + "\n"


def make_plan(name: str, suite: Suite, *, limit: int | None = None) -> Plan:
    """Returns the plan of `suite`.

    Raises:
        UnknownNameError: a task, domain, space, preset, searcher or baseline does not exist.
        HarnessError: a domain is source and held out at once.
    """
    filled = replace(suite, tasks=[_with_domains(task) for task in suite.tasks])
    units: dict[str, Unit] = {}
    for task in filled.tasks:
        for unit in _TaskPlan(filled, task, limit).units():
            units.setdefault(unit.hash, unit)
    return Plan(name=name, suite=filled, limit=limit, units=tuple(units.values()))


def split_space(text: str) -> tuple[str, str | None]:
    """Returns name and preset of `SPACE[:PRESET]`."""
    name, _, preset = text.partition(":")
    return name, preset or None


def load_family(text: str) -> tuple[SpaceFamily, str]:
    """Returns the family and the preset that `SPACE[:PRESET]` means.

    Raises:
        UnknownNameError: there is no such space or preset.
    """
    name, preset = split_space(text)
    family: SpaceFamily = catalog.load("space", name)
    chosen = preset or family.default_preset
    family.space(chosen)
    return family, chosen


def _with_domains(settings: TaskSettings) -> TaskSettings:
    task: Task = catalog.load("task", settings.name)
    filled = replace(
        settings,
        sources=settings.sources or list(task.sources),
        held_out=settings.held_out or list(task.held_out),
    )
    for domain in (*filled.sources, *filled.held_out):
        task.domain(domain)
    both = sorted(set(filled.sources) & set(filled.held_out))
    if both:
        raise HarnessError(f"Task {settings.name!r} has {', '.join(both)} both as source and as held out.")
    return filled


class _TaskPlan:
    """The units of one task."""

    def __init__(self, suite: Suite, settings: TaskSettings, limit: int | None) -> None:
        self.suite = suite
        self.settings = settings
        self.task: Task = catalog.load("task", settings.name)
        self.limited = {} if limit is None else {"limit": limit}
        self.prepared = {domain: self._prepare(domain) for domain in (*settings.sources, *settings.held_out)}
        self.source_hashes = tuple(self.prepared[domain].hash for domain in settings.sources)

    def units(self) -> Iterator[Unit]:
        yield from self.prepared.values()
        for method, space in self._rows():
            for select, report in self._roles():
                needs = []
                if space is not None:
                    supernet = self._supernet(space, select)
                    search = self._search(method, space, select, supernet)
                    needs = [search.hash]
                    yield supernet
                    yield search
                final = self._final(method, space, select, report, needs)
                yield final
                yield from self._scores(final)

    def _rows(self) -> Iterator[tuple[str, str | None]]:
        searched = None
        for name in self.suite.baselines:
            baseline = catalog.load("baseline", name)
            if isinstance(baseline, TunedBaseline):
                searched = (baseline.searcher, self.suite.tuned_space)
                yield name, self.suite.tuned_space
            else:
                yield name, None
        for space in self.suite.spaces:
            for searcher in self.suite.searchers:
                if (searcher, space) != searched:
                    yield searcher, space

    def _roles(self) -> list[tuple[int, int]]:
        """Each seed selects once and reports once, for another."""
        seeds = self.suite.seeds
        return list(zip(seeds, [*seeds[1:], seeds[0]], strict=True))

    def _prepare(self, name: str) -> Unit:
        domain = self.task.domain(name)
        archives = [archive.sha256 for archive in domain.archives]
        spec = {"task": self.settings.name, "domain": name, "archives": archives}
        return Unit(kind="prepare", spec=spec)

    def _supernet(self, space: str, seed: int) -> Unit:
        _, preset = load_family(space)
        spec = {
            "task": self.settings.name,
            "sources": self.settings.sources,
            "space": f"{split_space(space)[0]}:{preset}",
            "seed": seed,
            "parameter_tolerance": self.suite.search.parameter_tolerance,
            **asdict(self.settings.supernet),
            **self.limited,
        }
        return Unit(kind="supernet", spec=spec, needs=self.source_hashes)

    def _search(self, method: str, space: str, seed: int, supernet: Unit) -> Unit:
        baseline = None if method in self.suite.searchers else catalog.load("baseline", method)
        searcher = baseline.searcher if isinstance(baseline, TunedBaseline) else method
        entry = catalog.load("searcher", searcher)
        options = {**entry.options, **self.suite.search.options.get(searcher, {})}
        unknown = sorted(set(options) - set(entry.options))
        if unknown:
            raise HarnessError(
                f"Searcher {searcher!r} has no option {unknown[0]!r}; it has: "
                f"{', '.join(sorted(entry.options)) or 'none'}."
            )
        spec = {
            "task": self.settings.name,
            "sources": self.settings.sources,
            "space": supernet.spec["space"],
            "searcher": searcher,
            "seed": seed,
            "evaluations": self.suite.search.evaluations,
            "parameter_tolerance": self.suite.search.parameter_tolerance,
            "validation_samples": self.settings.validation_samples,
            "document_bytes": self.settings.document_bytes,
            "options": options,
            **({"llm": asdict(self.suite.llm)} if entry.needs_llm else {}),
            **self.limited,
        }
        return Unit(kind="search", spec=spec, needs=(supernet.hash, *self.source_hashes))

    def _final(self, method: str, space: str | None, select: int, report: int, needs: list[str]) -> Unit:
        baseline = None if method in self.suite.searchers else catalog.load("baseline", method)
        training = {} if isinstance(baseline, FloorBaseline) else asdict(self.settings.training)
        spec = {
            "task": self.settings.name,
            "sources": self.settings.sources,
            "method": method,
            "space": space,
            "tuned_space": self.suite.tuned_space,
            "parameter_tolerance": self.suite.search.parameter_tolerance,
            "select_seed": select,
            "report_seed": report,
            "validation_samples": self.settings.validation_samples,
            "document_bytes": self.settings.document_bytes,
            **training,
            **self.limited,
        }
        return Unit(kind="final", spec=spec, needs=(*needs, *self.source_hashes))

    def _scores(self, final: Unit) -> Iterator[Unit]:
        roles = [("source", domain) for domain in self.settings.sources]
        roles += [("held_out", domain) for domain in self.settings.held_out]
        for role, domain in roles:
            spec = {
                **{key: final.spec[key] for key in ("task", "method", "space", "select_seed", "report_seed")},
                "tuned_space": self.suite.tuned_space,
                "domain": domain,
                "role": role,
                "samples": self.settings.test_samples,
                "document_bytes": self.settings.document_bytes,
                **self.limited,
            }
            yield Unit(kind="score", spec=spec, needs=(final.hash, self.prepared[domain].hash))


def unit_folder(run: Path, unit: Unit) -> Path:
    """Returns where the unit's record lies."""
    return run / "units" / unit.folder
