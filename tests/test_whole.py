"""Held-out domains are scored whole, up to a cap. Truth: a second way to choose, and what is prepared."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import filled
import numpy as np
import pytest
from command import harness
from hypothesis import given
from hypothesis import strategies as st
from working import FLOORS, plan_of, units

from harness.data.load import Cap, load_part, load_split, taken
from harness.data.prepare import prepare_domain
from harness.run.loaded import load_run
from harness.study.study import build_board, make_plan
from harness.study.suite import load_suite
from harness.study.trained.boards.tables import domain_table
from harness.task.selection import ORACLE
from harness.task.signature import Signature
from harness.task.task import SPLITS, Archives, Sample

TASK = '[[tasks]]\nname = "{}"\nsources = {}\nheld_out = {}\n{}[tasks.training]\nsteps = 1\n'


def plain(samples: list[tuple[str, bytes]], cap: Cap) -> list[tuple[str, bytes]]:
    """Returns what is taken of (group, bytes), one by one: rounds over groups in the order of hashes."""

    def mark(value: bytes) -> bytes:
        return blake2b(value, digest_size=16).digest()

    names = sorted({group for group, _ in samples}, key=lambda name: mark(name.encode()))[: cap.groups]
    left = {name: sorted((one for group, one in samples if group == name), key=mark) for name in names}
    chosen: list[tuple[str, bytes]] = []
    spent = 0
    while any(left.values()):
        for name in names:
            if not left[name]:
                continue
            one = left[name].pop(0)
            spent += len(one[: cap.document_bytes])
            is_over = cap.bytes is not None and spent > cap.bytes
            if chosen and (is_over or len(chosen) == cap.samples):
                return chosen
            chosen.append((name, one))
    return chosen


CAPS = st.builds(
    Cap,
    samples=st.none() | st.integers(1, 9),
    groups=st.none() | st.integers(1, 4),
    bytes=st.none() | st.integers(1, 30),
    document_bytes=st.none() | st.integers(1, 5),
)
SAMPLES = st.lists(
    st.tuples(st.sampled_from("abcde"), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=14,
    unique_by=lambda row: row[1],
)


@given(SAMPLES, CAPS, st.randoms(use_true_random=False))
def test_groups_take_turns_by_hash_wherever_samples_lie(
    samples: list[tuple[str, bytes]], cap: Cap, draw
) -> None:
    draw.shuffle(samples)
    names = sorted({group for group, _ in samples})
    groups = np.array([names.index(group) for group, _ in samples], np.int64)
    kept = taken([one for _, one in samples], groups, names, cap)
    assert kept.tolist() == sorted(kept.tolist())
    assert {samples[index] for index in kept} == set(plain(samples, cap))


def documents(archives: Archives) -> Iterable[Sample]:
    for number in range(120):
        yield Sample(b"%03d" % number + b"x" * (number % 40 + 1), 0, f"group {number % 30}")


def test_a_part_is_of_all_splits_and_says_of_how_much(tmp_path: Path) -> None:
    domain = filled.domain("held", documents)
    task = filled.task([domain], Signature(kind="bytes", classes=256))
    prepare_domain("toy", domain, tmp_path, offline=True)
    whole, there = load_part("toy", task, domain, SPLITS, tmp_path, Cap())
    every = [one.data for one in documents({})]
    assert Counter(whole.documents()) == Counter(every)
    assert (there.samples, there.groups, there.bytes) == (120, 30, sum(map(len, every)))
    part, same = load_part("toy", task, domain, SPLITS, tmp_path, Cap(samples=45, document_bytes=9))
    assert same == there
    assert set(part.documents()) <= {one[:9] for one in every}
    assert sorted(Counter(part.groups.tolist()).values()) == [1] * 15 + [2] * 15
    seen = set(load_split("toy", task, domain, "validation", tmp_path).documents())
    of_oracle, _ = load_part("toy", task, domain, ("train", "test"), tmp_path, Cap())
    assert seen
    assert seen.isdisjoint(of_oracle.documents())
    assert seen | set(of_oracle.documents()) == set(every)


def scored(folder: Path, task: str, more: str = "", **wanted: str) -> dict[str, object]:
    plan = plan_of(f'{FLOORS}selection = ["{ORACLE}"]\n{task}' if more else FLOORS + task, folder)
    (spec,) = {
        (one.spec.splits, one.spec.samples, one.spec.groups, one.spec.bytes, one.spec.document_bytes)
        for one in units(plan, "score", **wanted)
    }
    return dict(zip(("splits", "samples", "groups", "bytes", "document_bytes"), spec, strict=True))


def test_caps_are_those_of_the_kind_of_samples(tmp_path: Path) -> None:
    words = TASK.format("toy_bytes", '["one", "two"]', '["three"]', "test_samples = 7\ndocument_bytes = 40\n")
    assert scored(tmp_path, words, domain="three") == {
        "splits": SPLITS,
        "samples": 7,
        "groups": 1000,
        "bytes": 200_000,
        "document_bytes": 2000,  # a hundredth, so that no document takes the place of a hundred
    }
    source = scored(tmp_path, words, domain="one")
    assert (source["splits"], source["document_bytes"], source["bytes"]) == (("test",), 40, None)
    images = TASK.format("toy_patterns", '["clean"]', '["rough"]', "test_samples = 90\n")
    found = scored(tmp_path, images, domain="rough")
    assert (found["splits"], found["samples"], found["groups"]) == (SPLITS, 90, None)
    assert found["document_bytes"] is None, "an image of more than 512 bytes stays whole"


def test_an_oracle_and_a_corrupted_source_are_not_scored_on_what_was_seen(tmp_path: Path) -> None:
    images = TASK.format("toy_patterns", '["clean"]', '["rough", "clean+noise-2", "rough+noise-2"]', "")
    assert scored(tmp_path, images, ORACLE, domain="rough")["splits"] == ("train", "test")
    assert scored(tmp_path, images, domain="clean+noise-2")["splits"] == ("test",)
    assert scored(tmp_path, images, domain="rough+noise-2")["splits"] == SPLITS


def test_whole_takes_the_caps_off_and_makes_other_units(tmp_path: Path) -> None:
    words = TASK.format("toy_bytes", '["one"]', '["three"]', "test_samples = 7\n")
    capped = plan_of(FLOORS + words, tmp_path)
    name, suite = load_suite(str(tmp_path / "mine.toml"))
    whole = make_plan(name, replace(suite, tasks=[replace(task, whole=True) for task in suite.tasks]))
    (score,) = units(whole, "score", domain="three")
    spec = score.spec
    assert (spec.samples, spec.groups, spec.bytes, spec.document_bytes) == (None,) * 4
    assert score.hash != units(capped, "score", domain="three")[0].hash
    sources = ("prepare", "final", "score")
    same = [one.hash for one in units(whole, *sources) if getattr(one.spec, "domain", "") != "three"]
    assert same == [one.hash for one in units(capped, *sources) if getattr(one.spec, "domain", "") != "three"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("toy", "--limit", "4"), "--limit scores few samples and --whole all of them"),
        (("toy_lookup",), "--whole is for suites that train"),
    ],
)
def test_whole_where_it_means_nothing_is_refused(words: tuple[str, ...], told: str) -> None:
    refused = harness("eval", *words, "--whole", "--dry-run")
    assert refused.returncode == 2
    assert told in refused.stderr


@pytest.mark.slow
@pytest.mark.ci
def test_the_board_says_how_much_of_a_held_out_domain_was_scored(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(FLOORS + TASK.format("toy_patterns", '["clean"]', '["rough"]', ""))
    done = harness("eval", str(tmp_path / "mine.toml"), "--whole", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    run = load_run(tmp_path / "run")
    assert run.command.endswith(" --whole")
    told = "rough: 40 of 40 groups, 240 of 240 samples, 15,360 of 15,360 bytes were scored."
    assert told in domain_table(build_board(run).tasks[0], "held_out").notes
    assert told in " ".join(done.stdout.split())
    assert told in (tmp_path / "run" / "report.md").read_text()
    assert domain_table(build_board(run).tasks[0], "source").notes == ()
