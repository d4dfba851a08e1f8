"""Units of work, each named by a hash of all that defines it, and the kinds of units."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from harness.files import content_hash
from harness.guard.paths import path_part
from harness.identity.schema import Schema

S = TypeVar("S", bound="Spec", covariant=True)
R = TypeVar("R", bound=Schema, covariant=True)

ORDER: Final = ("task", "method", "searcher", "space", "domain", "seed", "select_seed", "report_seed")
"""Members of specifications that order the units of one kind."""
METHOD: Final = ("searcher", "method")
"""Members of specifications of which a unit of a row has one at least."""
ROW: Final = (*METHOD, "options", "variant", "selection", "space", "task", "table")
"""Members of specifications that make up a row."""
WORDS: Final = (
    "task",
    "table",
    "method",
    "searcher",
    "proxy",
    "strategy",
    "space",
    "domain",
    "feedback",
    "index",
)
"""Members of specifications that people know a unit by."""


class Read(NamedTuple):
    """Something that a unit runs or reads beside the engine: an entry, or files of the user's.

    `input` says what it is, as `harness.identity.content.INPUTS` has it; nothing is read for an empty name.
    """

    input: str
    name: str
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Spec(Schema):
    """The parameters of a unit, each kind its own; `limit` is the largest number of samples of each split."""

    limit: int | None = None

    def reads(self) -> Iterator[Read]:
        """Yields what the unit runs or reads of the catalog and of the user's files."""
        yield from ()

    @property
    def order(self) -> tuple[str, ...]:
        """What the units of one kind are ordered by."""
        return tuple(f"{getattr(self, name, None)!s:>12}" for name in ORDER)

    @property
    def row(self) -> tuple[str, ...]:
        """What the units of one row share; empty where the unit serves several rows."""
        if not any(getattr(self, name, None) for name in METHOD):
            return ()
        return tuple(str(getattr(self, name, None)) for name in ROW)

    def asked(self, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """Returns the members that say who asked for the unit and decide nothing, where it reads `inputs`."""
        return ()

    @property
    def is_known(self) -> bool:
        """Whether all that decides the result is known by content; what an endpoint answers is not."""
        return True

    @property
    def words(self) -> list[str]:
        """What people know the unit by, beside its kind."""
        found = [str(one) for name in WORDS if (one := getattr(self, name, None)) not in (None, "")]
        seeds = [one for name in ("seed", "report_seed") if (one := getattr(self, name, None)) is not None]
        return [*found, *(f"seed {seed}" for seed in seeds[:1])]

    @property
    def of(self) -> str:
        """TASK/DOMAIN, or as much of it as the unit is about; a table where it is about one."""
        about = [str(getattr(self, name, "")) for name in ("task", "domain", "table")]
        return "/".join(filter(None, about[:2])) or about[2]

    @property
    def data(self) -> str:
        """What people call the data that the unit prepares; empty where it prepares none."""
        return ""


@dataclass(frozen=True, kw_only=True)
class UnitKind(Generic[S, R]):
    """A kind of units: what defines one, what it leaves, and what does its work.

    Attributes:
        name: as folders and records bear it.
        spec: type of its parameters.
        result: type of what it computes.
        work: MODULE:FUNCTION, called with unit, needs and folder, by name, as naming it must not import it.
        seconds: a first guess of how long one takes.
        trains: whether it trains networks, so that processes may share its batches.
        cost: MODULE:FUNCTION, called with `harness.study.cost.Costs` and a unit, that estimates its
            multiply-accumulates; empty where they are not counted.
        counts: whether it counts how often it is done, so that nobody does it once more to look.
        intact: MODULE:FUNCTION, called with unit, record and place, that says whether what a unit left
            outside of the run's folder is there; empty where it leaves nothing there.
        is_shared: whether it is dear and the same wherever it is done, so that all runs share it.
        takes: kind of a needed unit -> the members of its result that are read; of other kinds, all are.
    """

    name: str
    spec: type[S]
    result: type[R]
    work: str
    seconds: float
    trains: bool = False
    cost: str = ""
    counts: bool = False
    intact: str = ""
    is_shared: bool = False
    takes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Unit(Generic[S, R]):
    """One piece of work.

    Attributes:
        kind: what it does.
        spec: its parameters.
        needs: hashes of the units whose results it reads.
        code: what it runs or reads besides, such as `engine` or `space hybrid` -> digest of its content, as
            `harness.identity.content` gives them.
    """

    kind: UnitKind[S, R]
    spec: S
    needs: tuple[str, ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _spec(self) -> dict[str, Any]:
        return self.spec.to_json()

    @cached_property
    def hash(self) -> str:
        """The plan key: 16 hexadecimal digits over kind, spec, code and the plan keys of its needs.

        It is known before anything runs; whether a record that bears it is still true depends on the
        results of the needs as well.
        """
        return content_hash([self.kind.name, self._spec, dict(self.code), list(self.needs)])

    @cached_property
    def name(self) -> str:
        """KIND-DIGITS, 16 hexadecimal digits over kind and spec, which an edit of code leaves as they are."""
        return unit_name(self.kind.name, self._spec)

    @cached_property
    def own(self) -> str:
        """16 hexadecimal digits over kind, spec and code: the unit apart from what it needs."""
        return content_hash([self.kind.name, self._spec, dict(self.code)])

    def to_json(self) -> dict[str, Any]:
        """Returns the unit as `plan.json` keeps it."""
        return {
            "kind": self.kind.name,
            "hash": self.hash,
            "spec": self._spec,
            "needs": list(self.needs),
            "code": dict(self.code),
        }

    def input_key(self, inputs: Mapping[str, str]) -> str:
        """Returns what `Record.input_key` is where what is read of needed units has these hashes."""
        return input_key(self.kind.name, self._spec, self.spec.asked(inputs), self.code, inputs)

    @property
    def folder(self) -> str:
        return f"{self.kind}-{self.hash}"

    @property
    def told(self) -> str:
        """What people call it: `KIND of TASK/DOMAIN`, or of a table."""
        return self.spec.data or f"{self.kind} of {self.spec.of}"

    @property
    def label(self) -> str:
        """What tells it from others of its run, in a line."""
        return " · ".join([self.kind.name, *self.spec.words])


def apart(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Returns the labels under which two codes, as `Unit.code` has them, differ."""
    return sorted(label for label in {*first, *second} if first.get(label) != second.get(label))


def unit_name(kind: str, spec: Mapping[str, Any]) -> str:
    """Returns KIND-DIGITS, as `Unit.name` has it, of a unit that a record speaks of."""
    return f"{kind}-{content_hash([kind, spec])}"


def input_key(
    kind: str,
    spec: Mapping[str, Any],
    asked: Sequence[str],
    code: Mapping[str, str],
    inputs: Mapping[str, str],
) -> str:
    """Returns 16 hexadecimal digits over what decides a result: not who asked, and of needs what was read."""
    decides = {name: value for name, value in spec.items() if name not in asked}
    return content_hash([kind, decides, dict(code), dict(inputs)])


AnyUnit = Unit[Spec, Schema]
AnyKind = UnitKind[Spec, Schema]


def unit_from_json(value: Mapping[str, Any], kinds: Mapping[str, AnyKind]) -> AnyUnit:
    """Returns the unit that `Unit.to_json` gave.

    Raises:
        DamagedError: its specification is none of its kind.
        KeyError: a member lacks, or there is no such kind.
    """
    kind = kinds[value["kind"]]
    unit = Unit(
        kind=kind,
        spec=kind.spec.from_json(value["spec"]),
        needs=tuple(value["needs"]),
        code=value["code"],
    )
    unit.__dict__["_spec"] = value["spec"]  # as it was written, which need not be made again
    return unit


def called(reference: str) -> Callable[..., Any]:
    """Returns the function that MODULE:FUNCTION names."""
    module, _, function = reference.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def unit_folder(run: Path, unit: AnyUnit) -> Path:
    """Returns where the unit's record lies."""
    return _folder(run, unit.kind.name, unit.hash)


@lru_cache(1024)  # a unit is looked for several times in a row, and paths of very many take time
def _folder(run: Path, kind: str, key: str) -> Path:
    return run.joinpath("units", f"{_part(kind)}-{key}")


@cache
def _part(kind: str) -> str:
    return path_part("kind of unit", kind)
