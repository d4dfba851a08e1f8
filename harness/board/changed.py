"""Samples on which two rows differ: what a comparison holds of them, and how it is told."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.board.table import Table


@dataclass(frozen=True, kw_only=True)
class ChangedSample:
    """One sample, with what two rows make of it.

    Attributes:
        sample: position in the prepared data of the domain, and hash of its bytes.
        group: hash of what must not be split.
        label: its class; None where it has none.
        first: what most trainings of the first row predict and how many are right, or mean bits per byte.
        second: the same of the second row.
        difference: first minus second, mean over trainings.
    """

    sample: str
    group: str
    label: str | None
    first: str
    second: str
    difference: float


@dataclass(frozen=True, kw_only=True)
class Changed:
    """The samples of a domain on which two rows differ.

    Attributes:
        reason: why none can be named; None where they can.
        of: how many both rows were scored on.
        first_alone: how many are right by the first row alone, or cost it fewer bits.
        second_alone: how many by the second.
        unit: of differences: `nats` of the true class, `share` of right trainings, or `bits per byte`.
        samples: those that differ most, of each kind.
    """

    reason: str | None = None
    of: int = 0
    first_alone: int = 0
    second_alone: int = 0
    unit: str = ""
    samples: tuple[ChangedSample, ...] = ()


def changed_table(heading: str, names: tuple[str, str], domains: Sequence[tuple[str, Changed]]) -> Table:
    """Returns the samples that differ most, and below how many there are."""
    rows, notes = [], []
    for where, found in domains:
        if found.reason is not None:
            notes.append(f"{where}: {found.reason}")
            continue
        how = "cost fewer bits" if found.unit == "bits per byte" else "are right"
        notes.append(
            f"{where}: of {found.of:,} samples {found.first_alone:,} {how} by {names[0]} alone, "
            f"{found.second_alone:,} by {names[1]} alone. Difference in {found.unit}."
        )
        rows += [
            (where, one.sample, one.group, one.label or "", one.first, one.second, f"{one.difference:+.2f}")
            for one in found.samples
        ]
    return Table(
        caption=f"{heading}: samples that changed, {names[0]} beside {names[1]}",
        columns=("Domain", "Sample", "Group", "Class", "First", "Second", "Difference"),
        rows=tuple((*row[:6], row[6].replace("-", "\N{MINUS SIGN}")) for row in rows),
        labels=6,
        heading=1,
        notes=(
            *notes,
            "A sample is its position in the prepared data and the hash of its bytes. A row's prediction is "
            "that of most of its trainings, its number their mean.",
        ),
    )
