"""Compares runs made before and after a change of code that must change no result.

    python benchmarks/frozen.py BEFORE AFTER

Each is a folder of runs, one folder a suite. Units are matched by their kind and parameters. Masked are plan
keys, digests of code and of inputs, checksums, provenance and timings, and nothing else: specifications,
results, artifacts, boards and reports must be equal to the byte.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEYS = frozenset({"hash", "needs", "code", "asked", "inputs", "checksum", "input_key", "study"})
"""Members of plans, records and boards that name what a unit was made of."""
BESIDE = frozenset({"timing.json", "provenance.json"})
DIGITS = re.compile(rb"\b([0-9a-f]{64}|[0-9a-f]{16})\b")
"""Plan keys and checksums in journals and reports."""
MADE = re.compile(
    rb"(?s)<table(?:(?!</table>).)*?(?:machine that ran|this machine's).*?</table>"
    rb"|\*\*[^\n]*(?:machine that ran|this machine's)[^\n]*\*\*\n\n(?:\|[^\n]*\n)*"
    rb"|commit(?:</th>\n<td[^>]*>| \| )[0-9a-f]+\+?"
)
"""Tables of timings, and the commit, in reports."""


def main() -> int:
    """Prints what differs; returns 1 where anything does."""
    before, after = map(Path, sys.argv[1:3])
    differences = []
    suites = sorted(folder.name for folder in before.iterdir() if (folder / "plan.json").is_file())
    for suite in suites:
        mine, other = contents(before / suite), contents(after / suite)
        for name in sorted({*mine, *other}):
            if mine.get(name) != other.get(name):
                there = [place for place, found in (("before", mine), ("after", other)) if name in found]
                differences.append(
                    f"{suite}: {name} " + ("differs" if len(there) == 2 else f"only {there[0]}")
                )
        print(f"{suite}: {len(mine)} files compared")
    print("\n".join(differences) or "equal")
    return 1 if differences else 0


def contents(run: Path) -> dict[str, Any]:
    """Returns file, under the name of its unit, -> what is compared of it."""
    plan = json.loads((run / "plan.json").read_text())
    found: dict[str, Any] = {"plan.json": masked(plan), "board.json": masked_file(run / "board.json")}
    for name in ("report.md", "report.html"):
        if (run / name).exists():
            found[name] = MADE.sub(b"", DIGITS.sub(b"", (run / name).read_bytes()))
    for unit in plan["units"]:
        folder = run / "units" / f"{unit['kind']}-{unit['hash']}"
        place = f"{unit['kind']} {json.dumps(unit['spec'], sort_keys=True)}"
        for file in files_of(folder):
            found[f"{place} {file.name}"] = masked_file(file)
    return found


def files_of(folder: Path) -> Iterator[Path]:
    """Yields what a unit left, provenance and timing apart."""
    yield from (file for file in sorted(folder.iterdir()) if file.name not in BESIDE)


def masked_file(file: Path) -> Any:
    """Returns JSON without keys, a journal without digits, and all else as it is."""
    raw = file.read_bytes()
    if file.suffix == ".json":
        return masked(json.loads(raw))
    return DIGITS.sub(b"", raw) if file.suffix == ".jsonl" else raw


def masked(value: Any) -> Any:
    """Returns JSON without the members that `KEYS` names."""
    if isinstance(value, dict):
        return {key: masked(one) for key, one in value.items() if key not in KEYS}
    return [masked(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    raise SystemExit(main())
