"""The card of a table: one TOML file that says what the rows are, so that no table needs code."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.errors import HarnessError
from harness.guard.paths import path_below
from harness.task.task import Archive
from harness.toml import parse, read_toml

Encoding = Literal["digits", "json", "text", "naslib", "one_hot", "choices", "pattern"]
Unit = Literal["percent", "share", "raw"]
UNITS = {"percent": (0.01, 100.0), "share": (1.0, 1.0), "raw": (1.0, float("inf"))}
"""Unit -> the factor that makes its values what is kept, and the highest value of a column."""


@dataclass(frozen=True, kw_only=True)
class DomainColumns:
    """Which columns hold a domain's scores.

    Attributes:
        validation: column that selection may read, or a list of columns whose mean it is.
        test: column that is reported, or a list of columns whose mean it is.
        space: `SPACE:PRESET` whose costs the domain's networks have; the table's when empty.
        note: what a reader must know of these columns.
        unit: of these columns, where it is not the table's.
        higher_is_better: false for losses and errors, which searchers see negated.
    """

    validation: str | list[str]
    test: str | list[str]
    space: str = ""
    note: str = ""
    unit: Unit | None = None
    higher_is_better: bool = True

    def columns(self, feedback: str) -> list[str]:
        """Returns the columns whose mean is the validation or the test score."""
        named = self.validation if feedback == "validation" else self.test
        return [named] if isinstance(named, str) else named


@dataclass(frozen=True, kw_only=True)
class CostColumn:
    """Where a cost of every row stands.

    Attributes:
        column: that holds it.
        file: beside the table's file, with one value for each of its rows in their order; csv, npz or
            parquet. The table's own when empty. The cost is absent where this file is.
        unit: for people, e.g. `ms`.
        factor: what values are multiplied by, e.g. 1e6 for millions.
    """

    column: str
    file: str = ""
    unit: str = ""
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class CostLimit:
    """The most that the incumbent of a search may cost; what is over is evaluated and told all the same.

    Attributes:
        cost: a cost of the table, or `parameters` or `macs`; empty for no limit.
        share: of the architectures that keep to the limit, the cheapest ones; 0 where `at_most` is given.
        at_most: in the unit of the cost; 0 where `share` is given.
    """

    cost: str = ""
    share: float = 0.0
    at_most: float = 0.0

    def wrong(self) -> str:
        """Returns what is wrong with it; empty for nothing."""
        if self == CostLimit():
            return ""
        if not self.cost:
            return "lacks `cost`, the name of what is limited"
        if (self.share > 0) == (self.at_most > 0) or not 0 <= self.share <= 1:
            return "needs either share, above 0 and at most 1, or at_most, above 0"
        return ""


@dataclass(frozen=True, kw_only=True)
class TableCard:
    """What one table of published results is.

    Attributes:
        summary: one line.
        domains: domain -> its columns.
        origin: who published it.
        licence: one line.
        file: its name in the folder of tables, or beside the card; csv, npz or parquet.
        more_files: further files beside it, which also have the columns of an architecture. One with the same
            columns has more rows; one with other columns has more scores of the same architectures, which it
            writes alike.
        package: the released package that holds it, in place of a file.
        members: prefix -> pickled file of the package, a mapping of architectures to values; the values are
            the columns `PREFIX.NAME`, and the column `key` is the architecture.
        classes: `MODULE.NAME` of the classes in those files whose objects are read as their attributes.
        space: `SPACE:PRESET` that it enumerates. Empty where the card declares the space itself.
        choices: choice -> its options, the space of a table without `space`; where there are none either,
            the one choice is the row.
        column: the column that holds an architecture.
        columns: with `choices` as encoding, choice -> column; `ks` stands for `ks[0]`, `ks[1]`, ..., whose
            options are one character each.
        encoding: of the column: `digits` (one character per choice), `pattern`, `choices` (options in columns
            of their own), `json`, `text` of the space's own, or, for cells of NAS-Bench-201, `naslib` or
            `one_hot` as JSON lists.
        digits: with `digits`, the option that each character from 0 on means. Where this is empty, in a space
            of the card's own, characters are options if one of these is a digit, and else numbers of options.
        pattern: with `pattern`, a regular expression with one group per choice that holds the option.
        unit: `percent` and `share`, both kept as shares, or `raw`, kept as it is.
        sha256: of the file; empty where it is not pinned.
        hashes: file of a cost, or one of `more_files` -> sha256.
        proxy_space: `SPACE:PRESET` of the smaller networks that zero-cost proxies are computed on.
        partial: whether rows may lack; searches then stay among the rows.
        drop_incomplete: whether rows that lack a score are left out and counted, not refused.
        average_repeats: whether rows of one architecture are averaged, not refused.
        costs: cost -> its column; `parameters` and `macs` are those of a space of the card's own.
        computed: what computes scores of any architecture from the file, in place of rows; the code of it is
            in `harness.data.table.computed`.
    """

    summary: str
    domains: dict[str, DomainColumns]
    origin: str
    licence: str
    file: str = ""
    more_files: list[str] = field(default_factory=list)
    package: Archive | None = None
    members: dict[str, str] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    space: str = ""
    choices: dict[str, list[Any]] = field(default_factory=dict)
    column: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    encoding: Encoding = "json"
    digits: list[str] = field(default_factory=list)
    pattern: str = ""
    unit: Unit = "percent"
    sha256: str = ""
    hashes: dict[str, str] = field(default_factory=dict)
    proxy_space: str = ""
    partial: bool = False
    drop_incomplete: bool = False
    average_repeats: bool = False
    costs: dict[str, CostColumn] = field(default_factory=dict)
    computed: Literal["hwgpt_perplexity"] | None = None

    def unit_of(self, domain: str) -> Unit:
        """Returns the unit of a domain's columns."""
        return self.domains[domain].unit or self.unit

    def factor(self, domain: str) -> float:
        """Returns what a value of the file is multiplied by to be a score, higher being better."""
        return UNITS[self.unit_of(domain)][0] * (1 if self.domains[domain].higher_is_better else -1)

    def space_of(self, domain: str) -> str:
        """Returns `SPACE:PRESET` of a domain; empty where the card declares the space."""
        return self.domains[domain].space or self.space

    def score_columns(self) -> list[str]:
        """Returns every column of a score, once."""
        named = [
            name
            for one in self.domains.values()
            for part in ("validation", "test")
            for name in one.columns(part)
        ]
        return list(dict.fromkeys(named))


