"""Times a forward pass of a supernet's slice against the stand-alone module with the same weights.

    python benchmarks/slice_speed.py

Batches are made so large that the stand-alone module takes at least --milliseconds; the two run in turns on
one thread, and the ratio is the median over rounds. Prints a line per architecture; exit status 1 where a
slice takes more than --most times as long.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable

import torch

from harness import catalog
from harness.learn.fit import seeded
from harness.space.choices import SearchSpace
from harness.task.signature import Signature

IMAGE = Signature(kind="image", classes=10, height=28, width=28)
BYTES = Signature(kind="bytes", classes=256, context=128)
SPACES = {
    "hybrid:micro": IMAGE,
    "nasbench201:micro": IMAGE,
    "nats_size:micro": IMAGE,
    "mobilenet:micro": IMAGE,
    "shufflenet:micro": IMAGE,
    "autoformer:micro": IMAGE,
    "decoder:micro": BYTES,
    "mobilenet:w1.0": None,
    "shufflenet:paper": None,
    "autoformer:tiny": None,
}
"""Space -> signature; None is the preset's own."""


def inputs_of(signature: Signature, batch: int) -> torch.Tensor:
    if signature.kind == "bytes":
        return torch.randint(0, 256, (batch, signature.context))
    return torch.randn(batch, signature.channels, signature.height, signature.width)


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def compared(space: SearchSpace, supernet: torch.nn.Module, seed: int, least: float, rounds: int) -> float:
    """Returns the median ratio of slice by stand-alone, after printing it."""
    architecture = space.sample(random.Random(seed))
    alone, route = space.networks.slice(supernet, architecture).eval(), space.networks.route(architecture)
    batch, inputs = 1, inputs_of(space.signature, 1)

    def run_alone() -> object:
        return alone(inputs)

    while min(seconds(run_alone) for _ in range(3)) < least and batch < 4096:
        batch *= 2
        inputs = inputs_of(space.signature, batch)
    pairs = [(seconds(lambda: supernet(inputs, route)), seconds(run_alone)) for _ in range(rounds)]
    ratio = statistics.median(one / other for one, other in pairs)
    taken = statistics.median(other for _, other in pairs)
    print(
        f"{space.name}, sample {seed}, batch {batch}: {taken * 1e3:.0f} ms alone, {ratio:.3f} times as slice"
    )
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--milliseconds", type=float, default=50.0)
    parser.add_argument("--architectures", type=int, default=3, help="per space")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--most", type=float, default=1.1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    worst = 0.0
    for name, signature in SPACES.items():
        family, _, preset = name.partition(":")
        space = catalog.load("space", family).space(preset, signature)
        with seeded(0), torch.inference_mode():
            supernet = space.networks.supernet().eval()
            for seed in range(chosen.architectures):
                least = chosen.milliseconds / 1e3
                worst = max(worst, compared(space, supernet, seed, least, chosen.rounds))
    print(f"At most {worst:.3f} times as long as alone.")
    return 0 if worst <= chosen.most else 1


if __name__ == "__main__":
    sys.exit(main())
