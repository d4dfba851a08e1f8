"""Times closed-form counts against building the module and counting it, and `harness count` from its start.

    python benchmarks/counting.py

First a line per space: microseconds of `parameters` and `macs` of one architecture, milliseconds of building
its module without memory, adding up its parameters and running torch's counter on it, and the ratio. Then the
seconds that `harness count` takes for 1,000 architectures from a JSONL file, with the start of Python. Exit
status 1 where a ratio is below --least or a count above --most seconds.
"""

import argparse
import json
import random
import statistics
import subprocess  # runs its own file again  # nosec B404
import sys
import tempfile
import time
from pathlib import Path

import torch

from harness import catalog
from harness.nn.measure import measured_macs
from harness.space.choices import SearchSpace

PRESETS = (
    "nasbench201:cifar10",
    "nats_size",
    "mobilenet:w1.0",
    "shufflenet:paper",
    "autoformer:small",
    "decoder:gpt-s",
    "hybrid:micro",
)


def bound(name: str) -> SearchSpace:
    family, _, preset = name.partition(":")
    space: SearchSpace = catalog.load("space", family).space(preset or None)
    return space


def seconds_of_closed_form(space: SearchSpace, count: int) -> float:
    """Returns the seconds that one architecture's two counts take."""
    draw = random.Random(0)
    drawn = [space.sample(draw) for _ in range(count)]
    started = time.perf_counter()
    for architecture in drawn:
        space.parameters(architecture)
        space.macs(architecture)
    return (time.perf_counter() - started) / count


def seconds_of_building(space: SearchSpace, count: int) -> float:
    """Returns the median seconds of building and counting, which must give the same numbers."""
    draw = random.Random(0)
    taken = []
    for _ in range(count):
        architecture = space.sample(draw)
        started = time.perf_counter()
        with torch.device("meta"):
            module = space.networks.build(architecture).eval()
            parameters = sum(weight.numel() for weight in module.parameters())
            macs = measured_macs(module, space.signature)
        taken.append(time.perf_counter() - started)
        assert parameters == space.parameters(architecture)
        assert macs > 0
    return statistics.median(taken)


def seconds_of_command(name: str, rounds: int) -> float:
    """Returns the median seconds of `harness count` for 1,000 architectures of a file."""
    space, draw = bound(name), random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "architectures.jsonl"
        file.write_text("".join(json.dumps(space.to_json(space.sample(draw))) + "\n" for _ in range(1000)))
        command = [sys.executable, "-c", "from harness.cli.main import main; main()", "count", name]
        taken = []
        for _ in range(rounds):
            started = time.perf_counter()
            words = [*command, "--architectures", str(file)]
            done = subprocess.run(words, capture_output=True, check=True)  # its own words  # nosec B603
            taken.append(time.perf_counter() - started)
            assert len(done.stdout.splitlines()) == 1000
    return statistics.median(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--built", type=int, default=5, help="modules built per space")
    parser.add_argument("--rounds", type=int, default=5, help="runs of the command per space")
    parser.add_argument("--least", type=float, default=100.0)
    parser.add_argument("--most", type=float, default=2.0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    holds = True
    for name in PRESETS:
        space = bound(name)
        closed, built = seconds_of_closed_form(space, 1000), seconds_of_building(space, chosen.built)
        command = seconds_of_command(name, chosen.rounds)
        holds &= built / closed >= chosen.least and command <= chosen.most
        print(
            f"{name}: {closed * 1e6:.0f} us in closed form, {built * 1e3:.0f} ms built and counted, "
            f"{built / closed:,.0f} times; harness count on 1,000: {command:.2f} s",
            flush=True,
        )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
