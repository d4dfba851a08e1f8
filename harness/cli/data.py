"""The cache of domains as a whole: all domains of tasks prepared or verified in turn, each failing alone."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from harness import catalog
from harness.data.prepare import blamed, prepare_domain, prepared_folder, read_card, verify_domain, waits_for
from harness.errors import DataUnavailableError, HarnessError, WrongDataError
from harness.guard.inert import line
from harness.task.task import Domain, Task

Reason = Callable[[str, Domain, Path], str | None]
"""Says why a domain that nobody named is passed over; empty for nothing, None for no word of it."""
Chosen = tuple[list[tuple[str, Domain]], int]


def prepare_all(tasks: Sequence[str], data: Path, *, offline: bool) -> int:
    """Prepares what is not prepared yet, says so line by line, and returns the exit status.

    Repositories of a hub are fetched when their task is named.

    Whoever stops it loses the domain that is being read and no other: the same call goes on from there.
    """

    def prepare(task: str, domain: Domain) -> str:
        is_new = read_card(task, domain, data) is None
        done = prepare_domain(task, domain, data, offline=offline)
        return f": {sum(done.samples.values())} samples{'' if is_new else ', as before'}"

    try:
        return _each(_domains(tasks, data, waits_for), prepare, "prepared")
    except KeyboardInterrupt:  # typer would end without a word
        print("harness: interrupted; the same command continues from here.", file=sys.stderr)
        return 130


def verify_all(tasks: Sequence[str], data: Path) -> int:
    """Verifies the domains of tasks, by default all that is prepared, and returns the exit status."""

    def verify(task: str, domain: Domain) -> str:
        verify_domain(task, domain, data)
        return ""

    def unprepared(task: str, domain: Domain, data: Path) -> str | None:
        return "" if prepared_folder(task, domain, data).exists() else None

    return _each(_domains(tasks, data, unprepared), verify, "as they were written")


def _each(chosen_and_broken: Chosen, work: Callable[[str, Domain], str], done: str) -> int:
    chosen, broken = chosen_and_broken
    failed = broken
    wrong = False
    for number, (name, domain) in enumerate(chosen, start=1):
        print(f"[{number}/{len(chosen)}] {name}/{domain.name}", file=sys.stderr, flush=True)
        try:
            with blamed(domain.name):
                told = work(name, domain)
            print(f"ok   {name}/{domain.name}{told}", flush=True)
        except DataUnavailableError as error:
            failed += 1
            wrong |= isinstance(error, WrongDataError)
            print(f"FAIL {name}/{domain.name}: {line(str(error))}", flush=True)
    print(f"{len(chosen) - failed + broken} of {len(chosen)} domains are {done}.", file=sys.stderr)
    return 2 if wrong else 1 if failed else 0


def _domains(tasks: Sequence[str], data: Path, reason: Reason) -> Chosen:
    """Returns the domains to work on by the names of their tasks, and how many tasks do not load.

    Where no task is named, those with a reason not to are passed over and told, and those with None untold.
    """
    chosen: list[tuple[str, Domain]] = []
    broken = 0
    for name in tasks or catalog.names("task"):
        try:
            task: Task = catalog.load("task", name)
        except HarnessError as error:
            if tasks:
                raise
            broken += 1
            print(f"FAIL {name}: {line(str(error))}", flush=True)
            continue
        if task.awaits and not tasks:
            print(f"wait {name}: {task.awaits}", flush=True)
            continue
        for domain in task.domains:
            waits: str | None = ""
            with suppress(HarnessError):  # a damaged one: it is worked on, and says so then
                waits = "" if tasks else reason(name, domain, data)
            if waits:
                print(f"wait {name}/{domain.name}: {waits}", flush=True)
            elif waits == "":
                chosen.append((name, domain))
    return chosen, broken
