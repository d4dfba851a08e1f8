"""Lets the embedded Generator search every space, and prints how much of what it decodes is legal and new.

    python benchmarks/embedded_generator.py --evaluations 40

The score is made up (a hash of the architecture), as only the proposals are looked at. Prints a Markdown
table with a line per space and signature: choices, architectures decoded, the shares that were legal and new,
draws that the model had no part in, calls of the model, and seconds per evaluation.
"""

import argparse
import hashlib
import os
import tempfile
from pathlib import Path
from time import perf_counter

from harness import catalog
from harness.checks.space import SIGNATURES
from harness.data.fetch import fetch
from harness.guard.keys import Key
from harness.llm import open_client
from harness.llm.package import EMBEDDED_MODEL, extract_model
from harness.search.loop import SearchContext, run_search
from harness.space.choices import SearchSpace, SpaceFamily
from harness.study.settings import LanguageModelSettings


def spaces() -> list[SearchSpace]:
    """Returns the micro presets, or the default one where there is none, for every signature they read."""
    found = []
    for name in catalog.names("space"):
        family: SpaceFamily = catalog.load("space", name)
        preset = "micro" if "micro" in family.presets else family.default_preset
        found += [
            family.space(preset, signature) for signature in SIGNATURES if signature.kind in family.kinds
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--data", type=Path, default=None, help="data cache; HARNESS_DATA by default")
    given = parser.parse_args()
    default = os.environ.get("HARNESS_DATA", Path.home() / ".cache" / "crossdomain-harness")
    cache = Path(given.data or default)
    model = extract_model(fetch(EMBEDDED_MODEL, cache, offline=False), cache)
    entry = catalog.load("searcher", "collm_nas")
    print("| space | inputs | choices | decoded | legal | new | without the model | calls | s/evaluation |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for space in spaces():
        with tempfile.TemporaryDirectory() as folder:
            client = open_client(
                vars(LanguageModelSettings()),
                model_file=model,
                transcript=Path(folder) / "transcript.jsonl",
                key=Key(),
            )
            context = SearchContext(
                space=space, seed=0, budget=given.evaluations, options=entry.options, client=client
            )
            started = perf_counter()
            result = run_search(
                entry.build(context),
                context,
                lambda one: hashlib.sha256(repr(one).encode()).digest()[0] / 256,
            )
            seconds = (perf_counter() - started) / len(result.history)
        counted = result.report["counters"]
        proposed = counted["proposed"]
        assert len(result.history) == min(given.evaluations, space.size()), result.stopped
        print(
            f"| {space.name} | {space.signature.kind} | {len(space.choices)} | {proposed} "
            f"| {100 * counted['legal'] / proposed:.0f} % | {100 * counted['new'] / proposed:.0f} % "
            f"| {counted['fallback']} | {result.report['llm']['calls']} | {seconds:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
