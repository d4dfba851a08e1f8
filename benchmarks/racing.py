"""What racing saves and what it costs: the share of validation samples seen, and the regret of the winner.

    python benchmarks/racing.py digits --suite quickstart --task digits
    python benchmarks/racing.py drawn

`digits` trains the supernets of a suite's task once, scores random architectures on every validation sample
of its sources, and replays searches in many random orders. `drawn` needs no data: it draws right and wrong
answers as networks on ImageNet give them, 10,000 samples, accuracies spread by one point around 76 %, two
networks disagreeing on a tenth of the samples. Regret is the whole score of the best candidate less that of
the race's winner, in points.
"""

import argparse
import os
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.search.race import Race, SampleBlock, blocks_of
from harness.task.split import Split

Answers = list[NDArray[np.float64]]
"""Per block, numerators of shape (candidates, samples of the block)."""


def drawn(candidates: int, samples: int, draw: np.random.Generator) -> tuple[list[SampleBlock], Answers]:
    """Returns blocks and answers of networks whose accuracies and disagreements are those of ImageNet."""
    # Right where ability exceeds difficulty; the noise of each pair is what networks disagree by.
    ability = draw.normal(0.73, 0.033, (candidates, 1)) + draw.normal(0, 0.28, (candidates, samples))
    right = (ability > draw.normal(0, 1, samples)).astype(np.float64)
    images = np.zeros((samples, 1, 1, 1), np.uint8)
    none = np.zeros(samples, np.int64)
    split = Split(
        domain="drawn",
        name="validation",
        images=images,
        text=np.zeros(0, np.uint8),
        offsets=np.zeros(1, np.int64),
        labels=none,
        groups=none,
        group_names=("",),
        positions=np.arange(samples),
    )
    blocks = blocks_of([split], "accuracy", 1, draw)
    ends = np.cumsum([len(block.weights) for block in blocks])
    print(f"accuracies {right.mean(1).mean():.4f} +- {right.mean(1).std():.4f}", end=", ")
    print(f"two networks disagree on {np.abs(right[0] - right[1]).mean():.3f} of the samples")
    return blocks, np.split(right, ends[:-1], axis=1)


def scored(
    suite: str, task: str, candidates: int, folder: Path
) -> list[tuple[str, list[SampleBlock], Answers]]:
    """Returns name, blocks and answers of random architectures of each space of a suite's task."""
    from harness.data.view import DataPlace
    from harness.run.place import Needs, Place
    from harness.run.stored import inputs_of, write_record
    from harness.study.study import make_plan
    from harness.study.suite import load_suite
    from harness.study.trained.work.slice_scores import CandidateScores
    from harness.study.work.matched import matched_space
    from harness.workers.perform import perform

    data = os.environ.get("HARNESS_DATA", Path.home() / ".cache" / "crossdomain-harness")
    place = Place(run=folder, data=DataPlace(folder=Path(data)))
    units = {unit.hash: unit for unit in make_plan(*load_suite(suite)).units}
    found: dict[str, tuple[str, list[SampleBlock], Answers]] = {}
    for search in units.values():
        if search.kind.name != "search" or search.spec.task != task or search.spec.seed != 0:
            continue
        if search.spec.space in found:
            continue
        needs = {need: units[need] for need in search.needs}
        for unit in sorted(needs.values(), key=lambda unit: unit.kind.name != "prepare"):
            if unit.kind.name in ("prepare", "supernet"):
                done = perform(unit, {need: units[need] for need in unit.needs}, place)
                inputs = inputs_of(folder, unit, [units[need] for need in unit.needs])
                write_record(folder, unit, "ok", result=done.result, inputs=inputs)
        spec = replace(search.spec, racing=True, validation_samples=10**9)
        search = replace(search, spec=spec)
        near = Needs(needs, place)
        view = near.view(spec.task, spec.sources)
        space = matched_space(spec, view.signature)
        scores = CandidateScores(search, near, view, space)
        assert scores.race is not None
        stream = random.Random(0)
        rows = [space.sample(stream) for _ in range(candidates)]
        blocks = list(scores.race.blocks)
        models = (scores.model(one) for one in rows)
        columns = zip(
            *([scores.numerators(model, block) for block in blocks] for model in models), strict=True
        )
        answers = [np.array(column) for column in columns]
        found[spec.space] = (spec.space, blocks, answers)
    return list(found.values())


def replay(
    name: str, blocks: list[SampleBlock], answers: Answers, budget: int, draw: np.random.Generator
) -> None:
    """Prints share and regret over searches of `budget` candidates in random orders."""
    candidates = len(answers[0])
    weights = [block.weights for block in blocks]
    whole = sum(answer @ weight for answer, weight in zip(answers, weights, strict=True))
    shares, regrets = [], []
    for _ in range(1000):
        order = draw.permutation(candidates)[:budget]
        race = Race(blocks)
        laps = [race.enter(lambda index, one=one: answers[index][one]) for one in order]  # type: ignore[misc]
        winner = order[int(np.argmax([lap.score for lap in laps]))]
        shares.append(sum(lap.samples for lap in laps) / (race.samples * budget))
        regrets.append(100 * (whole[order].max() - whole[winner]))
    samples = sum(len(weight) for weight in weights)
    error = np.std(regrets) / np.sqrt(len(regrets))
    print(f"{name}: {samples} samples, whole scores {whole.mean():.4f} +- {whole.std():.4f}", end=", ")
    print(f"{budget} candidates: {np.mean(shares):.3f} of the samples seen", end=", ")
    print(f"mean regret {np.mean(regrets):.4f} +- {error:.4f} points", end=", ")
    print(f"another winner in {np.mean(np.array(regrets) > 0):.1%} of 1,000 searches")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=("digits", "drawn"))
    parser.add_argument("--suite", default="quickstart")
    parser.add_argument("--task", default="digits")
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--samples", type=int, default=10_000)
    chosen = parser.parse_args()
    draw = np.random.default_rng(0)
    if chosen.kind == "drawn":
        found = [("drawn", *drawn(chosen.candidates, chosen.samples, draw))]
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = scored(chosen.suite, chosen.task, chosen.candidates, Path(folder))
    for name, blocks, answers in found:
        for budget in (24, 100):
            replay(name, blocks, answers, budget, draw)


if __name__ == "__main__":
    main()
