"""Verbs that look at what a run left: doctor and reproduce."""

import os
from pathlib import Path
from typing import Annotated

import typer

from harness.checks.finding import Finding
from harness.cli.options import Offline, data_folder, place_of
from harness.errors import HarnessError
from harness.guard import inert
from harness.guard.keys import take_keys


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


def _say(finding: Finding) -> None:
    told = f"{'ok  ' if finding.holds else 'FAIL'} {finding.claim}: {finding.detail}"
    print(inert.line(told), flush=True)
