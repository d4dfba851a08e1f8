"""Verbs that say what there is, how the files are written that add to it, and that write first ones."""

import json
import os
import re
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from harness import catalog
from harness.cli.options import PLURALS, Json, of_kind, tables
from harness.errors import HarnessError, UnknownNameError
from harness.files import write_atomically
from harness.guard import inert
from harness.guard.text import shown

if TYPE_CHECKING:
    from harness.task.signature import Signature


def list_entries(
    kind: Annotated[
        str | None, typer.Argument(help=", ".join(PLURALS), autocompletion=lambda: [*PLURALS])
    ] = None,
    as_json: Json = False,
) -> None:
    """List the catalog: names, what each is in a line, and where it comes from unless it is shipped."""
    kind = next((plural for plural, one in PLURALS.items() if one == kind), kind)
    if kind is not None and kind not in PLURALS:
        raise UnknownNameError("kind", kind, PLURALS)
    plurals = PLURALS if kind is None else {kind: PLURALS[kind]}
    if as_json:
        shown = {
            plural: [{**one._asdict(), "file": str(one.file)} for one in catalog.told(each)]
            for plural, each in plurals.items()
        }
        print(json.dumps(shown, indent=1))
        return
    for plural, each in plurals.items():
        found = catalog.told(each)
        if kind is None:
            print(f"{plural}:")
        width = max((len(one.name) for one in found), default=0)
        for name, summary, origin, file in found:
            where = "" if origin == "shipped" else f" ({origin}: {file})"
            start = f"  {name:{width}}  " if kind is None else f"{name}: "
            print(inert.line(f"{start}{summary}{where}"))


def schema(
    kind: Annotated[str, typer.Argument(help="suite, task, table, record, board or result.")] = "suite",
    study: Annotated[
        str | None, typer.Option(help="Of suites, records or boards, those of one study.")
    ] = None,
) -> None:
    """Print the JSON Schema of a file, by which editors complete and check what people or runs write."""
    from harness.results.schema import file_schema

    print(json.dumps(file_schema(kind, study), indent=1, ensure_ascii=False))


def count(
    space: Annotated[str, typer.Argument(help="SPACE[:PRESET]", autocompletion=of_kind("space"))],
    architecture: Annotated[
        str, typer.Option(help="JSON, default, smallest, largest or random:SEED.")
    ] = "default",
    architectures: Annotated[Path | None, typer.Option(help="JSON lines, one architecture each.")] = None,
    resolution: Annotated[int | None, typer.Option(min=4, help="Pixels of a square image.")] = None,
    classes: Annotated[int | None, typer.Option(min=2, help="Size of the label space.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Take the inputs and classes of this task.", autocompletion=of_kind("task")),
    ] = None,
    as_json: Json = False,
) -> None:
    """Count parameters and multiply-accumulates in closed form; no module is built."""
    from harness.cli import cards as show
    from harness.guard.text import read_text
    from harness.study.work.matched import load_family

    family, preset = load_family(space)
    signature = _signature(family.presets[preset], task, resolution, classes)
    bound = family.space(preset, signature)
    if architectures is None:
        counted = show.count(bound, show.architecture(bound, architecture))
        print(json.dumps(counted) if as_json else show.as_text(counted))
        return
    if not architectures.is_file():
        raise HarnessError(f"There is no file {architectures}; give JSON lines, one architecture each.")
    for number, line in enumerate(read_text(architectures).splitlines(), start=1):
        if line.strip():
            one = show.architecture(bound, line, f"{architectures}, line {number}")
            print(json.dumps(show.count(bound, one)))


def _signature(
    default: "Signature", task: str | None, resolution: int | None, classes: int | None
) -> "Signature":
    from dataclasses import replace

    from harness import catalog
    from harness.learn.modality import modality_of

    signature: Signature = catalog.load("task", task).signature if task else default
    sizes: dict[str, Any] = {"height": resolution, "width": resolution, "classes": classes}
    changes = {name: size for name, size in sizes.items() if size is not None}
    if changes and modality_of(signature.kind).form != "image":
        raise HarnessError(f"--resolution and --classes are for images; this task reads {signature.kind}.")
    return replace(signature, **changes)


class _NewFile(NamedTuple):
    """Where a new file stands in a catalog folder, and what is typed after it is written."""

    place: str
    next: tuple[str, str]


TEMPLATES: Final = Path(catalog.__file__).parent / "templates"
NEW: Final = {
    "task": _NewFile("tasks/{}.py", ("check task {name}", "describe task {name}")),
    "table": _NewFile("tasks/{}.toml", ("check table {name}", "describe table {name}")),
    "space": _NewFile(
        "search_spaces/{}.py", ("check space {name}", "count {name} --task digits --architecture random:0")
    ),
    "searcher": _NewFile(
        "searchers/{}.py",
        (
            "check searcher {name}",
            "eval quickstart_smoke --out runs/{name} --set 'searchers=[\"{name}\"]' "
            "--set claim.method={name}",
        ),
    ),
    "model": _NewFile(
        "models/{}.py",
        (
            "check model {file}:build --task digits",
            "eval quickstart_smoke --model {file}:build --out runs/{name}",
        ),
    ),
    "baseline": _NewFile(
        "baselines/{}.py",
        (
            "check baseline {name}",
            'eval quickstart_smoke --out runs/{name} --set \'baselines=["default", "tuned", "{name}"]\'',
        ),
    ),
    "metric": _NewFile("metrics/{}.py", ("check metric {name}", "rescore runs/quickstart --metric {name}")),
    "section": _NewFile(
        "reports/{}.py", ("check section {name}", "report runs/quickstart --sections {name}")
    ),
    "suite": _NewFile("leaderboards/{}.toml", ("check suite {name}", "eval {name} --dry-run")),
}


def new(
    kind: Annotated[str, typer.Argument(help=", ".join(NEW), autocompletion=lambda: [*NEW])],
    name: Annotated[str, typer.Argument(help="Of the entry; of a table the csv file with its rows.")],
    to: Annotated[
        Path | None, typer.Option(help="Catalog folder; the first of HARNESS_CATALOG, or mine.")
    ] = None,
) -> None:
    """Write a small file of an entry of your own that passes `harness check`, and say what to type next."""
    kind = PLURALS.get(kind, kind)
    if kind not in NEW:
        raise UnknownNameError("kind of new file", kind, NEW)
    known = [Path(one).expanduser() for one in os.environ.get("HARNESS_CATALOG", "").split(os.pathsep) if one]
    folder = to or (known[0] if known else Path("mine"))
    source = Path(name) if kind == "table" else None
    stem = source.stem if source else name
    if not re.fullmatch(r"[A-Za-z0-9]\w*", stem, re.ASCII):
        raise HarnessError(f"{shown(stem)} cannot name a {kind}; take letters, digits and underscores.")
    file = folder / NEW[kind].place.format(stem)
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
    for words in NEW[kind].next:
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
