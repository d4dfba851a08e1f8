"""Truth: packages that the test makes of matplotlib's faces, one of them twice under two names."""

import io
import json
import tarfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont

from harness import catalog
from harness.data.drawn import fontsource
from harness.data.packages import tarball
from harness.errors import DataUnavailableError
from harness.task.task import Archive, Domain

FACES = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
SERIF = {"grace": "DejaVuSerif", "twin": "DejaVuSerif", "other": "STIXGeneral"}


def package(
    folder: Path, name: str, *faces: str, category: str = "serif", licence: str = "OFL-1.1"
) -> tuple[Archive, Path]:
    """Writes a package as the client saves it; `faces` are the regular and the bold one."""
    archive = tarball(f"@fontsource/{name}", "1.0.0", "0" * 64)
    members = {}
    for weight, face in zip(("400", "700"), faces, strict=False):
        font, buffer = TTFont(FACES / f"{face}.ttf"), io.BytesIO()
        font.flavor = "woff"
        font.save(buffer)
        members[f"files/{name}-latin-{weight}-normal.woff"] = buffer.getvalue()
    about = {"id": name, "category": category, "license": {"type": licence}}
    members["metadata.json"] = json.dumps(about).encode()
    members[f"files/{name}-cyrillic-400-normal.woff"] = b"is not read"
    with tarfile.open(folder / archive.filename, "w:gz") as file:
        for member, data in members.items():
            info = tarfile.TarInfo(f"package/{member}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return archive, folder / archive.filename


def serif(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *made: tuple[Archive, Path]
) -> tuple[Domain, dict[str, Path]]:
    """Returns the serif domain of three letters in these packages, and where they lie."""
    named = dict.fromkeys(fontsource.CATEGORIES, ())
    monkeypatch.setattr(fontsource, "_archives", lambda: {**named, "serif": tuple(one for one, _ in made)})
    domains = {domain.name: domain for domain in fontsource.fontsource_domains("ABI", "Letters")}
    return domains["serif"], {archive.name: path for archive, path in made}


def test_faces_of_a_family_and_of_its_copies_are_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [package(tmp_path, name, face, f"{face}-Bold") for name, face in list(SERIF.items())[:2]]
    made.append(package(tmp_path, "other", "STIXGeneral", "STIXGeneralBol"))
    domain, paths = serif(tmp_path, monkeypatch, *made)
    samples = list(domain.read(paths))
    assert {sample.group for sample in samples} == {"grace", "other"}
    assert sorted(sample.label for sample in samples) == sorted([0, 1, 2] * 6)
    assert len({sample.data for sample in samples}) == 12, "twice the same drawings of one face"
    assert (domain.stratum, domain.groups) == ("typefaces", "font family")


def test_a_letter_that_is_nearly_that_of_another_group_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [package(tmp_path, "one", "DejaVuSans"), package(tmp_path, "two", "STIXGeneral")]
    domain, paths = serif(tmp_path, monkeypatch, *made)
    whole = [sample.data for sample in domain.read(paths)]
    monkeypatch.setattr(
        fontsource,
        "coarse",
        lambda images: [b"bar" if label == 2 else image.tobytes() for label, image in enumerate(images)],
    )
    left = list(domain.read(paths))
    assert [sample.data for sample in left] == whole[:5]
    assert (left[2].label, left[2].group) == (2, "one")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"category": "display"}, "@fontsource/one is not of serif type"),
        ({"licence": "proprietary"}, "are under OFL-1.1, proprietary"),
    ],
)
def test_a_package_of_another_category_or_licence_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], words: str
) -> None:
    made = [package(tmp_path, "one", "DejaVuSans", **changed), package(tmp_path, "two", "STIXGeneral")]
    domain, paths = serif(tmp_path, monkeypatch, *made)
    with pytest.raises(DataUnavailableError, match=words):
        list(domain.read(paths))


def test_a_package_without_a_regular_face_is_refused(tmp_path: Path) -> None:
    _, path = package(tmp_path, "none")
    with pytest.raises(DataUnavailableError, match="no package of Fontsource"):
        fontsource.read_family(path)


@pytest.mark.parametrize("name", ["typefaces_digits", "typefaces_letters"])
def test_every_category_has_enough_families_of_its_own(name: str) -> None:
    task = catalog.load("task", name)
    domains = [domain for domain in task.domains if domain.stratum == "typefaces"]
    packages = [archive.name for domain in domains for archive in domain.archives]
    assert [len(domain.archives) >= 25 for domain in domains] == [True] * 5
    assert len(packages) == len(set(packages)) <= 150
    assert np.all([domain.sha256 is None for domain in domains]), "they depend on FreeType's version"
