"""Writes run folders as the executor does, with scores that a test chooses."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import filled
import numpy as np
import pandas as pd

from harness.files import SCHEMA, sealed
from harness.identity.unit import Unit, unit_folder
from harness.run.record import Record
from harness.run.stored import write_record
from harness.task.selection import DEFAULT_SELECTION

IMAGES: dict[str, Any] = {"name": "marks", "sources": ["clean"], "held_out": ["rough", "grainy"]}
IMAGES |= {"metric": "accuracy", "chance": 0.25, "test_samples": 120}
BYTES: dict[str, Any] = {"name": "prose", "sources": ["code"], "held_out": ["tweets", "parl"]}
BYTES |= {"metric": "bits_per_byte", "chance": 8.0, "test_samples": 120}
Row = tuple[str, str | None]
Samples = Callable[[str, str, int], Mapping[str, Any]]
PLAIN, DIVERSE = "hybrid:micro-attention", "hybrid:micro"
ROWS: list[Row] = [("tuned", PLAIN), ("default", None), ("local_search", DIVERSE), ("local_search", PLAIN)]


def drawn(levels: Mapping[str, float], *, samples: int = 120, per_group: int = 1) -> Samples:
    """Returns samples of which a share is right, or costs that many bits; luck is shared by all methods."""

    def of(method: str, domain: str, seed: int) -> dict[str, Any]:
        luck = np.random.default_rng([seed, *domain.encode()]).random(samples)
        columns = {"group": np.arange(samples) // per_group, "label": np.arange(samples) % 4}
        level = levels.get(method, 0.6)
        if domain in ("code", "tweets", "parl"):
            size = 80.0 + np.arange(samples) % 7
            return columns | {"label": 0, "numerator": (level + luck) * size, "denominator": size}
        return columns | {"numerator": (luck < level).astype(float), "denominator": 1.0}

    return of


def make(
    folder: Path,
    samples: Samples,
    *,
    rows: Iterable[Row] = ROWS,
    tasks: Iterable[Mapping[str, Any]] = (IMAGES,),
    failed: Iterable[tuple[str, str]] = (),
    floors: Iterable[str] = (),
    prepared: str = "ab",
    code: Mapping[str, str] | None = None,
    suite: Mapping[str, Any] | None = None,
    **plan: Any,
) -> Path:
    """Writes a run; `failed` holds the (method, domain) pairs that left no score."""
    settings: dict[str, Any] = {"seeds": [0, 1], "reference": "tuned", "claim": None, "tasks": list(tasks)}
    settings |= {"search": {"evaluations": 8, "parameter_tolerance": 0.05}, "tuned_space": PLAIN}
    settings |= {"searchers": [], "spaces": [], "baselines": [], "title": "Made up", "study": "trained"}
    settings |= suite or {}
    settings["tasks"] = [{"training": {"steps": 3}, **task} for task in settings["tasks"]]
    made: dict[str, tuple[Unit, Record]] = {}

    def unit(
        kind: str,
        spec: dict[str, Any],
        needs: list[str],
        result: Any,
        reason: str | None = None,
        samples: pd.DataFrame | None = None,
    ) -> str:
        usual = {"selection": DEFAULT_SELECTION} if kind in ("final", "score") else {}
        one = filled.unit(kind, usual | spec, needs=tuple(needs), code=code or {"engine": "as it is"})
        place = unit_folder(folder, one)
        place.mkdir(parents=True)
        if samples is not None and reason is None:
            samples.to_parquet(place / "samples.parquet")
        inputs = {made[need][0].name: made[need][1].result_hash for need in needs}
        status: Any = "ok" if reason is None else "failed"
        made[one.hash] = (
            one,
            write_record(
                folder, one, status, reason=reason, result=filled.result(kind, **result), inputs=inputs
            ),
        )
        return one.hash

    for task in settings["tasks"]:
        domains = [("source", one) for one in task["sources"]]
        domains += [("held_out", one) for one in task["held_out"]]
        data = {
            one: unit("prepare", {"task": task["name"], "domain": one}, [], {"sha256": prepared})
            for _, one in domains
        }
        first, second = settings["seeds"][0], settings["seeds"][-1]
        roles = [(first, second), (second, first)] if first != second else [(first, first)]
        for method, space in rows:
            for select, report in roles:
                spec = {"task": task["name"], "method": method, "space": space}
                spec |= {"select_seed": select, "report_seed": report}
                size = 0 if method in floors else 9
                cost = {"parameters": size, "macs": size, "steps": size}
                final = unit("final", spec, list(data.values()), cost)
                for role, domain in domains:
                    frame = pd.DataFrame(samples(method, domain, report))
                    counted = {"samples": len(frame), "groups": frame["group"].nunique(), "limited": False}
                    reason = "its disk was full." if (method, domain) in failed else None
                    about = {"domain": domain, "role": role}
                    unit("score", spec | about, [final, data[domain]], counted, reason, frame)
    head: dict[str, Any] = {"schema": SCHEMA, "name": "made", "title": "Made up", "limit": None}
    head |= {"command": "harness eval made", "suite": settings}
    head |= {"units": [one.to_json() for one, _ in made.values()], **plan}
    (folder / "plan.json").write_text(sealed(head))
    return folder
