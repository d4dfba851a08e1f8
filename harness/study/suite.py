"""A suite is one TOML file and the experiment's whole configuration; wrong ones say where and why."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import catalog
from harness.errors import HarnessError, UnknownNameError
from harness.guard.paths import path_part
from harness.guard.text import shown
from harness.study.settings import Need, Settings, check_limits
from harness.study.study import load_study
from harness.toml import changed, merged, parse, read_toml


def named_suites(names: Sequence[str]) -> list[str]:
    """Returns the names with all suites of the catalog that a pattern such as `nasbench201*` stands for.

    Raises:
        UnknownNameError: a pattern stands for none.
    """
    known = catalog.files("suite")
    found: dict[str, None] = {}
    for name in names:
        is_pattern = "/" not in name and any(sign in name for sign in "*?[")
        matching = fnmatch.filter(known, name) if is_pattern else [name]
        if not matching:
            raise UnknownNameError("suite", name, known)
        found |= dict.fromkeys(matching)
    return list(found)


def load_suite(name: str, changes: Sequence[str] = ()) -> tuple[str, Settings]:
    """Returns the name and the suite called `name` in the catalog, or in the file at that path.

    Args:
        name: of the suite, or of a file.
        changes: KEY=VALUE that hold in place of what the file says, as `harness.toml.changed` reads them.

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
    stem = path_part("suite", path.stem)
    table = _read(path)
    for change in changes:
        table = changed(table, change, path)
    try:
        return stem, _parsed(table, path)
    except HarnessError as error:
        if not changes:
            raise
        told = " ".join(f"--set {shown(change)}" for change in changes)
        raise HarnessError(f"{error} It was read with {told}.") from error


def _parsed(table: dict[str, Any], path: Path) -> Settings:
    study_name = table.get("study")
    if study_name is None:
        studies = ", ".join(catalog.names("study"))
        raise HarnessError(f"{path}: the top level lacks the key 'study'; it is one of: {studies}.")
    study = load_study(str(study_name))
    suite: Settings = parse(study.settings, table, path)
    need = Need(path)
    check_limits(suite.limits, [kind.name for kind in study.kinds], need)
    study.check(suite, need)
    return suite


def _read(path: Path, children: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Returns the file's table with that of its parents below it; folders are seen from their own file."""
    table = read_toml(path)
    boards = table.get("zero_shot", [])
    for board in boards if isinstance(boards, list) else []:
        if isinstance(board, dict) and isinstance(board.get("lm_eval_tasks"), str):
            board["lm_eval_tasks"] = str(path.parent / board["lm_eval_tasks"])
    parent = table.get("extends")
    if not parent:
        return table
    known = catalog.files("suite")
    if not isinstance(parent, str) or known.get(parent, path) in (path, *children):
        raise HarnessError(f"{path}: `extends` names {shown(parent)}; suites are: {', '.join(known)}.")
    return merged(_read(known[parent], (path, *children)), table)
