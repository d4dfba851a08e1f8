"""Units of work, each named by a hash of all that defines it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from harness.files import content_hash
from harness.guard.paths import path_part


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One piece of work.

    Attributes:
        kind: prepare, supernet, search, tune, final or score.
        spec: its parameters.
        needs: hashes of the units whose results it reads.
        code: what it runs or reads besides, such as `engine` or `space hybrid` -> digest of its content, as
            `harness.identity.content` gives them.
    """

    kind: str
    spec: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    code: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """The plan key: 16 hexadecimal digits over kind, spec, code and the plan keys of its needs.

        It is known before anything runs; whether a record that bears it is still true depends on the
        results of the needs as well.
        """
        return content_hash([self.kind, self.spec, dict(self.code), list(self.needs)])

    @cached_property
    def name(self) -> str:
        """KIND-DIGITS, 16 hexadecimal digits over kind and spec, which an edit of code leaves as they are."""
        return f"{self.kind}-{content_hash([self.kind, self.spec])}"

    @cached_property
    def own(self) -> str:
        """16 hexadecimal digits over kind, spec and code: the unit apart from what it needs."""
        return content_hash([self.kind, self.spec, dict(self.code)])

    def to_json(self) -> dict[str, Any]:
        """Returns the unit as `plan.json` keeps it."""
        return {
            "kind": self.kind,
            "hash": self.hash,
            "spec": self.spec,
            "needs": list(self.needs),
            "code": dict(self.code),
        }

    def input_key(self, inputs: Mapping[str, str]) -> str:
        """Returns 16 hexadecimal digits over all that its result depends on, as `Record.input_key` has them.

        Args:
            inputs: name of each unit that it needs -> hash of that unit's result.
        """
        return content_hash([self.kind, self.spec, dict(self.code), dict(inputs)])

    @property
    def folder(self) -> str:
        """Its folder below the run's `units`."""
        return f"{self.kind}-{self.hash}"


class Keyed(Protocol):
    """A unit, or what a plan on disk says of one."""

    @property
    def kind(self) -> str:
        """What it does."""
        ...

    @property
    def hash(self) -> str:
        """Its plan key."""
        ...


def unit_folder(run: Path, unit: Keyed) -> Path:
    """Returns where the unit's record lies."""
    return run / "units" / path_part("unit", f"{unit.kind}-{unit.hash}")
