"""Cards of the field's own benchmarks, of which nothing is here. Truth: small copies of the right shape."""

import json
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from harness import catalog
from harness.checks.entries import check_entry
from harness.cli.data import prepare_all
from harness.data.prepare import prepare_domain, waits_for
from harness.task.task import SPLITS, Task

CARDS = ("cifar10", "cifar100", "domainnet", "imagenet_shift", "office_home", "pacs", "pile", "wikitext103")


def draw(path: Path, number: int) -> None:
    """Writes a picture of two pixels that differs with `number`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = [number % 256, number // 256, 0, 255, 255, number % 7]
    Image.fromarray(np.array(colours, np.uint8).reshape(1, 2, 3)).save(path)


def classes_of(root: Path, names: list[str], *, each: int, first: int = 0) -> None:
    for label, name in enumerate(names):
        for number in range(each):
            draw(root / name / f"{number}.png", first + label * each + number)


def styles(folder: str, domains: list[str], names: list[str]) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for domain in domains:
            classes_of(root / folder / domain, names, each=1)

    return write


def cifar(name: str, label: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        names = list(catalog.load("task", name).class_names)
        rows = {}
        for place, split in enumerate(("train", "test")):
            pictures = [Image.new("RGB", (32, 32), (number, place, 0)) for number in range(20)]
            rows[split] = {"img": pictures, label: [number % 10 for number in range(20)]}
        kinds = datasets.Features({"img": datasets.Image(), label: datasets.ClassLabel(names=names)})
        tables = {split: datasets.Dataset.from_dict(one, features=kinds) for split, one in rows.items()}
        datasets.DatasetDict(tables).save_to_disk(str(root / "uoft-cs" / name))
        corrupted = root / f"CIFAR-{name.removeprefix('cifar')}-C"
        corrupted.mkdir()
        np.save(corrupted / "labels.npy", np.repeat(np.arange(10), 3))
        pictures = np.zeros((30, 32, 32, 3), np.uint8)
        pictures[:, 0, 0, 0] = np.arange(30)
        for domain in catalog.load("task", name).held_out:
            np.save(corrupted / f"{domain}.npy", pictures)

    return write


def imagenet(root: Path) -> None:
    names = [f"n{number:08}" for number in range(1000)]
    classes_of(root / "imagenet" / "train", names, each=1)
    classes_of(root / "imagenet" / "val", names[:20], each=1, first=5000)
    classes_of(root / "imagenetv2-matched-frequency-format-val", ["0", "19", "999"], each=3)
    sets = ["imagenet-r", "imagenet-a", "sketch"]
    sets += [f"imagenet-c/{one}/3" for one in ("gaussian_noise", "defocus_blur", "fog", "jpeg_compression")]
    for folder in sets:
        classes_of(root / folder, names[990:], each=3)


def wikitext(root: Path) -> None:
    tables = {}
    for split in SPLITS:
        lines = ["", f" = {split} = ", "", *(f"A paragraph of {split}, {number}." for number in range(3))]
        tables[split] = datasets.Dataset.from_dict({"text": lines})
    datasets.DatasetDict(tables).save_to_disk(str(root / "Salesforce" / "wikitext"))
    (root / "pg19" / "test").mkdir(parents=True)
    for number in range(5):
        (root / "pg19" / "test" / f"{number}.txt").write_text(f"Book {number}.")


def pile(root: Path) -> None:
    subsets = "Pile-CC,OpenWebText2,StackExchange,Wikipedia (en),PubMed Abstracts,Github,ArXiv,PubMed Central"
    subsets += ",FreeLaw,USPTO Backgrounds,Gutenberg (PG-19),OpenSubtitles,DM Mathematics,Ubuntu IRC,EuroParl"
    subsets += ",HackerNews,YoutubeSubtitles,PhilPapers,NIH ExPorter,Enron Emails,Books3"
    (root / "pile").mkdir()
    with (root / "pile" / "val.jsonl").open("w") as file:
        for number in range(4):
            for name in subsets.split(","):
                file.write(json.dumps({"text": f"{name} {number}", "meta": {"pile_set_name": name}}) + "\n")


THINGS = ["dog", "elephant", "giraffe", "guitar", "horse", "house", "person"]
HOME = ["Art", "Clipart", "Product", "Real World"]
NET = ["clipart", "infograph", "painting", "quickdraw", "real", "sketch"]
COPIES: dict[str, Callable[[Path], None]] = {
    "pacs": styles("PACS", ["photo", "art_painting", "cartoon", "sketch"], THINGS),
    "office_home": styles("OfficeHome", HOME, [f"thing_{number}" for number in range(65)]),
    "domainnet": styles("DomainNet", NET, [f"thing_{number}" for number in range(345)]),
    "cifar10": cifar("cifar10", "label"),
    "cifar100": cifar("cifar100", "fine_label"),
    "imagenet_shift": imagenet,
    "wikitext103": wikitext,
    "pile": pile,
}


@pytest.mark.parametrize("name", CARDS)
def test_a_benchmark_that_is_not_here_waits_and_fails_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HARNESS_DATASETS", raising=False)
    task: Task = catalog.load("task", name)
    assert "not verified here" in task.summary
    assert all(domain.licence and domain.origin for domain in task.domains)
    findings = check_entry("task", name, tmp_path, offline=False)
    assert all(finding.holds for finding in findings)
    waiting = {finding.detail for finding in findings if finding.claim.endswith("waits for its data")}
    reasons = {waits_for(name, domain, tmp_path) for domain in task.domains}
    assert waiting == ({task.awaits} if task.awaits else reasons)
    assert "" not in reasons, "nothing of it is here, and a hub is asked when its task is named alone"
    monkeypatch.setattr(catalog, "names", lambda kind: [name])
    assert prepare_all([], tmp_path, offline=False) == 0
    told = capsys.readouterr().out.splitlines()
    assert told
    assert all(line.startswith(f"wait {name}") for line in told)


@pytest.mark.parametrize("name", CARDS)
def test_a_copy_of_the_right_shape_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "datasets"
    root.mkdir()
    COPIES[name](root)
    monkeypatch.setenv("HARNESS_DATASETS", str(root))
    task: Task = catalog.load("task", name)
    assert task.awaits == ""
    assert [domain.name for domain in task.domains] == [*task.sources, *task.held_out]
    for domain in task.domains:
        card = prepare_domain(name, domain, tmp_path / "data", offline=True)
        assert min(card.samples.values()) > 0


def test_what_is_there_of_a_benchmark_is_read_and_the_rest_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    styles("PACS", ["photo", "art_painting", "cartoon"], THINGS)(tmp_path)
    monkeypatch.setenv("HARNESS_DATASETS", str(tmp_path))
    monkeypatch.setattr(catalog, "names", lambda kind: ["pacs"])
    assert prepare_all([], tmp_path, offline=False) == 0
    told = capsys.readouterr().out
    assert "ok   pacs/photo: 7 samples" in told
    assert f"wait pacs/sketch: {tmp_path / 'PACS' / 'sketch'} is not there" in told


def test_numbers_of_folders_and_shifted_sets_mean_the_classes_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imagenet(tmp_path)
    monkeypatch.setenv("HARNESS_DATASETS", str(tmp_path))
    task: Task = catalog.load("task", "imagenet_shift")
    labels = {name: {one.label for one in task.domain(name).read({})} for name in ("v2", "r", "imagenet")}
    assert labels == {"v2": {0, 19, 999}, "r": set(range(990, 1000)), "imagenet": set(range(1000))}
    official = [one.label for one in task.domain("imagenet").read({}) if one.group.startswith("test/")]
    assert sorted(official) == list(range(20))