def read_card(path: Path) -> TableCard:
    """Returns the card in the TOML file `path`.

    Raises:
        HarnessError: it has a wrong key, type or value.
    """
    card = parse(TableCard, read_toml(path), path)
    if not card.domains:
        raise HarnessError(f"{path}: a table needs at least one domain.")
    files = [("table", file) for file in (card.file, *card.more_files)]
    for kind, file in [*files, *(("cost", one.file) for one in card.costs.values())]:
        if file:
            path_below(f"{kind}'s file", file)
    wrong = _wrong_source(card) or _wrong_encoding(card)
    if wrong:
        raise HarnessError(f"{path}: {wrong}.")
    for name, one in card.domains.items():
        for feedback in ("validation", "test"):
            named: Any = one.columns(feedback)
            if not (isinstance(named, list) and named and all(isinstance(text, str) for text in named)):
                raise HarnessError(
                    f"{path}: domains.{name}.{feedback} must be a column or a list of columns, not {named!r}."
                )
    return card


def _wrong_source(card: TableCard) -> str:
    """Returns what is wrong with where the scores come from; empty for nothing."""
    if bool(card.file) == (card.package is not None):
        return "a table is either a `file` or a `package` with `members`"
    if card.more_files and (card.package is not None or card.computed):
        return "`more_files` are for a `file` with rows"
    if card.more_files and any(one.file for one in card.costs.values()):
        return "a cost has a `file` with a value for each row, which rows of `more_files` have no place in"
    if card.package is not None and not card.members:
        return "a package needs `members`, the files in it that hold the table"
    if card.computed and not all(card.space_of(name) for name in card.domains):
        return "a table of computed scores needs a `space`, or one of each domain"
    return ""


def _wrong_encoding(card: TableCard) -> str:
    """Returns what is wrong with how rows name architectures; empty for nothing."""
    if card.computed:
        return ""
    if card.encoding == "choices":
        return "" if card.columns else "the encoding choices needs `columns`, a column for each choice"
    if not card.column:
        return "it lacks the key 'column', which holds an architecture"
    if card.encoding == "digits" and not card.digits and not card.choices:
        return "the encoding digits needs a list `digits` of what each of them means"
    if card.encoding == "pattern":
        try:
            groups = re.compile(card.pattern).groups
        except re.error as error:
            return f"pattern {card.pattern!r} is no regular expression: {error}"
        return "" if groups else "the encoding pattern needs a `pattern` with one group for each choice"
    return ""
