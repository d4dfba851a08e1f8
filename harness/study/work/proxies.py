"""Zero-cost proxies of the architectures of a space."""

import json
import random
from pathlib import Path

import numpy as np

from harness import catalog, seeds
from harness.data.table.table import bound_space
from harness.files import write_atomically
from harness.identity.unit import Unit
from harness.run.place import Done, Needs
from harness.search.proxies import proxy_score
from harness.space.form import Architecture
from harness.study.work.matched import matched_space
from harness.study.work.units import PROXIES, Proxies, ProxiesSpec


def proxies(unit: Unit[ProxiesSpec, Proxies], needs: Needs, folder: Path) -> Done:
    """Computes a zero-cost proxy of a pool of architectures, or of all where there are no more."""
    spec = unit.spec
    if spec.task:
        space = matched_space(spec, catalog.load("task", spec.task).in_windows(spec.context).signature)
    else:
        space = bound_space(spec.space)
    draw = random.Random(seeds.stream(spec.seed, "proxies"))
    if space.window is None and space.size() <= spec.pool:
        candidates = list(space.enumerate())
    else:
        candidates = sorted({space.sample(draw) for _ in range(spec.pool)})
    scores = [proxy_score(spec.proxy, space, one, spec.seed) for one in candidates]
    path = folder / "proxies.json"
    write_atomically(path, json.dumps([candidates, [one if np.isfinite(one) else None for one in scores]]))
    return Done(result=Proxies(candidates=len(candidates), finite=int(np.isfinite(scores).sum())))


def read_proxies(needs: Needs) -> dict[Architecture, float]:
    """Returns what the needed `proxies` unit found, architecture -> score; -inf where it has none."""
    candidates, scores = json.loads(needs.read(PROXIES, "proxies.json"))
    pairs = zip(candidates, scores, strict=True)
    return {tuple(genes): float("-inf") if score is None else score for genes, score in pairs}
