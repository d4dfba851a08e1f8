"""The command line: turns names into objects, prints, and sets the exit status.

0: all done. 1: something failed or does not hold. 2: the user's mistake, told in one sentence.
3: a share of a run that waits for others.
"""

import errno
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import boards, examine, export
from harness.cli.listing import count, list_entries, new, schema
from harness.cli.options import (
    PLURALS,
    Json,
    Offline,
    Version,
    data_folder,
    kinds,
    of_kind,
    of_named_kind,
    place_of,
    tables,
    terminal_width,
)
from harness.errors import HarnessError
from harness.guard import inert
from harness.guard.keys import take_keys
from harness.guard.network import SILENT
from harness.identity import memory
from harness.workers.termination import Termination

if TYPE_CHECKING:
    from harness.study.plan import Plan

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data = typer.Typer(
    no_args_is_help=True, help="List, prepare and verify the data of tasks.", rich_markup_mode=None
)
app.add_typer(data, name="data")
app.add_typer(examine.cache, name="cache")

STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO}
"""What a disk or a folder is to blame for."""


@app.callback()
def command(version: Version = False) -> None:
    """Does searching a more diverse space of architectures hold up on domains never seen?"""


def main() -> None:
    """Runs the command line."""
    termination = Termination()
    termination.heed()
    os.environ.update(SILENT)
    inert.shield_streams(styled=not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
    try:
        app()
    except SystemExit as ending:
        raise SystemExit(termination.status(ending.code)) from None
    except KeyboardInterrupt:
        raise SystemExit(termination.status(130)) from None
    except HarnessError as error:
        print(f"harness: {inert.line(str(error))}", file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno not in STORAGE:
            raise
        told = f"Cannot use {error.filename or 'a file'}: {error.strerror}"
        print(f"harness: {told}; free space or choose another folder.", file=sys.stderr)
        raise SystemExit(2) from None


@app.command("eval")
def evaluate(
    suites: Annotated[
        list[str],
        typer.Argument(
            metavar="SUITE",
            help="Names from `harness list suites`, patterns such as 'mine*', or files.",
            autocompletion=of_kind("suite"),
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Run folder, of several suites the folder of theirs; runs by default.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, one torch thread each.")] = 2,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Samples of each split, stratified; few steps.")
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Score held-out domains without a cap.")] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="PATH.py:FUNCTION, or a baseline, that joins as a fixed row.")
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the suite, such as search.evaluations=32.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many seeds, in place of those of the suite.")
    ] = None,
    replay: Annotated[Path | None, typer.Option(help="Run whose transcripts answer for the model.")] = None,
    offline: Offline = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the units and stop.")] = False,
    register: Annotated[
        bool, typer.Option("--register", help="Fix the plan of a study that is registered, and stop.")
    ] = False,
    on: Annotated[str, typer.Option(help="With --dry-run, machines such as 8xH100 to estimate for.")] = "",
    price: Annotated[float | None, typer.Option(min=0, help="Of one of them for an hour.")] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Run folder whose finished units are taken first.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the run folder's results first.")] = False,
    keep_stale: Annotated[
        bool, typer.Option("--keep-stale", help="Keep what was made before code or data changed, marked †.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Make again what was made on another kind of machine.")
    ] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Run code of lm-eval's YAML tasks.")] = False,
    shared: Annotated[
        bool, typer.Option("--shared", help="Share the run folder with others that run the same command.")
    ] = False,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Do this share of the units alone; implies --shared.")
    ] = "",
    executor: Annotated[str, typer.Option(help="local, or ray, which an extra installs.")] = "local",
    address: Annotated[str, typer.Option(help="Ray cluster to join, HOST:PORT; by default one here.")] = "",
    mirror: Annotated[
        str, typer.Option(metavar="URL", help="Keep finished units there, too, such as s3://bucket/run.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Run suites, or continue them, one after another, and write each one's leaderboard and report."""
    from harness.cli.progress import planned
    from harness.cli.running.machines import machines, on_machines
    from harness.cli.running.run import How, carry_out
    from harness.study.study import load_study
    from harness.study.suite import named_suites
    from harness.study.trained.zero_shot import refuse_code

    if device not in ("cpu", "cuda"):
        raise HarnessError(f"There is no device {device!r}; choose cpu or cuda.")
    if (on or price is not None) and not (dry_run and on):
        raise HarnessError("--on and --price say what --dry-run estimates for; give --dry-run --on 8xH100.")
    if whole and limit:
        raise HarnessError("--limit scores few samples and --whole all of them; leave one of the two out.")
    shown = partial(planned, workers=workers, width=terminal_width(), data=data_folder())
    keys = take_keys(os.environ)
    memory.remember_in(data_folder())
    planning = partial(_plan, limit=limit, models=model or (), whole=whole, changes=change or (), seeds=seeds)
    names = named_suites(suites)
    plans = {plan.name: plan for plan in map(planning, names)}
    memory.save()
    if len(plans) < len(names):
        raise HarnessError(f"Two of {', '.join(names)} have one name, and so one folder; run them apart.")
    is_one = len(plans) == 1
    if as_json and not is_one:
        raise HarnessError(
            f"--json prints one document, and there are {len(plans)} suites; name one of them."
        )
    statuses = [0]
    for name, plan in plans.items():
        if dry_run:
            if as_json:
                print(plan.to_json())
            elif on:
                print(on_machines(plan, machines(on), price=price, width=terminal_width()))
            else:
                print(shown(plan))
            memory.save()
            continue
        study = load_study(plan.suite.study)
        if register:
            print(f"Registered in {inert.line(str(study.register(plan)))}; commit it before anything runs.")
            continue
        folder = Path("runs") / name if out is None else out if is_one else out / name
        try:
            if not trust:
                refuse_code(plan)
            study.refuse(plan)
            place = place_of(
                folder, device=device, offline=offline, replay=replay, keys=keys, is_trusted=trust
            )
            how = How(
                workers,
                fresh=fresh,
                keep_stale=keep_stale,
                strict=strict,
                as_json=as_json,
                is_shared=shared or bool(shard),
                share=shard,
                executor=executor,
                origin=origin,
                address=address,
                mirror=mirror,
            )
            statuses.append(carry_out(plan, place, how))
        except HarnessError as error:
            if is_one:
                raise
            print(f"harness: {inert.line(f'{name}: {error}')}", file=sys.stderr)
            statuses.append(2)
        except KeyboardInterrupt:  # typer would end without a word
            print("harness: interrupted; the same command continues from here.", file=sys.stderr)
            raise typer.Exit(130) from None
    raise typer.Exit(max(statuses))


def _plan(
    suite: str,
    *,
    limit: int | None,
    models: Sequence[str],
    whole: bool,
    changes: Sequence[str],
    seeds: int | None,
) -> "Plan":
    """Returns the plan of a suite as the options of the command change it."""
    from dataclasses import replace

    from harness.checks.model import refuse_models
    from harness.cli.language_model import with_environment
    from harness.study.study import load_study, make_plan
    from harness.study.suite import load_suite

    name, loaded = load_suite(suite, changes)
    study = load_study(loaded.study)
    if seeds is not None:
        changes = [*changes, *study.seeded(loaded, seeds)]
        name, loaded = load_suite(suite, changes)
    if models:
        loaded = study.with_models(loaded, models)
        refuse_models(models, study.trained_on(loaded), data_folder())
    if whole:
        loaded = study.whole(loaded)
    plan = make_plan(name, with_environment(loaded, os.environ), limit=limit, tables=tables())
    return replace(plan, models=models, whole=whole, changes=changes)


app.command("list")(list_entries)
app.command()(schema)
app.command()(new)
app.command()(count)


@app.command()
def describe(
    kind: Annotated[str, typer.Argument(autocompletion=kinds)],
    name: Annotated[str, typer.Argument(autocompletion=of_named_kind)],
    as_json: Json = False,
) -> None:
    """Show an entry: a task's card, a space's dimensions, a searcher's options, a suite's table."""
    from harness.cli import cards as show

    described = show.describe(PLURALS.get(kind, kind), name, data_folder())
    print(json.dumps(described, indent=1, ensure_ascii=False) if as_json else show.as_text(described))


for verb in (
    boards.leaderboard,
    boards.compare,
    boards.rescore,
    boards.report,
    boards.export,
    examine.check,
    examine.latency,
    examine.reproduce,
    examine.doctor,
):
    app.command()(verb)


app.command("export-task")(export.export_task)


@data.command("list")
def data_list(as_json: Json = False) -> None:
    """List every domain and whether it is prepared."""
    from harness.data.overview import domains

    rows = domains(data_folder())
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        for row in rows:
            state = ("prepared" if row["prepared"] else "not prepared") + ", sealed" * row["sealed"]
            name = "/".join(filter(None, (row["task"], row["domain"])))
            told = f"FAIL {name}: {row['damaged']}" if row["damaged"] else f"{name}: {state}; {row['origin']}"
            print(inert.line(told))
    raise typer.Exit(1 if any(row["damaged"] for row in rows) else 0)


@data.command("prepare")
def data_prepare(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks; all by default.", autocompletion=of_kind("task"))
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every task of the catalog.")] = False,
    offline: Offline = False,
) -> None:
    """Fetch, check, split and cache the domains of tasks; each domain fails alone."""
    from harness.cli.data import prepare_all

    if every and tasks:
        raise HarnessError(f"--all means every task; leave out {' '.join(tasks)}, or --all.")
    raise typer.Exit(prepare_all(tasks or [], data_folder(), offline=offline))


@data.command("verify")
def data_verify(
    tasks: Annotated[list[str] | None, typer.Argument(help="Tasks; all by default.")] = None,
) -> None:
    """Hash the cached domains again and compare with their cards."""
    from harness.cli.data import verify_all

    raise typer.Exit(verify_all(tasks or [], data_folder()))
