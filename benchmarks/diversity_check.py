"""The study of diversity once more, by closed forms in plain numpy and by statsmodels' mixed model.

    python benchmarks/diversity_check.py RUN

Reads a run's plan and records as JSON and nothing of this package, works out the questions about arms and networks at
equal in-domain score from their definitions, and compares gain, standard error and interval with the run's board: closed
forms to 1e-9, the fixed effect of a mixed model (architectures and families of domains crossed, as random effects) to
1e-3. Exit status 1 where one of them differs.
"""  # noqa: E501  the lines of a page

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t
from statsmodels.formula.api import mixedlm

Array = NDArray[np.float64]


def outcomes(
    run: Path, level: float, sign: int
) -> tuple[dict[tuple[str, int], Array], dict[str, Any], dict[Any, Any]]:
    """Returns the outcome of each architecture on families of domains at the level, the plan, and JSON."""
    plan = json.loads((run / "plan.json").read_text())["suite"]
    task = plan["task"]
    named = {
        name: task["families"][name] for name in task["held_out"] if "seen family" not in task["strata"][name]
    }
    families = list(dict.fromkeys(named.values()))
    found: dict[tuple[str, int], list[Array]] = defaultdict(list)
    forms: dict[Any, Any] = {}
    for file in sorted(run.glob("units/cell-*/record.json")):
        record = json.loads(file.read_text())
        spec = record["spec"]
        if record["status"] != "ok" or spec["arm"] == "control":
            continue
        checkpoints = record["result"]["checkpoints"]
        inside = [sign * np.mean([one["in_domain"][name] for name in spec["sources"]]) for one in checkpoints]
        outside = np.array([[sign * one["held_out"][name] for name in named] for one in checkpoints])
        by_domain = np.full(len(named), np.nan)
        for low in range(len(inside) - 1):
            if inside[low] <= sign * level <= inside[low + 1]:
                share = (sign * level - inside[low]) / (inside[low + 1] - inside[low])
                by_domain = outside[low] + share * (outside[low + 1] - outside[low])
                break
        key = spec["arm"], spec["index"]
        found[key].append(by_domain)
        forms[key] = spec["architecture"]
    means = {key: np.nanmean(scores, axis=0) for key, scores in found.items() if not np.isnan(scores).all()}
    places = {family: [named[name] == family for name in named] for family in families}
    return (
        {key: np.array([one[places[family]].mean() for family in families]) for key, one in means.items()},
        plan,
        forms,
    )


def closed_form(values: Array, design: Array) -> tuple[float, float, float]:
    """Returns the last coefficient, its standard error and its degrees of freedom, by explicit matrices."""
    count, domains = values.shape
    inverse = np.linalg.inv(design.T @ design)
    hat = design @ inverse @ design.T
    weights = (inverse @ design.T)[-1]
    residuals = (np.eye(count) - hat) @ values
    inner = np.diag(weights**2 / (1 - np.diag(hat)))
    mean = residuals.mean(axis=1)
    own = weights @ values
    of_architectures = float(mean @ inner @ mean)
    of_domains = float(np.var(own, ddof=1)) / domains
    shared = sum(float(one @ inner @ one) for one in (residuals - mean[:, None]).T) / (domains - 1) / domains
    turned = (np.eye(count) - hat) @ inner @ (np.eye(count) - hat)
    freedom = np.trace(turned) ** 2 / np.trace(turned @ turned)
    total = max(shared, of_architectures + of_domains - shared)
    return float(own.mean()), total**0.5, total / (of_architectures / freedom + of_domains / (domains - 1))


def mixed(values: Array, design: Array) -> float:
    """Returns the fixed effect of the last column in a model with crossed random effects."""
    count, domains = values.shape
    frame = pd.DataFrame(
        {
            "y": values.ravel(),
            "architecture": np.repeat(np.arange(count), domains),
            "domain": np.tile(np.arange(domains), count),
            "all": 1,
        }
    )
    names = [f"x{place}" for place in range(1, design.shape[1])]
    for place, name in enumerate(names, start=1):
        frame[name] = np.repeat(design[:, place], domains)
    parts = {"architecture": "0 + C(architecture)", "domain": "0 + C(domain)"}
    fitted = mixedlm(f"y ~ {' + '.join(names)}", frame, groups="all", vc_formula=parts).fit()
    return float(fitted.fe_params[names[-1]])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    return checked(parser.parse_args().run)


def checked(run: Path) -> int:
    """Prints how far a run's board is from both, and returns 1 where that is too far."""
    board = json.loads((run / "board.json").read_text())
    wrong = 0
    for found in board["found"]:
        if found["level"] is None:
            print(f"{found['name']}: no level, nothing to compare")
            continue
        sign = -1 if found["metric"] in ("bits_per_byte", "perplexity_per_word") else 1
        scores, plan, forms = outcomes(run, found["level"], sign)
        for one in found["questions"]:
            if one["stratum"] or one["outcome"] != "matched" or one["asked"] not in ("arms", "network"):
                continue
            first = plan["arms"][0]["name"]
            keys = [
                key
                for key in scores
                if key[0] == one["about"] or (one["asked"] == "arms" and key[0] == first)
            ]
            values = np.array([scores[key] for key in keys])
            ones = np.ones((len(keys), 1))
            if one["asked"] == "arms":
                design = np.column_stack([ones, [key[0] != first for key in keys]])
            else:
                layers = [forms[key][plan["families"]] for key in keys]
                names = sorted({name for row in layers for name in row})
                counts = np.array([[row.count(name) for name in names[1:]] for row in layers])
                design = np.column_stack([ones, counts, [len(set(row)) for row in layers]])
            gain, error, freedom = closed_form(values, design.astype(float))
            reach = float(t.ppf(0.975, freedom)) * error
            apart = max(
                abs(gain - one["gain"]), abs(gain - reach - one["low"]), abs(gain + reach - one["high"])
            )
            fixed = abs(mixed(values, design.astype(float)) - one["gain"])
            wrong += apart > 1e-9 or fixed > 1e-3
            told = f"{gain:+.6f} [{gain - reach:+.6f}, {gain + reach:+.6f}]"
            print(
                f"{found['name']}, {one['asked']} of {one['about']}: {told}; closed form off by {apart:.1e}, "
                f"mixed model by {fixed:.1e}"
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
