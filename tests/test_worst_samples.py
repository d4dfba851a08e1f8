"""The samples that a report shows. Truth: the prepared data that they were scored on."""

import base64
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import made_run
import numpy as np
from PIL import Image

from harness import catalog
from harness.data.load import load_split
from harness.data.prepare import prepare_domain
from harness.report.page import write_report

TASK = {"name": "toy_patterns", "sources": ["clean"], "held_out": ["rough"]}
TASK |= {"metric": "accuracy", "chance": 0.25, "test_samples": 60}
ROWS = [("tuned", made_run.PLAIN), ("default", None)]
CLAIM = {"claim": {"method": "default", "space": ""}, "seeds": [0, 1]}


def test_pictures_are_those_of_the_samples_on_which_the_rows_differ_most(tmp_path: Path) -> None:
    task = catalog.load("task", "toy_patterns")
    domain = task.domain("rough")
    prepare_domain("toy_patterns", domain, tmp_path / "data", offline=True)
    split = load_split("toy_patterns", task, domain, "test", tmp_path / "data", limit=12)

    def samples(method: str, name: str, seed: int) -> dict[str, Any]:
        wrong = np.isin(np.arange(12), [7, 3 if method == "tuned" else 5])
        kept = {"group": split.groups, "label": split.labels, "numerator": 1.0 * ~wrong, "denominator": 1.0}
        return kept | {"position": split.positions, "digest": split.digests + np.uint64(seed == 9)}

    def report(name: str, data: Path | None, seeds: tuple[int, ...] = (0, 1)) -> str:
        (tmp_path / name).mkdir()
        settings = {"rows": ROWS, "tasks": [TASK], "suite": CLAIM | {"seeds": list(seeds)}}
        folder = made_run.make(tmp_path / name, samples, **settings)
        return write_report(folder, ["worst_samples"], data=data).read_text()

    page = report("here", tmp_path / "data")
    pictures = [base64.b64decode(one) for one in re.findall(r"base64,([^\"]+)", page)]
    shown = [np.asarray(Image.open(BytesIO(one))) for one in pictures]
    assert len(shown) == 8 + 1
    for place, one in zip((3, 5), shown, strict=False):
        assert np.array_equal(one, split.images[place, 0])
    assert np.array_equal(shown[8], split.images[7, 0])
    assert "as on 1 of 12 samples" in page
    told = "rough: its data is not in this machine&#39;s folder, so no sample is shown."
    for name, data, seeds in (
        ("unsaid", None, (0, 1)),
        ("gone", tmp_path, (0, 1)),
        ("other", tmp_path / "data", (9,)),
    ):
        again = report(name, data, seeds)
        assert told in again, name
        assert "base64" not in again

    many = report("many", tmp_path / "data", tuple(range(10, 61)))
    assert "rough: of a row, the 50 trainings of the smallest seeds are read." in many
    assert "of 50 right" in many
    assert "trainings of the smallest" not in page
