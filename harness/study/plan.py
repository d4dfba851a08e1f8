"""Units, each named by the hash of all that defines it, and the plan that they make up."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from harness import catalog
from harness.data.corruptions import domain_of
from harness.errors import HarnessError
from harness.files import SCHEMA, sealed
from harness.identity.content import code_of
from harness.identity.unit import AnyUnit, R, S, Spec, Unit, UnitKind
from harness.search.loop import SearcherEntry
from harness.study.settings import LanguageModelSettings, SearcherSettings, Settings
from harness.study.work.units import ENDPOINT, PREPARE, EndpointSpec, Preparation, PrepareSpec
from harness.task.task import Task


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A suite's units in an order in which needs come first.

    Attributes:
        name: the suite's name.
        suite: with its domains filled in.
        table: the suite as `plan.json` keeps it.
        limit: largest number of samples of each split, or of seeds of a look-up; None for all.
        units: all of them, without duplicates.
        models: those that the command line joined to the suite's baselines.
        whole: whether the command line took the caps off held-out domains.
        changes: KEY=VALUE that the command line put in place of what the suite's file says.
    """

    name: str
    suite: Settings
    table: Mapping[str, Any]
    limit: int | None
    units: tuple[AnyUnit, ...]
    models: Sequence[str] = ()
    whole: bool = False
    changes: Sequence[str] = ()

    def to_json(self) -> str:
        """Returns the text of `plan.json`."""
        command = f"harness eval {self.name}" + (f" --limit {self.limit}" if self.limit else "")
        command += " --whole" * self.whole
        command += "".join(f" --model {shlex.quote(model)}" for model in self.models)
        command += "".join(f" --set {shlex.quote(change)}" for change in self.changes)
        plan = {
            "schema": SCHEMA,
            "name": self.name,
            "title": self.suite.title,
            "suite": self.table,
            "limit": self.limit,
            "command": command,
            "units": [unit.to_json() for unit in self.units],
        }
        return sealed(plan)


def planned(kind: UnitKind[S, R], spec: Spec, needs: Sequence[str] = ()) -> Unit[S, R]:
    """Returns a unit with the content of all that it runs and reads as it is now."""
    assert isinstance(spec, kind.spec)
    return Unit(kind=kind, spec=spec, needs=tuple(needs), code=code_of(kind, spec))


def distinct(units: Iterable[AnyUnit]) -> tuple[AnyUnit, ...]:
    """Returns the units, each where it first stands; endpoints before all, to be told of them at once."""
    found = {unit.hash: unit for unit in units}.values()
    return tuple(sorted(found, key=lambda unit: unit.kind != ENDPOINT))


def members(spec: Spec, kind: type[Spec]) -> dict[str, Any]:
    """Returns what a specification has of the members of one of its bases."""
    return {one.name: getattr(spec, one.name) for one in fields(kind)}


def prepare_unit(task_name: str, name: str) -> Unit[PrepareSpec, Preparation]:
    task: Task = catalog.load("task", task_name)
    domain = domain_of(task, name)
    archives = tuple(archive.sha256 for archive in domain.archives)
    spec = PrepareSpec(task=task_name, domain=name, archives=archives, version=domain.version)
    return planned(PREPARE, spec)


def endpoint_unit(entry: SearcherEntry, llm: LanguageModelSettings) -> list[AnyUnit]:
    """Returns the unit that tries the endpoint which a searcher asks; nothing where it asks none."""
    return [planned(ENDPOINT, EndpointSpec(llm=llm))] if entry.needs_llm and llm.base_url else []


def stand_ins(searchers: Iterable[str]) -> dict[str, str]:
    """Returns the names that searchers of the catalog have where the embedded model answers, by their own."""
    known = [name for name in searchers if name in catalog.files("searcher")]
    return {name: new for name in known if (new := catalog.load("searcher", name).standin)}


def resolve_searcher(settings: SearcherSettings, name: str) -> tuple[str, SearcherEntry, dict[str, Any]]:
    """Returns the catalog name, the entry and all options of a suite's searcher or variant.

    Raises:
        UnknownNameError: there is no such searcher.
        HarnessError: an option does not exist, or has another type than its default.
    """
    variant = settings.resolve(name)
    entry: SearcherEntry = catalog.load("searcher", variant.searcher)
    for option, value in variant.options.items():
        if option not in entry.options:
            there = ", ".join(sorted(entry.options)) or "none"
            raise HarnessError(f"Searcher {variant.searcher!r} has no option {option!r}; it has: {there}.")
        default = entry.options[option]
        number = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
        if type(value) is not type(default) and not number:
            raise HarnessError(
                f"Option {option!r} of searcher {variant.searcher!r} is {default!r} by default and cannot be "
                f"{value!r}."
            )
        allowed = entry.allowed.get(option)
        if allowed is None:
            continue
        is_name = isinstance(value, str)
        if not (value in allowed if is_name else allowed[0] <= value <= allowed[-1]):
            there = ", ".join(allowed) if is_name else f"{allowed[0]} to {allowed[-1]}"
            raise HarnessError(
                f"Option {option!r} of searcher {variant.searcher!r} is {there}, not {value!r}."
            )
    return variant.searcher, entry, {**entry.options, **variant.options}
