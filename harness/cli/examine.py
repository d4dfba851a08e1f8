"""Verbs that look at entries and at what runs left: check, doctor, reproduce, and the shared cache."""

import json
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from harness import catalog
from harness.checks.finding import Finding
from harness.cli.options import (
    PLURALS,
    Json,
    Offline,
    data_folder,
    kinds,
    of_kind,
    of_named_kind,
    place_of,
    results_of_all_runs,
    tables,
    terminal_width,
)
from harness.errors import HarnessError
from harness.guard import inert
from harness.guard.keys import take_keys

GIB: Final = 2.0**30
cache = typer.Typer(
    no_args_is_help=True, help="List and prune the results that all runs share.", rich_markup_mode=None
)


def check(
    kind: Annotated[
        str | None, typer.Argument(help="A kind of entry, or model; all by default.", autocompletion=kinds)
    ] = None,
    name: Annotated[
        str | None, typer.Argument(help="Of an entry, or FILE:FUNCTION.", autocompletion=of_named_kind)
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Of a model: a task that it would be trained on.", autocompletion=of_kind("task")),
    ] = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Run the conformance checks of an entry, a kind, the whole catalog, or a model of your own."""
    findings = _of_model(name, task) if kind == "model" else _of_entries(kind, name, offline=offline)
    if as_json:
        print(json.dumps([finding._asdict() for finding in findings], indent=1, ensure_ascii=False))
    else:
        for finding in findings:
            state = "ok  " if finding.holds else "FAIL"
            print(inert.line(f"{state} {finding.entry}: {finding.claim}. {finding.detail}"))
    raise typer.Exit(0 if all(finding.holds for finding in findings) else 1)


def _of_model(name: str | None, task: str | None) -> list[Finding]:
    from harness.checks.model import check_model

    if name is None or task is None:
        raise HarnessError(
            "A model is checked on a task; write `harness check model FILE:build --task digits`."
        )
    return check_model(name, task, data_folder())


def _of_entries(kind: str | None, name: str | None, *, offline: bool) -> list[Finding]:
    from harness.checks.entries import check_entry

    findings = []
    for one in [PLURALS.get(kind, kind)] if kind else catalog.KINDS:
        for entry in [name] if name else catalog.names(one):
            try:
                findings += check_entry(one, entry, data_folder(), offline=offline, tables=tables())
            except HarnessError as error:
                if name:
                    raise
                findings.append(Finding("loads and runs", False, str(error), f"{one} {entry}"))
    return findings


def reproduce(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    units: Annotated[int, typer.Option(min=1, help="How many finished units are done again.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the draw of the units.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    offline: Offline = False,
) -> None:
    """Print what made a run, do some of its units again, and say whether their bytes are the same."""
    from harness.checks.reproduce import environment
    from harness.checks.reproduce import reproduce as units_again

    print("\n".join(map(inert.line, environment(run))))
    place = place_of(run, device=device, offline=offline, keys=take_keys(os.environ))
    holds = True
    for finding in units_again(run, place, count=units, seed=seed):
        _say(finding)
        holds &= finding.holds
    raise typer.Exit(0 if holds else 1)


def latency(
    run: Annotated[Path, typer.Argument(help="A run folder of a suite that trains.")],
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="That torch uses on the processor.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples of a call of the throughput.")] = 64,
    as_json: Json = False,
) -> None:
    """Measure how fast the networks of a run answer on this machine, for its leaderboard and its report."""
    from harness.board.terminal import terminal_lines
    from harness.run.loaded import load_run
    from harness.run.stored import write_speeds
    from harness.study.study import build_board, load_study
    from harness.workers.folder import lock

    loaded = load_run(run)
    study = load_study(loaded.study)
    with lock(run):
        found = list(study.measure(loaded, device=device, threads=threads, batch_size=batch_size))
        write_speeds(run, found)
    if as_json:
        print(json.dumps([one.to_json() for one in found], indent=1))
        return
    loaded = load_run(run)
    for table in study.measured(loaded, build_board(loaded)):
        print("\n".join(terminal_lines(table, terminal_width())))


def doctor(
    run: Annotated[Path | None, typer.Argument(help="A run folder to look at.")] = None,
    why: Annotated[
        str | None, typer.Option(help="A unit, by its folder or first digits: list what it depends on.")
    ] = None,
) -> None:
    """Say what this machine has and lacks, and what of a run is missing, stale or damaged."""
    from harness.checks import run as health
    from harness.checks.machine import doctor

    take_keys(os.environ)
    if why is not None:
        if run is None:
            raise HarnessError("--why names a unit of a run; write `harness doctor RUN --why UNIT`.")
        print("\n".join(map(inert.line, health.why(run, why))))
        return
    findings = doctor(data_folder(), os.environ.get("HARNESS_LLM_BASE_URL"))
    if run is not None:
        findings += health.run_findings(run, data_folder())
    for finding in findings:
        _say(finding)
    raise typer.Exit(0 if all(finding.holds for finding in findings) else 1)


@cache.command("list")
def cache_list(as_json: Json = False) -> None:
    """Count the results that all runs share, by kind of unit, with their sizes."""
    store = results_of_all_runs()
    kinds: dict[str, dict[str, int]] = {}
    for one in store.entries():
        held = kinds.setdefault(one.kind, {"results": 0, "bytes": 0})
        held["results"] += 1
        held["bytes"] += one.bytes
    if as_json:
        print(json.dumps(kinds, indent=1, sort_keys=True))
        return
    for kind, held in sorted(kinds.items()):
        print(inert.line(f"{kind}: {held['results']} results, {held['bytes'] / GIB:.3f} GiB"))
    total = sum(held["bytes"] for held in kinds.values())
    print(inert.line(f"all: {total / GIB:.3f} GiB of at most {store.limit / GIB:g} in {store.folder}"))


@cache.command("prune")
def cache_prune(
    gib: Annotated[
        float | None, typer.Option(min=0, help="What may stay; HARNESS_CACHE_GIB, or 20, by default.")
    ] = None,
) -> None:
    """Delete the shared results that were used longest ago, until the rest is small enough."""
    store = results_of_all_runs()
    gone = store.prune(None if gib is None else gib * GIB)
    size = sum(one.bytes for one in gone)
    print(inert.line(f"{len(gone)} results deleted, {size / GIB:.3f} GiB; the rest is in {store.folder}"))


def _say(finding: Finding) -> None:
    told = f"{'ok  ' if finding.holds else 'FAIL'} {finding.claim}: {finding.detail}"
    print(inert.line(told), flush=True)
