"""The verb that writes a first file of an entry of one's own."""

import os
import re
from pathlib import Path
from shlex import quote
from typing import Annotated, Final, NamedTuple

import typer

from harness import catalog
from harness.cli.listing import PLURALS
from harness.cli.options import tables
from harness.errors import HarnessError, UnknownNameError
from harness.files import write_atomically
from harness.guard import inert
from harness.guard.text import shown


class _Kind(NamedTuple):
    """Where a new file stands in a catalog folder, and what is typed after it is written."""

    place: str
    next: tuple[str, str]


TEMPLATES: Final = Path(catalog.__file__).parent / "templates"
KINDS: Final = {
    "task": _Kind("tasks/{}.py", ("check task {name}", "describe task {name}")),
    "table": _Kind("tasks/{}.toml", ("check table {name}", "describe table {name}")),
    "space": _Kind(
        "search_spaces/{}.py", ("check space {name}", "count {name} --task digits --architecture random:0")
    ),
    "searcher": _Kind(
        "searchers/{}.py",
        (
            "check searcher {name}",
            "eval quickstart_smoke --out runs/{name} --set 'searchers=[\"{name}\"]' "
            "--set claim.method={name}",
        ),
    ),
    "model": _Kind(
        "models/{}.py",
        (
            "check model {file}:build --task digits",
            "eval quickstart_smoke --model {file}:build --out runs/{name}",
        ),
    ),
    "metric": _Kind("metrics/{}.py", ("check metric {name}", "rescore runs/quickstart --metric {name}")),
    "section": _Kind("reports/{}.py", ("check section {name}", "report runs/quickstart --sections {name}")),
    "suite": _Kind("leaderboards/{}.toml", ("check suite {name}", "eval {name} --dry-run")),
}


def new(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))],
    name: Annotated[str, typer.Argument(help="Of the entry; of a table the csv file with its rows.")],
    to: Annotated[
        Path | None, typer.Option(help="Catalog folder; the first of HARNESS_CATALOG, or mine.")
    ] = None,
) -> None:
    """Write a small file of an entry of your own that passes `harness check`, and say what to type next."""
    kind = PLURALS.get(kind, kind)
    if kind not in KINDS:
        raise UnknownNameError("kind of new file", kind, KINDS)
    known = [Path(one).expanduser() for one in os.environ.get("HARNESS_CATALOG", "").split(os.pathsep) if one]
    folder = to or (known[0] if known else Path("mine"))
    source = Path(name) if kind == "table" else None
    stem = source.stem if source else name
    if not re.fullmatch(r"[A-Za-z0-9]\w*", stem, re.ASCII):
        raise HarnessError(f"{shown(stem)} cannot name a {kind}; take letters, digits and underscores.")
    file = folder / KINDS[kind].place.format(stem)
    there = file if file.exists() else catalog.files(kind).get(stem) if kind in catalog.KINDS else None
    if there:
        raise HarnessError(f"{kind} {stem!r} stands in {there} already; choose another name.")
    if source:
        _write_table(source, file)
    else:
        write_atomically(file, (TEMPLATES / f"{kind}{file.suffix}").read_text(encoding="utf-8"))
    print(inert.line(f"Wrote {file}. Next:"))
    if kind != "model" and folder.resolve() not in [one.resolve() for one in known]:
        places = os.pathsep.join(map(str, [folder, *known]))
        print(inert.line(f"  export HARNESS_CATALOG={quote(places)}"))
    for words in KINDS[kind].next:
        print(inert.line(f"  harness {words.format(name=stem, file=quote(str(file)))}"))


def _write_table(source: Path, file: Path) -> None:
    """Writes the card, and its rows beside it where they do not lie there or among the tables."""
    from harness.data.table.guess import guessed_card

    text = guessed_card(source)
    copy = file.with_name(source.name)
    if not copy.exists() and not any((folder / source.name).is_file() for folder in tables()):
        write_atomically(copy, source.read_bytes())
    elif copy.exists() and not copy.samefile(source):
        raise HarnessError(f"{copy} is there already; rename {source}, so that both can stay.")
    write_atomically(file, text)
