"""Samples on which two rows differ. Truth: a loop over what each training was given."""

import json
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from command import harness

from harness.board.changed import Changed, changed_table
from harness.run.loaded import load_run
from harness.study.trained.boards.compare import compare_trained

ROWS = [("tuned", made_run.PLAIN), ("default", None)]
RIGHT = {  # of five trainings each, on six samples
    "tuned": np.array([[1] * 5, [1, 1, 1, 0, 0], [0] * 5, [0] * 5, [1, 1, 0, 0, 0], [1] * 5]),
    "default": np.array([[1] * 5, [0] * 5, [1, 1, 1, 1, 0], [0] * 5, [1] * 5, [1] * 5]),
}


def samples(method: str, domain: str, seed: int, **more: Any) -> dict[str, Any]:
    right = RIGHT[method][:, seed % 1000].astype(float)
    return {"group": np.arange(6), "label": np.arange(6), "numerator": right, "denominator": 1.0, **more}


def found(folder: Path, samples: Any, **settings: Any) -> Changed:
    folder.mkdir(exist_ok=True)
    run = load_run(made_run.make(folder, samples, rows=ROWS, **settings))
    (one, *_) = compare_trained(run, "tuned", "default").parts[0].domains
    return one.changed


def test_samples_that_most_trainings_of_one_row_alone_get_right_are_counted_and_named(tmp_path: Path) -> None:
    changed = found(tmp_path / "plain", samples)
    assert (changed.of, changed.first_alone, changed.second_alone, changed.unit) == (6, 1, 2, "share")
    assert [one.sample.partition(":")[0] for one in changed.samples] == ["3", "6", "12"]
    assert [one.difference for one in changed.samples] == pytest.approx([0.6, -0.8, -0.6])
    assert [one.first for one in changed.samples] == [
        "1 (3 of 5 right)",
        "3 (0 of 5 right)",
        "5 (2 of 5 right)",
    ]
    assert [one.label for one in changed.samples] == ["1", "2", "4"]


def test_where_probabilities_were_kept_they_say_which_samples_differ_most(tmp_path: Path) -> None:
    sure = {"tuned": 0.9, "default": 0.6}
    changed = found(tmp_path / "sure", lambda *of: samples(*of, sure=sure[of[0]]))
    assert (changed.first_alone, changed.second_alone, changed.unit) == (1, 2, "nats")
    nats = {name: np.where(RIGHT[name], np.log(p), np.log((1 - p) / 9)) for name, p in sure.items()}
    gain = nats["tuned"].mean(axis=1) - nats["default"].mean(axis=1)
    assert [one.sample.partition(":")[0] for one in changed.samples] == ["3", "6", "12"]
    assert [one.difference for one in changed.samples] == pytest.approx(gain[[1, 2, 4]], rel=1e-3)


def test_documents_are_named_by_the_bits_per_byte_that_they_cost_more_or_less(tmp_path: Path) -> None:
    bits = {"tuned": [10.0, 30, 20, 9, 9, 9], "default": [10.0, 20, 60, 8, 9, 9]}

    def cost(method: str, domain: str, seed: int) -> dict[str, Any]:
        size = np.array([10.0, 10, 40, 10, 10, 10])
        return samples("tuned", domain, seed) | {
            "numerator": np.array(bits[method]) + seed,
            "denominator": size,
        }

    changed = found(tmp_path / "bits", cost, tasks=[made_run.BYTES])
    assert (changed.first_alone, changed.second_alone, changed.unit) == (1, 2, "bits per byte")
    assert [one.difference for one in changed.samples] == pytest.approx([-1.0, 1.0, 0.1])
    assert [one.sample.partition(":")[0] for one in changed.samples] == ["6", "3", "9"]


def test_rows_of_other_samples_name_none(tmp_path: Path) -> None:
    def other(method: str, domain: str, seed: int) -> dict[str, Any]:
        return samples(method, domain, seed, digest=np.arange(6, dtype=np.uint64) + (method == "tuned"))

    changed = found(tmp_path / "other", other)
    assert changed.samples == ()
    assert changed.reason.startswith("No sample is named, because the rows were scored on different samples")
    assert changed.reason in changed_table("marks", ("tuned", "default"), [("rough", changed)]).notes[0]


def test_the_command_line_names_them_in_words_and_in_json(tmp_path: Path) -> None:
    found(tmp_path, samples)
    words = " ".join(harness("compare", str(tmp_path), "tuned", "default").stdout.split())
    assert "of 6 samples 1 are right by tuned in hybrid:micro-attention alone, 2 by default alone" in words
    told = json.loads(harness("compare", str(tmp_path), "tuned", "default", "--json").stdout)
    assert told["parts"][0]["domains"][0]["changed"]["second_alone"] == 2
