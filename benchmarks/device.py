"""Times training steps of a small network on a device, in one process and in several side by side.

    python benchmarks/device.py --device cuda --family recurrence --batch 8 --processes 1 14

The network is the reference of `diversity_language`, 360,000 parameters in three layers, with mixers of one
family. Prints the milliseconds of a step: the fastest process, the middle one and the slowest. On a GPU the
processes share it best where NVIDIA's MPS runs beside them (`nvidia-cuda-mps-control -d`).
"""

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

WARM = 50
"""Steps before those that are timed."""


def step_seconds(device: str, family: str, batch: int, steps: int) -> float:
    """Returns the seconds of a step of one training."""
    from harness.guard.threads import one_thread, same_bits

    one_thread()
    same_bits(device)
    import numpy as np
    import torch
    from torch import Tensor

    from harness import Signature, catalog
    from harness.learn.fit import Batch, Recipe, cross_entropy, fit

    torch.set_num_threads(1)
    signature = Signature(kind="bytes", classes=256, context=128)
    space = catalog.load("space", "hybrid").space("mini", signature)
    shape = space.to_json(space.default())
    shape["mixers"] = [family] * len(shape["mixers"])
    module = space.networks.build(space.from_json(shape)).to(device)
    begun = []

    def batches() -> Iterator[Batch]:
        draw = np.random.default_rng(0)
        while True:
            windows = torch.from_numpy(draw.integers(0, 256, (batch, signature.context + 1)))
            yield windows[:, :-1], windows[:, 1:]

    def loss(data: Batch, step: int) -> Tensor:
        if step == WARM:
            begun.append(perf_counter())
        return cross_entropy(module(data[0]), data[1])

    recipe = Recipe(steps=WARM + steps, batch_size=batch, learning_rate=1e-3)
    fit(module, recipe, batches(), loss)  # each step waits for the norm of its gradient
    return (perf_counter() - begun[0]) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--family", default="recurrence")
    parser.add_argument("--batch", type=int, nargs="+", default=[8])
    parser.add_argument("--processes", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=400)
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for batch in asked.batch:
        for count in asked.processes:
            with context.Pool(count) as pool:
                told = [(asked.device, asked.family, batch, asked.steps)] * count
                found = sorted(1000 * one for one in pool.starmap(step_seconds, told, chunksize=1))
            print(
                f"{asked.device} {asked.family} batch {batch} processes {count}: "
                f"{found[0]:.1f} {median(found):.1f} {found[-1]:.1f} ms a step"
            )


if __name__ == "__main__":
    main()
