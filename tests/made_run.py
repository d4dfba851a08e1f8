"""Writes run folders as the executor does, with scores that a test chooses."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import filled
import numpy as np
import pandas as pd

from harness.files import SCHEMA, sealed
from harness.identity.unit import Unit, unit_folder
from harness.run.record import Record, input_of
from harness.run.samples import write_samples
from harness.run.stored import write_beside, write_record
from harness.study.trained.units import SHORTER
from harness.task.metric import SampleScores
from harness.task.selection import DEFAULT_SELECTION
from harness.task.split import digests

IMAGES: dict[str, Any] = {"name": "marks", "sources": ["clean"], "held_out": ["rough", "grainy"]}
IMAGES |= {"metric": "accuracy", "chance": 0.25, "test_samples": 120}
BYTES: dict[str, Any] = {"name": "prose", "sources": ["code"], "held_out": ["tweets", "parl"]}
BYTES |= {"metric": "bits_per_byte", "chance": 8.0, "test_samples": 120}
OF_BYTES = ("code", "tweets", "parl")
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
        if domain in OF_BYTES:
            size = 80.0 + np.arange(samples) % 7
            return columns | {"label": 0, "numerator": (level + luck) * size, "denominator": size}
        return columns | {"numerator": (luck < level).astype(float), "denominator": 1.0}

    return of


def as_kept(frame: pd.DataFrame) -> SampleScores:
    """Returns samples as a unit keeps them; a prediction is made up where each is right or wrong.

    `sure` is the probability of the prediction among ten classes.
    """
    count = len(frame)
    group, label = (frame[name].to_numpy(np.int64) for name in ("group", "label"))
    numerator, denominator = (frame[name].to_numpy(np.float64) for name in ("numerator", "denominator"))
    named: dict[str, Any] = {"position": 3 * np.arange(count), "digest": digests(map(bytes, range(count)))}
    named |= {name: frame[name].to_numpy() for name in ("position", "digest") if name in frame}
    if np.isin(numerator, (0, 1)).all():
        named["prediction"] = np.where(numerator == 1, label, (label + 1) % 10)
    if "sure" in frame:
        sure = frame["sure"].to_numpy()[:, None]
        table = np.where(np.arange(10) == named["prediction"][:, None], sure, (1 - sure) / 9)
        named["log_probabilities"] = np.log(table).astype(np.float16)
    return SampleScores(group, label, numerator, denominator, **named)


class MadeRun:
    """A run folder whose units all ended, but for the (method, domain) pairs of `failed`, with their reasons.

    Rows of a space have a search behind them where `has_search` says so. Those of `again` stand once more,
    and those of `shorter` with three shorter trainings, whose samples are those of a method called so.
    """

    def __init__(
        self,
        path: Path,
        samples: Samples,
        *,
        rows: Iterable[Row] = ROWS,
        tasks: Iterable[Mapping[str, Any]] = (IMAGES,),
        failed: Mapping[tuple[str, str], str] | None = None,
        floors: Iterable[str] = (),
        prepared: str = "ab",
        code: Mapping[str, str] | None = None,
        suite: Mapping[str, Any] | None = None,
        has_search: bool = False,
        again: Iterable[Row] = (),
        shorter: Iterable[Row] = (),
    ) -> None:
        self.path, self.samples, self.rows = path, samples, list(rows)
        self.variants = [(*row, "again") for row in again]
        self.variants += [(*row, name) for row in shorter for name in SHORTER]
        self.failed, self.floors, self.prepared = failed or {}, tuple(floors), prepared
        self.code, self.has_search = code or {"engine": "as it is"}, has_search
        self.made: dict[str, tuple[Unit, Record]] = {}
        self.suite: dict[str, Any] = {"seeds": [0, 1, 2, 3, 4], "reference": "tuned", "claim": None}
        self.suite |= {"search": {"evaluations": 8, "parameter_tolerance": 0.05}, "tuned_space": PLAIN}
        self.suite |= {"searchers": [], "spaces": [], "baselines": [], "title": "Made up", "study": "trained"}
        self.suite |= suite or {}
        self.suite["tasks"] = [{"training": {"steps": 3}, **task} for task in tasks]
        for task in self.suite["tasks"]:
            self.task(task)

    def task(self, task: Mapping[str, Any]) -> None:
        domains = [("source", name) for name in task["sources"]]
        domains += [("held_out", name) for name in task["held_out"]]
        counts = {"counts": {"test": 300, "train": 900}, "groups": {"test": 60}}
        data = {}
        for _, domain in domains:
            about = {"origin": f"drawn for {domain}", "licence": "CC0-1.0"}
            spec = {"task": task["name"], "domain": domain}
            data[domain] = self.unit("prepare", spec, [], counts | {"sha256": self.prepared}, about=about)
        for method, space, variant in [(*row, "") for row in self.rows] + self.variants:
            trained = f"{method} {variant}" if variant in SHORTER else method
            seeds = [seed + 1000 * (variant == "again") for seed in self.suite["seeds"]]
            for select, report in zip(seeds, [*seeds[1:], seeds[0]], strict=True):
                needs = [*data.values(), *self.searched(task["name"], method, space, select)]
                spec = {"task": task["name"], "method": method, "space": space, "variant": variant}
                spec |= {"select_seed": select, "report_seed": report}
                final = self.unit("final", spec, needs, self.final(method, space, select))
                for role, domain in domains:
                    frame = pd.DataFrame(self.samples(trained, domain, report))
                    result = {"metric": task["metric"], "value": 0.5, "limited": False}
                    result |= {"samples": len(frame), "groups": frame["group"].nunique()}
                    reason = self.failed.get((method, domain))
                    about = {"domain": domain, "role": role}
                    self.unit("score", spec | about, [final, data[domain]], result, reason, samples=frame)

    def searched(self, task: str, method: str, space: str | None, seed: int) -> list[str]:
        if not space or not self.has_search:
            return []
        spec = {"task": task, "space": space, "seed": seed}
        need = self.unit("supernet", spec | {"steps": 500}, [], {"parameters": 9})
        spec |= {"searcher": method, "evaluations": 8}
        scores = [0.3, None, 0.35, 0.5, 0.4, 0.52, 0.51, 0.6 + 0.01 * seed]
        history = [
            {"architecture": {"a": 1}, "score": score, "parameters": 400_000, "macs": 2, "iteration": at}
            for at, score in enumerate(scores)
        ]
        report: dict[str, Any] = {"counters": {"duplicates": 2}}
        if method == "collm_nas":
            report["llm"] = {"model": "Tiny-135M", "kind": "embedded", "calls": 4, "prompt_tokens": 900}
            report["llm"] |= {"completion_tokens": 120, "reasoning_tokens": 0}
        result = {**history[-1], "evaluations": 8, "stopped": "budget", "history": history}
        return [self.unit("search", spec, [need], result | {"rank_by_parameters": None, "report": report})]

    def final(self, method: str, space: str | None, seed: int) -> dict[str, Any]:
        if method in self.floors:
            return {"parameters": 0, "macs": 0, "learning_rate": None, "steps": 0, "rates": {}}
        made: dict[str, Any] = {"parameters": 400_000 + 100 * seed, "macs": 2_000_000, "steps": 300}
        made |= {"learning_rate": 0.003, "validation": 0.8, "rates": {"0.003": 0.8}}
        return made | {"architecture": {"mixers": ["<script>alert(1)</script>"]} if space else None}

    def unit(
        self,
        kind: str,
        spec: dict[str, Any],
        needs: list[str],
        result: Any,
        reason: str | None = None,
        *,
        about: dict[str, Any] | None = None,
        samples: pd.DataFrame | None = None,
    ) -> str:
        usual = {"selection": DEFAULT_SELECTION} if kind in ("final", "score") else {}
        one = filled.unit(kind, usual | spec, needs=tuple(needs), code=self.code)
        if one.hash in self.made:
            return one.hash
        place = unit_folder(self.path, one)
        place.mkdir(parents=True)
        if samples is not None and reason is None:
            write_samples(place, as_kept(samples), result["metric"])
        write_beside(self.path, one, "provenance.json", {"packages": {"torch": "2"}})
        timing = {"seconds": 1.5, "parts": {}, "peak_memory_bytes": 2**27, "host": "h"}
        write_beside(self.path, one, "timing.json", timing)
        inputs = dict(input_of(one, *self.made[need]) for need in needs)
        status: Any = "ok" if reason is None else "failed"
        kept = filled.result(kind, **result)
        record = write_record(self.path, one, status, reason=reason, result=kept, about=about, inputs=inputs)
        self.made[one.hash] = one, record
        return one.hash

    def write(self, **changes: Any) -> Path:
        """Writes the plan, and returns the folder."""
        plan: dict[str, Any] = {"schema": SCHEMA, "name": "made", "title": "Made up", "limit": None}
        plan |= {"command": "harness eval made", "suite": self.suite}
        plan |= {"units": [one.to_json() for one, _ in self.made.values()], **changes}
        (self.path / "plan.json").write_text(sealed(plan))
        return self.path


def make(folder: Path, samples: Samples, *, failed: Iterable[tuple[str, str]] = (), **settings: Any) -> Path:
    """Writes a run; what `MadeRun` does not take is of the plan."""
    plan = {key: settings.pop(key) for key in ("name", "limit") if key in settings}
    reasons = dict.fromkeys(failed, "its disk was full.")
    return MadeRun(folder, samples, failed=reasons, **settings).write(**plan)


TOY_ROWS: list[Row] = [("default", None), ("tuned", PLAIN), ("floor", None), ("collm_nas", DIVERSE)]
TOY_ROWS += [("random_search", DIVERSE), ("local_search", PLAIN)]
DIGITS = {"name": "digits", "sources": ["mnist", "print"], "held_out": ["figlet", "optdigits"]}
TOY_TASKS: list[dict[str, Any]] = [
    DIGITS | {"metric": "balanced_accuracy", "chance": 0.1},
    {"name": "bytes", "sources": ["code"], "held_out": ["tweets", "parl"]}
    | {"metric": "bits_per_byte", "chance": 8.0},
]
LEVEL = {"default": 0.55, "tuned": 0.6, "floor": 0.1, "collm_nas": 0.7, "random_search": 0.61}


class ToyRun(MadeRun):
    """A run of two tasks and six rows with searches, a claim, and texts that would be markup."""

    def __init__(
        self, path: Path, *, failed: dict[tuple[str, str], str] | None = None, **levels: float
    ) -> None:
        self.levels = LEVEL | levels
        suite = {"title": "Toy", "claim": {"method": "collm_nas", "space": DIVERSE}}
        rows = {"rows": TOY_ROWS, "tasks": TOY_TASKS, "floors": ["floor"]}
        super().__init__(path, self.eased, failed=failed, suite=suite, has_search=True, **rows)

    def eased(self, method: str, domain: str, seed: int) -> dict[str, Any]:
        """Returns 60 groups of 5 samples; the share of right ones is the method's level on held-out data."""
        draw = np.random.default_rng(abs(hash((len(domain), seed))) % 1000)
        level = self.levels.get(method, 0.58) + (0.2 if domain in ("mnist", "print", "code") else 0.0)
        ease = np.repeat(draw.normal(0, 0.05, size=60), 5)
        luck = draw.random(300)
        columns: dict[str, Any] = {"group": np.repeat(np.arange(60), 5), "denominator": np.ones(300)}
        if domain in OF_BYTES:
            bits = {"numerator": (4 - 2 * level + ease) * 100.0, "denominator": np.full(300, 100.0)}
            return columns | {"label": np.zeros(300, dtype=np.int64)} | bits
        right = (luck < level + ease).astype(np.float64)
        return columns | {"label": np.arange(300) % 10, "numerator": right}

    def write(self, **changes: Any) -> Path:
        """Writes the plan, and returns the folder."""
        names = {"name": "toy", "title": "Toy <b>suite</b>", "command": "harness eval toy"}
        return super().write(**names | changes)
