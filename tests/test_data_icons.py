"""Truth: two icon sets written by hand, in which every rule of naming is met once."""

import io
import json
import re
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from working import FLOORS, plan_of

from harness import catalog
from harness.data.corruptions import family_of
from harness.data.drawn.icons import IconSet, concepts, draw, read_icons
from harness.data.packages import tarball
from harness.errors import DataUnavailableError

FACE = '<circle cx="8" cy="8" r="8" fill="currentColor"/>'
BLUE = '<path fill="#0000ff" d="M0 0h16v16H0z"/>'


def icon_set(path: Path, icons: dict[str, Any], categories: dict[str, list[str]], **aliases: str) -> Path:
    """Writes a tarball as the client saves it."""
    members = {
        "icons": {
            "icons": icons,
            "aliases": {name.replace("_", "-"): {"parent": parent} for name, parent in aliases.items()},
            "width": 16,
            "height": 16,
        },
        "metadata": {"categories": categories},
    }
    with tarfile.open(path, "w:gz") as file:
        for name, value in members.items():
            data = json.dumps(value).encode()
            member = tarfile.TarInfo(f"package/{name}.json")
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def reference(folder: Path) -> Path:
    names = ("grinning-face", "red-apple", "old-key", "flag-red", "hand-dark-skin-tone")
    icons: dict[str, Any] = {name: {"body": FACE} for name in names}
    icons["secret"] = {"body": FACE, "hidden": True}
    categories = {
        "Smileys & Emotion": ["grinning-face"],
        "Food & Drink": ["red-apple"],
        "Objects": ["old-key", "secret"],
        "Flags": ["flag-red"],
        "People & Body": ["hand-dark-skin-tone"],
    }
    return icon_set(folder / "reference.tgz", icons, categories, antique_key="old-key")


def test_names_agree_without_hyphens_or_through_an_alias(tmp_path: Path) -> None:
    drawn = {"grinningface": {"body": BLUE}, "antique-key": {"body": BLUE}, "robot": {"body": BLUE}}
    icons = read_icons(icon_set(tmp_path / "mine.tgz", drawn, {"Things": list(drawn)}))
    found = dict(concepts(icons, read_icons(reference(tmp_path))))
    assert found == {"grinningface": "grinning-face", "antique-key": "old-key"}


def test_a_hidden_icon_is_not_there(tmp_path: Path) -> None:
    assert "secret" not in read_icons(reference(tmp_path)).bodies


