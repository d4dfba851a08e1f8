"""A domain whose reader raises anything fails alone in every verb. Truth: what the readers here raise."""

import errno
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import main as cli
from harness.cli.main import app
from harness.data.prepare import prepared_folder

TASK = """
import numpy as np
from harness.errors import HarnessError
from harness.task.task import Domain, Sample, Task; from harness.task.signature import Signature

def good(archives):
    draw = np.random.default_rng(0)
    for index in range(80):
        image = draw.integers(0, 255, (1, 8, 8)).astype(np.uint8)
        yield Sample(image.tobytes(), index % 4, f"g {index % 20}")

def raising(error):
    def read(archives):
        raise error
    return read

def made(*samples):
    return lambda archives: samples

BAD = {
    type(error).__name__: raising(error)
    for error in (RuntimeError("a"), RecursionError("b"), SystemExit(7), KeyError("c"), MemoryError("d"),
                  PermissionError(13, "e"), GeneratorExit("f"), HarnessError("g."), StopIteration("h"))
} | {
    "nothing": lambda archives: None,
    "label": made(*(Sample(bytes([n] * 64), "cat", f"g {n}") for n in range(20))),
    "group": made(*(Sample(bytes([n] * 64), 0, [n]) for n in range(20))),
    "data": made(Sample("text", 0, "g")),
}

def domain(name, read):
    return Domain(name=name, origin=name, licence="CC0", groups="group", read=read)

TASK = Task(
    summary="Bad domains.",
    signature=Signature(kind="image", classes=4, channels=1, height=8, width=8),
    metric="balanced_accuracy",
    chance=0.25,
    domains=(domain("first", good), *(domain(*one) for one in BAD.items()), domain("last", good)),
    sources=("first",),
    held_out=("last",),
    class_names=("a", "b", "c", "d"),
)
"""
BAD = ["RuntimeError", "RecursionError", "SystemExit", "KeyError", "MemoryError", "PermissionError"]
BAD += ["GeneratorExit", "HarnessError", "StopIteration", "nothing", "label", "group", "data"]


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Returns a function that runs a verb and returns its exit status and lines."""
    (tmp_path / "catalog/tasks").mkdir(parents=True)
    (tmp_path / "catalog/tasks/raising.py").write_text(TASK)
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))

    def run(*words: str) -> tuple[int, list[str]]:
        done = CliRunner().invoke(app, list(words))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout.splitlines()

    return run


def test_a_domain_that_raises_anything_is_prepared_and_verified_alone(said) -> None:
    status, lines = said("data", "prepare", "raising")
    assert status == 1
    starts = [line.split(":")[0] for line in lines]
    assert starts == ["ok   raising/first", *(f"FAIL raising/{name}" for name in BAD), "ok   raising/last"]
    assert all(
        f"Domain '{name}' cannot be read: " in line for name, line in zip(BAD, lines[1:-1], strict=True)
    )
    status, lines = said("data", "verify", "raising")
    assert status == 1
    assert [line.split(":")[0] for line in lines] == starts


def test_a_domain_that_raises_anything_is_checked_alone(said) -> None:
    status, lines = said("check", "task", "raising")
    assert status == 1
    for name in BAD:
        assert [line for line in lines if line.startswith(f"FAIL task raising: {name}: its data is there.")]
    assert "ok   task raising: last: no sample is in two splits. 0 are" in lines


def test_what_lists_and_describes_tells_of_damage_and_goes_on(
    said,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from harness import catalog

    said("data", "prepare", "raising")
    domain = catalog.load("task", "raising").domain("first")
    place = prepared_folder("raising", domain, tmp_path / "data")
    (place / "card.json").write_text("[" * 100_000)
    (tmp_path / "catalog/tasks/leaving.py").write_text("raise SystemExit(5)")
    status, lines = said("data", "list")
    assert status == 1
    assert [line for line in lines if line.startswith("FAIL raising/first: ") and "is damaged" in line]
    assert [line for line in lines if line.startswith("FAIL leaving: task 'leaving' does not import")]
    assert "raising/last: prepared; last" in lines
    status, lines = said("doctor")
    assert status == 1
    assert [line for line in lines if line.startswith("FAIL domain raising/first: ")]
    assert [line for line in lines if line.startswith("FAIL task leaving loads: ")]
    status, lines = said("describe", "task", "raising", "--json")
    assert status == 0
    cards = {card["domain"]: card for card in json.loads("\n".join(lines))["domains"]}
    assert "is damaged" in cards["first"]["damaged"]
    assert cards["last"]["counts"] == {"train": 48, "validation": 12, "test": 20}
    monkeypatch.setattr(catalog, "names", lambda kind: ["raising"])
    status, lines = said("data", "prepare")
    assert status == 1
    assert [line for line in lines if line.startswith("FAIL raising/first: ") and "is damaged" in line]
    assert "ok   raising/last: 80 samples, as before" in lines
    assert said("data", "verify", "raising")[0] == 1
    (place / "card.json").unlink()
    (place / "card.json").mkdir()
    assert said("data", "list")[0] == 1


@pytest.fixture
def unheeded() -> Iterator[None]:
    """Gives SIGTERM back what it did before a test calls `main`."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("unheeded")
@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "No space left on device"), (errno.EROFS, "Read-only file system")]
)
def test_a_full_or_read_only_disk_is_one_sentence_in_every_verb(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, words: str
) -> None:
    def full() -> None:
        raise OSError(number, words, "/disk/file")

    monkeypatch.setattr(cli, "app", full)
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert ending.value.code == 2
    assert capsys.readouterr().err == (
        f"harness: Cannot use /disk/file: {words}; free space or choose another folder.\n"
    )


@pytest.mark.usefixtures("unheeded")
def test_an_error_that_no_disk_is_to_blame_for_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file", "x")

    monkeypatch.setattr(cli, "app", wrong)
    with pytest.raises(FileNotFoundError):
        cli.main()


def test_the_traceback_of_a_try_before_is_gone_after_the_next(tmp_path: Path) -> None:
    from harness.data.view import DataPlace
    from harness.identity.unit import unit_folder
    from harness.run.place import Place
    from harness.study.plan import prepare_unit
    from harness.workers.perform import perform

    unit = prepare_unit("toy_patterns", "clean")
    left = unit_folder(tmp_path, unit) / "traceback.txt"
    left.parent.mkdir(parents=True)
    left.touch()
    perform(unit, {}, Place(run=tmp_path, data=DataPlace(folder=tmp_path / "data")))
    assert not left.exists()
