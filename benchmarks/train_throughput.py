"""Times our training loop against a bare torch loop of the same model, batches and optimizer.

    python benchmarks/train_throughput.py --steps 60 --rounds 5

Both loops run in turns in one process, on one thread; the ratio is the median over rounds of ours by bare.
The bare loop is what one writes in a notebook: index the images, forward, backward, clip, step. Prints a line
per model; exit status 1 when ours takes more than --most times as long.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from harness import catalog, seeds
from harness.learn.batches import batches
from harness.learn.checkpoint import Checkpoint
from harness.learn.fit import Recipe, cross_entropy, fit, seeded
from harness.task.signature import Signature
from harness.task.split import Split

IMAGE = Signature(kind="image", classes=10, height=28, width=28)
BYTES = Signature(kind="bytes", classes=256, context=128)
MODELS = {
    "default, images": (IMAGE, lambda: catalog.load("baseline", "default").build(IMAGE, 80_000)),
    "default, bytes": (BYTES, lambda: catalog.load("baseline", "default").build(BYTES, 80_000)),
    "hybrid:micro, images": (IMAGE, lambda: alone("hybrid", "micro", IMAGE)),
    "nasbench201:micro, images": (IMAGE, lambda: alone("nasbench201", "micro", IMAGE)),
}


def alone(space: str, preset: str, signature: Signature) -> nn.Module:
    bound = catalog.load("space", space).space(preset, signature)
    module: nn.Module = bound.build(bound.default())
    return module


def split(signature: Signature) -> Split:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (2000, 1, signature.height, signature.width)).astype(np.uint8)
    text = draw.integers(0, 256, 500_000).astype(np.uint8)
    is_image = signature.kind == "image"
    count = 2000 if is_image else 1
    return Split(
        domain="noise",
        name="train",
        images=images if is_image else np.zeros((0, 1, 1, 1), np.uint8),
        text=np.zeros(0, np.uint8) if is_image else text,
        offsets=np.zeros(1, np.int64) if is_image else np.array([0, len(text)]),
        labels=draw.integers(0, 10, count),
        groups=np.arange(count),
        group_names=tuple(str(index) for index in range(count)),
        positions=np.arange(count),
    )


def ours(build: Callable[[], nn.Module], signature: Signature, data: Split, recipe: Recipe) -> float:
    with seeded(0), TemporaryDirectory() as folder:
        module = build()
        order = seeds.generator(0, "batches")
        checkpoint = Checkpoint(path=Path(folder) / "checkpoint", streams={"batches": order})
        drawn = batches(signature, [data], recipe.batch_size, order)
        next(drawn)
        started = time.perf_counter()
        fit(
            module,
            recipe,
            drawn,
            lambda batch, _: cross_entropy(module(batch[0]), batch[1]),
            checkpoint=checkpoint,
        )
        return time.perf_counter() - started


def bare(build: Callable[[], nn.Module], signature: Signature, data: Split, recipe: Recipe) -> float:
    with seeded(0):
        module = build()
        images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
        text = torch.from_numpy(data.text)
        span = torch.arange(signature.context + 1)
        started = time.perf_counter()
        optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98))
        module.train()
        for _ in range(recipe.steps):
            if signature.kind == "image":
                chosen = torch.randint(len(images), (recipe.batch_size,))
                inputs, targets = images[chosen].float() / 127.5 - 1, labels[chosen]
            else:
                first = torch.randint(len(text) - len(span), (recipe.batch_size, 1))
                tokens = text[first + span].long()
                inputs, targets = tokens[:, :-1], tokens[:, 1:]
            loss = nn.functional.cross_entropy(module(inputs).flatten(0, -2), targets.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), recipe.clip)
            optimizer.step()
        return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--most", type=float, default=1.1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    recipe = Recipe(steps=chosen.steps, batch_size=chosen.batch, learning_rate=1e-3)
    slowest = 0.0
    for name, (signature, build) in MODELS.items():
        data = split(signature)
        seconds: dict[str, list[float]] = {"ours": [], "bare": []}
        for number in range(chosen.rounds + 1):
            for label, loop in (("ours", ours), ("bare", bare)):
                taken = loop(build, signature, data, recipe)
                if number:  # the first round warms up
                    seconds[label].append(taken)
        mine, other = (statistics.median(seconds[label]) / chosen.steps for label in ("ours", "bare"))
        slowest = max(slowest, mine / other)
        print(
            f"{name}: ours {mine * 1e3:.2f} ms, bare {other * 1e3:.2f} ms a step: {mine / other:.3f}",
            flush=True,
        )
    print(f"slowest ratio {slowest:.3f}, at most {chosen.most}")
    return 0 if slowest <= chosen.most else 1


if __name__ == "__main__":
    raise SystemExit(main())