def test_an_icon_is_drawn_in_black_on_white_where_it_takes_the_colour_of_text(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    drawn = {"face": {"body": FACE}, "blue": {"body": BLUE, "width": 16, "height": 8, "left": 0}}
    icons = read_icons(icon_set(tmp_path / "mine.tgz", drawn, {"Things": list(drawn)}))
    face, blue = (np.frombuffer(draw(icons, name, 32), np.uint8).reshape(3, 32, 32) for name in drawn)
    assert face[:, 16, 16].tolist() == [0, 0, 0]
    assert face[:, 0, 0].tolist() == [255, 255, 255]
    assert blue[:, 16, 16].tolist() == [0, 0, 255]
    assert blue[:, 2, 16].tolist() == [255, 255, 255]  # a box twice as wide as high stands in the middle


def test_a_missing_renderer_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    icons = read_icons(reference(tmp_path))
    with pytest.raises(DataUnavailableError, match="run `pip install resvg-py`"):
        draw(icons, "old-key", 32)


def test_a_style_leaves_out_flags_and_skin_tones(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    task = catalog.load("task", "emoji_styles")
    path = reference(tmp_path)
    samples = list(task.domain("noto").read({"@iconify-json/noto": path}))
    assert [(sample.label, sample.group.partition("/")[2]) for sample in samples] == [
        (0, "grinning-face"),
        (6, "old-key"),
        (3, "red-apple"),
    ]
    assert all(len(sample.data) == 3 * 32 * 32 for sample in samples)


def test_a_fifth_of_the_concepts_is_test_by_their_checksum() -> None:
    split_of = sys.modules[catalog.load("task", "emoji_styles").domains[0].read.func.__module__].split_of
    names = [f"thing-{number}" for number in range(2000)]
    splits = [split_of(name) for name in names]
    assert [split == "test" for split in splits] == [zlib.crc32(name.encode()) % 5 == 0 for name in names]
    assert 0.1 < splits.count("validation") / len(names) < 0.22


def test_styles_of_one_artist_are_a_family_of_which_nothing_is_claimed_where_one_is_seen(
    tmp_path: Path,
) -> None:
    task = catalog.load("task", "emoji_styles")
    assert len({family_of(task, domain.name) for domain in task.domains}) == 6, "ten styles of six artists"
    held_out = ["noto_v1", "openmoji", "emojione_monotone", "fluent_high_contrast"]
    words = f'sources = ["noto", "emojione_v1"]\nheld_out = {held_out}\n[tasks.training]\nsteps = 1\n'
    plan = plan_of(f'{FLOORS}[[tasks]]\nname = "emoji_styles"\n{words}', tmp_path)
    assert plan.table["tasks"][0]["strata"] == {
        "noto_v1": "seen family",
        "openmoji": "",
        "emojione_monotone": "seen family",
        "fluent_high_contrast": "",
    }
    both = plan_of(
        f'{FLOORS}[[tasks]]\nname = "emoji_styles"\nheld_out = "each family"\n[tasks.training]\nsteps = 1\n',
        tmp_path,
    )
    assert ["fluent_flat", "fluent_high_contrast"] in both.table["tasks"][0]["folds"]


def test_a_concept_is_what_a_name_says_in_words_of_one_class() -> None:
    task = catalog.load("task", "icon_styles")
    module = sys.modules[task.domains[0].read.func.__module__]
    for names, found in (
        (("cloud-rain", "cloudy-rainy-fill", "rain-cloud-weather"), ("weather", "cloud-rain")),
        (("weather-bold",), ("weather", "weather")),
        (("arrow-left-up", "arrows-up-left", "arrow-upward-left"), ("arrows", "arrow-left-up")),
        (("home-heart", "house"), ("buildings", "home")),
        (("car-battery", "file-download-arrow", "piggy-bank", "git-fork", "heart", "carpet"), None),
    ):
        assert [module.concept_of(name) for name in names] == [found] * len(names)
    words = [word for group in module.WORDS.values() for word in re.split("[ =]", " ".join(group.split()))]
    assert len(words) == len(set(words)) == len(module.VOCABULARY)
    icons = {f"sun-{number}": {"body": FACE} for number in range(9)}
    assert len(list(module.chosen(IconSet(bodies=icons, boxes={}, parents={}, categories={}), None))) == 3
    assert len({family_of(task, domain.name) for domain in task.domains}) >= 12


@pytest.mark.parametrize("name", ["emoji_styles", "icon_styles"])
def test_a_held_out_domain_is_scored_on_concepts_that_no_source_trains_on(name: str, tmp_path: Path) -> None:
    plan = plan_of(f'{FLOORS}[[tasks]]\nname = "{name}"\n[tasks.training]\nsteps = 1\n', tmp_path)
    assert {unit.spec.splits for unit in plan.units if unit.kind.name == "score"} == {("test",)}
    other = plan_of(f'{FLOORS}[[tasks]]\nname = "digits"\n[tasks.training]\nsteps = 1\n', tmp_path)
    scores = [unit.spec for unit in other.units if unit.kind.name == "score"]
    assert {one.splits for one in scores if one.role == "held_out"} == {("train", "validation", "test")}


def test_an_npm_file_is_named_after_scope_and_package() -> None:
    assert tarball("@scope/name-of-it", "1.2.3", "0" * 64).filename == "scope-name-of-it-1.2.3.tgz"
    assert tarball("plain", "1.0.0", "0" * 64).filename == "plain-1.0.0.tgz"
