"""The cache of domains as a whole: all domains of tasks prepared or verified in turn, each failing alone."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import catalog
from harness.data.prepare import prepare_domain, read_card, verify_domain
from harness.errors import DataUnavailableError
from harness.task import Domain, Task


def prepare_all(tasks: Sequence[str], data: Path, *, offline: bool) -> int:
    """Prepares what is not prepared yet, says so line by line, and returns the exit status.

    Whoever stops it loses the domain that is being read and no other: the same call goes on from there.

    Args:
        tasks: catalog names; every task when there are none.
        data: the cache.
        offline: fetch nothing.
    """

    def prepare(task: str, domain: Domain) -> str:
        is_new = read_card(task, domain, data) is None
        done = prepare_domain(task, domain, data, offline=offline)
        return f": {sum(done.samples.values())} samples{'' if is_new else ', as before'}"

    try:
        return _each(tasks, prepare, "prepared")
    except KeyboardInterrupt:  # typer would end without a word
        print("harness: interrupted; the same command continues from here.", file=sys.stderr)
        return 130


def verify_all(tasks: Sequence[str], data: Path) -> int:
    """Verifies every domain, says so line by line, and returns the exit status.

    Args:
        tasks: catalog names; every task when there are none.
        data: the cache.
    """

    def verify(task: str, domain: Domain) -> str:
        verify_domain(task, domain, data)
        return ""

    return _each(tasks, verify, "as they were written")


def _each(tasks: Sequence[str], work: Callable[[str, Domain], str], done: str) -> int:
    chosen: list[tuple[str, Domain]] = []
    for name in tasks or catalog.names("task"):
        task: Task = catalog.load("task", name)
        if task.awaits and not tasks:
            print(f"wait {name}: {task.awaits}", flush=True)
            continue
        chosen += [(name, domain) for domain in task.domains]
    failed = 0
    for number, (name, domain) in enumerate(chosen, start=1):
        print(f"[{number}/{len(chosen)}] {name}/{domain.name}", file=sys.stderr, flush=True)
        try:
            print(f"ok   {name}/{domain.name}{work(name, domain)}", flush=True)
        except DataUnavailableError as error:
            failed += 1
            print(f"FAIL {name}/{domain.name}: {error}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} domains are {done}.", file=sys.stderr)
    return 1 if failed else 0
