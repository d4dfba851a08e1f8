"""Names are inert in every format. Truth: parsers of the formats, and the same run with plain names."""

import csv
import json
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from command import COMMAND
from hypothesis import given
from hypothesis import strategies as st
from made_run import ToyRun

from harness.files import canonical_json, content_hash, sealed, write_atomically
from harness.guard import inert
from harness.report.ink import Inks
from harness.report.page import write_report
from harness.report.plot import (
    Axis,
    Bar,
    Brick,
    Curve,
    Forest,
    Heat,
    Picture,
    Pictures,
    Plane,
    Plot,
    Strip,
    Strips,
)
from harness.report.section import Block, ReportPart
from harness.report.site.write import write_site
from harness.report.svg import drawn
from harness.report.twin import markdown_report
from harness.run.loaded import load_run
from harness.study.formats import board_json, render
from harness.study.study import build_board

markdown_it: Any = pytest.importorskip("markdown_it")

MARKUP = [
    "<img src=x onerror=evil()>",
    '"><script>evil()</script>',
    "' onmouseover='evil()",
    "</td></table></svg></style>",
    "<!-- evil",
    "]]>",
    "&lt;evil&#62;",
    "{{7*7}}{% evil %}",
    'id="evil" width="9" xlink:href="#evil" url(#evil) #0b0c0d',
    "font: 'evil",
    "<metadata>evil",
    "[evil](javascript:evil)",
    "![evil](http://evil.example/x.png)",
    "[evil]: http://evil.example",
    "[1](http://evil.example)",
    "a | evil |",
    "`evil`",
    "```evil",
    "**evil** __evil__ ~~evil~~",
    "$\\href{evil}{x}$",
    "\\input{/etc/evil} \\write18{evil}",
    "}\\end{tabular}\\evil{",
    "% evil ^^M & evil \\\\ evil",
    "[red]evil[/red] :bomb:",
]
LEADING = ["# evil", "- evil", "1. evil", "+ evil", "> evil", "=== evil", "--- evil", "~~~ evil", "[9cm]evil"]
LEADING += [
    "*[9cm]evil",
    "=cmd|'evil'!A1",
    "+1+evil",
    "-2+evil",
    "@SUM(evil)",
    "\t=evil",
    "\r=evil",
    "＝evil",
]
ACTING = ["\x1b[31mevil", "\x1b]0;evil\x07", "\x9b31mevil", "evil\rfine", "\u202eevil", "\u2066evil\u2069"]
ACTING += ["a\nevil", "\x00evil", "\x7fevil", "\u2028evil", "\U000e0001evil", "\x08\x08evil"]
ALPHABET = [*MARKUP, *LEADING, *ACTING]
SLOTS = ["digits", "bytes", "mnist", "figlet", "tweets", "floor", "random_search", "local_search"]
SLOTS += ["Tiny-135M", "Toy <b>suite</b>", "drawn for print"]
DOMAINS = ("mnist", "figlet", "tweets")
TEXTS = st.text(st.characters() | st.sampled_from("".join(ALPHABET)), max_size=40) | st.sampled_from(ALPHABET)
ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def renamed(value: Any, names: dict[str, str]) -> Any:
    """Returns JSON values with strings and keys that are in `names` replaced."""
    if isinstance(value, dict):
        # A number of bytes is no task of that name.
        return {
            key if one is None or isinstance(one, int) else names.get(key, key): renamed(one, names)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [renamed(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


HALF = {"half of a letter": "\ud800 is half of a letter"}


def written(folder: Path, names: dict[str, str]) -> Path:
    """Writes the board's synthetic run with other names, and one failure whose reason is a name, too."""

    class Renamed(ToyRun):
        def unit(self, *arguments: Any, **options: Any) -> str:
            about = {key: renamed(value, names | HALF) for key, value in options.items()}
            return str(super().unit(*(renamed(one, names | HALF) for one in arguments), **about))

    failed = {("floor", "mnist"): "drawn for print", ("default", "print"): "half of a letter"}
    run: Path = Renamed(folder, failed=failed).write()
    plan = json.loads((run / "plan.json").read_text())
    del plan["checksum"]
    (run / "plan.json").write_text(sealed(renamed(plan, names)))
    return run


def assignments() -> Iterator[dict[str, str]]:
    """Gives every name of the alphabet a slot of a run; `/` parts task and domain, and is in no domain."""
    left = list(ALPHABET)
    while left:
        names = {}
        for slot in SLOTS:
            fitting = [name for name in left if slot not in DOMAINS or "/" not in name]
            names[slot] = fitting[0] if fitting else f"evil {slot}"
            left = [name for name in left if name != names[slot]]
        yield names


PLAIN = {slot: f"plain{'abcdefghijk'[index]}" for index, slot in enumerate(SLOTS)}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("plain"), PLAIN)


@pytest.fixture(scope="module", params=list(assignments()), ids=range(len(list(assignments()))))
def hostile(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    return written(tmp_path_factory.mktemp("hostile"), request.param), request.param


@cache
def rendered(run: Path, form: str) -> str:
    return render(build_board(load_run(run)), form)


@cache
def reported(run: Path) -> tuple[str, str]:
    """Returns the page and its twin in Markdown."""
    page = write_report(run).read_text()
    return page, (run / "report.md").read_text()


class Structure(HTMLParser):
    """The elements of a page with the names of their attributes; the values of those that hold no text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Any] = []
        self.values: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attributes if name != "class"]))
        texts = ("aria-label", "title", "alt", "class", "data-label", "data-choice")
        self.values += [value or "" for name, value in attributes if name not in texts]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        self.found.append("comment")

    handle_decl = handle_pi = unknown_decl = handle_comment


def structure(page: str) -> Structure:
    parsed = Structure()
    parsed.feed(page)
    parsed.close()
    return parsed


def shape(text: str) -> list[str]:
    """Returns the kinds of blocks and of marks within lines that Markdown reads."""
    tokens = (
        markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    )
    found = []
    for token in tokens:
        found.append(token.type)
        marks = [child.type for child in token.children or []]
        found += [mark for mark in marks if mark not in ("text", "text_special", "softbreak")]
    return found


def test_html_has_the_elements_of_plain_names(hostile: tuple[Path, dict[str, str]], plain: Path) -> None:
    run, _ = hostile
    for page, other in (
        (rendered(run, "html"), rendered(plain, "html")),
        (reported(run)[0], reported(plain)[0]),
    ):
        found = structure(page)
        assert found.found == structure(other).found
        evil = [value for value in found.values if "evil" in value]
        assert [value for value in evil if not re.fullmatch(r"(#|url\(#)?[\w.:-]+\)?", value)] == []
        assert ACTS.findall(page) == []


def test_a_site_has_the_elements_and_the_files_of_plain_names(
    hostile: tuple[Path, dict[str, str]], plain: Path, tmp_path: Path
) -> None:
    counted, kinds = [], []
    for run, out in ((hostile[0], tmp_path / "site"), (plain, tmp_path / "plain")):
        write_site(out, [run])
        pages = [path for path in out.rglob("*.html") if path.name != "report.html"]
        assert all(re.fullmatch(r"[a-z0-9._-]+\.html", path.name) for path in pages)
        assert [ACTS.findall(path.read_text()) for path in pages] == [[]] * len(pages)
        shown = [(path.relative_to(out).parts[0], structure(path.read_text())) for path in pages]
        links = {one for _, page in shown for one in page.values if one.endswith((".html", ".json"))}
        inside = r"(\.\./)?([a-z0-9][a-z0-9._-]*/)*[a-z0-9][a-z0-9._-]*"
        assert [link for link in links if not re.fullmatch(inside, link)] == []
        kinds.append({repr(found) for _, page in shown for found in page.found})
        told = [page for place, page in shown if place in ("runs", "tasks")]
        counted.append(Counter(repr(found) for page in told for found in page.found))
    assert kinds[0] == kinds[1]
    assert counted[0] == counted[1], "two methods may have become one, which has one page"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "site"]


@pytest.mark.parametrize("name", [*MARKUP, *LEADING])
def test_a_name_in_a_drawing_is_text_and_nothing_else(name: str) -> None:
    def plots(text: str) -> list[Plot]:
        axis = Axis(label=text, better="lower", zero=(0.0, text))
        ends = ((0.0, 0.0), (1.0, 2.0))
        two = (Curve(series=text, points=ends), Curve(series="other", points=ends))
        return [
            Forest(
                title=text, axis=axis, bars=(Bar(series=text, text=text, told=text),), main=text, second=text
            ),
            Plane(title=text, x=axis, y=axis, lines=two),
            Heat(title=text, rows=(text,), columns=(text,), shades=((0.5,),), texts=((text,),), corner=text),
            Strips(title=text, strips=(Strip(series=text, bricks=(Brick(text, 1.0, text),), text=text),)),
            Pictures(title=text, pictures=(Picture(b"", text, (text,)),)),
        ]

    for plot, plain in zip(plots(name), plots("plain"), strict=True):
        found, other = (
            structure(drawn(one, Inks((), (text, "other")))) for one, text in ((plot, name), (plain, "plain"))
        )
        assert found.found == other.found
        assert {inert.visible(name).strip(), name.strip()} & {text.strip() for text in found.texts}
        assert [value for value in found.values if "evil" in value and value != inert.visible(name)] == []


def test_a_paragraph_of_a_report_begins_no_block(plain: Path) -> None:
    block = Block(paragraphs=(*LEADING, *MARKUP))
    words = Block(paragraphs=("plain",) * len(block.paragraphs))
    text, other = (
        markdown_report("title", "scope", [ReportPart("a", "b", "c", one)]) for one in (block, words)
    )
    assert shape(text) == shape(other)


def test_markdown_has_the_blocks_of_plain_names(hostile: tuple[Path, dict[str, str]], plain: Path) -> None:
    run, _ = hostile
    for text, other in (
        (rendered(run, "md"), rendered(plain, "md")),
        (reported(run)[1], reported(plain)[1]),
    ):
        assert shape(text) == shape(other)
        assert ACTS.findall(text) == []


def test_latex_is_that_of_plain_names_with_escaped_ones_in_their_place(
    hostile: tuple[Path, dict[str, str]], plain: Path
) -> None:
    run, names = hostile
    text, other = rendered(run, "tex"), rendered(plain, "tex")
    commands = re.compile(r"\\(?!text(?:backslash|bar|less|greater|ascii)|dag|times)[A-Za-z]+|(?<!\\)%")
    text, other = (re.sub(r"^%.*\n", "", one) for one in (text, other))  # the title
    assert commands.findall(text) == commands.findall(other)
    assert ACTS.findall(text) == []
    assert [name for name in names.values() if "evil" in name and inert.tex(name) in text] != []


def test_csv_has_no_formula_and_its_numbers_are_numbers(
    hostile: tuple[Path, dict[str, str]], plain: Path
) -> None:
    run, _ = hostile
    rows, others = (list(csv.reader(StringIO(rendered(one, "csv")))) for one in (run, plain))
    assert [len(row) for row in rows] == [len(row) for row in others]
    assert rows[0] == others[0]
    for row in rows[1:]:
        for column, cell in zip(rows[0], row, strict=True):
            if column in ("rank", "value", "low", "high", "samples", "groups"):
                assert not cell or float(cell) == float(cell)
            else:
                assert re.match(r"[-=+@\t\r\n＝＋－＠]", cell) is None
            assert ACTS.findall(cell) == []
    assert min(float(row[rows[0].index("value")] or 0) for row in rows[1:]) < 0


def test_json_holds_the_names_as_they_are(hostile: tuple[Path, dict[str, str]]) -> None:
    run, names = hostile
    found = json.loads(board_json(build_board(load_run(run))).encode(errors="backslashreplace"))
    assert [task["task"] for task in found["tasks"]] == [names["digits"], names["bytes"]]


def test_a_terminal_is_given_no_character_that_acts(
    hostile: tuple[Path, dict[str, str]], plain: Path
) -> None:
    run, _ = hostile
    text = rendered(run, "terminal")
    assert ACTS.findall(text) == []
    assert [line for line in text.splitlines() if line in ("evil", "fine")] == []


def printed(*words: object) -> tuple[int, str, str]:
    """Returns how a command ended and what it printed, to the byte."""
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, env=os.environ, timeout=120)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_every_verb_prints_only_visible_text(tmp_path: Path) -> None:
    names = dict(zip(SLOTS, ACTING, strict=False))
    run = written(tmp_path / "run\x1b[31m\u202e", names)
    for words in (
        ["leaderboard", str(run)],
        ["report", str(run)],
        ["compare", str(run), "a", "b"],
    ):
        _, out, errors = printed(*words)
        assert "Traceback" not in errors
        assert ACTS.findall(out + errors) == []


@pytest.mark.parametrize(
    "text",
    [
        'title = "\\u001b[31mevil\\u202e"\nseeds = 1\n',
        "tit\x1ble = 1\n",
        '"\\u001b[2J\\r" = 1\n',
        "[search]\n" + '"\\u009b31m" = 1',
    ],
)
def test_an_error_about_a_file_prints_only_visible_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "\x1b[31ms\u202e.toml"
    path.write_text(text)
    status, _, errors = printed("eval", path)
    assert (status, errors[:9], errors.count("\n")) == (2, "harness: ", 1)
    assert ACTS.findall(errors) == []


def test_an_argument_of_the_command_line_is_repeated_visibly() -> None:
    for words in (
        ["--\x1b[31m"],
        ["\x1b[31m"],
        ["list", "\x1b[31m\u202e"],
        ["describe", "task", "a\x1b[2Jb\nc"],
    ):
        status, _, errors = printed(*words)
        assert status == 2
        assert ACTS.findall(errors) == []


@given(TEXTS)
def test_visible_text_says_the_same_and_stays_the_same(text: str) -> None:
    shown = inert.visible(text)
    assert ACTS.findall(shown) == []
    assert inert.visible(shown) == shown
    assert json.loads(f'"{inert.visible(json.dumps(text, ensure_ascii=False)[1:-1])}"') == text
    assert "\n" not in inert.line(text)


@given(TEXTS)
def test_half_of_a_letter_can_be_written_and_read_again(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_atomically(Path(folder) / "x.json", canonical_json([text, "\udcff"]))
        assert json.loads((Path(folder) / "x.json").read_bytes()) == [text, "\udcff"]
    assert len(content_hash(text)) == 16


@given(TEXTS)
def test_html_of_any_text_is_one_text(text: str) -> None:
    page = f'<p title="{inert.html(text)}">{inert.html(text)}</p>'
    assert structure(page).found == [("p", ["title"]), "p"]


@given(TEXTS)
def test_markdown_of_any_text_is_one_text(text: str) -> None:
    if inert.markdown(text):
        assert shape(f"x {inert.markdown(text)}") == ["paragraph_open", "inline", "paragraph_close"]
        assert shape(inert.markdown_block(text)) == ["paragraph_open", "inline", "paragraph_close"]
        assert shape(f"- {inert.markdown_block(text)}").count("bullet_list_open") == 1
    assert "\n" not in inert.markdown(text)


@given(TEXTS)
def test_latex_of_any_text_has_no_special_character_left(text: str) -> None:
    written = inert.tex(text)
    left = re.sub(
        r"\\text[a-z]+\{\}|\\(?:dd?ag|P|S)\{\}|\$-\$|\$\\times\$|\{''\}|\\[&%$#_{}]|^\{[\[*]\}", "x", written
    )
    assert re.findall(r'[\\{}$&#%^_~<>"]|^[\[*]', left) == []


@given(TEXTS | st.floats() | st.integers() | st.none())
def test_a_cell_is_no_formula_and_a_number_is_itself(value: Any) -> None:
    found = inert.cell(value)
    if not isinstance(value, str):
        assert found is value
        return
    assert re.match(r"[-=+@\t\r\n＝＋－＠]", str(found)) is None
    assert str(found).removeprefix("'") == inert.visible(value) or value.startswith("'")
