"""Reports and a site in a real browser. Truth: Chromium's layout, axe-core's rules, what a reader does."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import made_run
import pytest
from made_run import ToyRun

from harness.board.wording import show
from harness.checks.section import recorded_runs
from harness.report.page import write_report
from harness.report.site.write import write_site
from harness.run.loaded import load_run
from harness.study.study import build_board

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.ci,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine"),
]
playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'"
)
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = ToyRun(
        tmp_path_factory.mktemp("run"), failed={("random_search", "figlet"): "out of memory."}
    ).write()
    return write_report(run)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name, level in (("one", 0.7), ("other", 0.65)):
        (folder / name).mkdir()
        ToyRun(folder / name, collm_nas=level).write(name=name)
    tasks = [made_run.IMAGES | {"name": "digits"}]
    rows = [("tuned", made_run.PLAIN), ("random_search", made_run.DIVERSE)]
    (folder / "apart").mkdir()
    samples = made_run.drawn({"tuned": 0.6})
    made_run.make(folder / "apart", samples, rows=rows, tasks=tasks, prepared="cd", name="apart")
    write_site(folder / "site", [folder / name for name in ("one", "other", "apart")])
    return folder / "site"


@pytest.fixture(
    params=[
        "index.html",
        "runs/one.html",
        "tasks/digits.html",
        "spaces/hybrid.micro.html",
        "methods/random_search.html",
    ]
)
def site_page(request: pytest.FixtureRequest, site: Path) -> Path:
    return site / request.param


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_of_a_site_are_as_sound_as_a_report(
    browser: Any, site_page: Path, scheme: str, width: int
) -> None:
    test_no_error_no_request_no_sideways_scroll_and_no_violation(browser, site_page, scheme, width)


def test_pages_of_a_site_are_readable_without_the_script(browser: Any, site_page: Path) -> None:
    test_everything_is_readable_without_the_script(browser, site_page)


def test_a_reader_goes_by_keyboard_from_the_index_to_a_report_and_back(browser: Any, site: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((site / "index.html").as_uri())
    for name, path in (("one", "runs/one.html"), ("Whole report", "runs/one/report.html")):
        link = page.get_by_role("link", name=name, exact=True)
        for _ in range(60):
            if link.first.evaluate("one => one === document.activeElement"):
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url((site / path).as_uri())
    page.go_back()
    page.get_by_role("link", name="Leaderboards").click()
    assert page.url == (site / "index.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1700])
def test_no_error_no_request_no_sideways_scroll_and_no_violation(
    browser: Any, page_file: Path, scheme: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, errors, requests = context.new_page(), [], []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert errors == []
    assert [url for url in requests if not url.startswith("data:")] == [page_file.as_uri()]
    letters = page.evaluate(
        "[...document.querySelectorAll('svg text')].map(one => getComputedStyle(one).fontSize)"
    )
    assert set(letters) <= {"13px"}
    context.close()
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,  # axe is a script
    )
    page = context.new_page()
    page.goto(page_file.as_uri())
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    context.close()


def test_a_reader_sorts_filters_and_asks_for_a_row(browser: Any, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(page_file.as_uri())
    table = page.locator("#leaderboard .scroll table").first
    before = table.locator("tbody tr").all_text_contents()
    head = table.locator("th .sort", has_text="Method")
    head.click()
    methods = [row.split()[0] for row in table.locator("tbody tr td:nth-child(2)").all_text_contents()]
    assert methods == sorted(methods, key=str.lower)
    head.click()
    assert [
        row.split()[0] for row in table.locator("tbody tr td:nth-child(2)").all_text_contents()
    ] == methods[::-1]
    assert sorted(table.locator("tbody tr").all_text_contents()) == sorted(before)
    page.locator("nav input").fill("random")
    shown = [row for row in table.locator("tbody tr").all() if row.is_visible()]
    assert 0 < len(shown) < len(before)
    assert all("random" in row.text_content().lower() for row in shown)
    page.locator("nav input").fill("")
    bar = page.locator("#leaderboard .bar").first
    series = bar.get_attribute("data-s")
    bar.click()
    page.mouse.move(0, 0)
    assert page.url.endswith(f"#row-{series}")
    look = "(one) => getComputedStyle(one).opacity"
    mine = page.locator(f"#leaderboard .track use.{series}").first.evaluate(look)
    other = page.locator(f"#leaderboard .track use:not(.{series})").first.evaluate(look)
    assert float(mine) > 2 * float(other)
    again = browser.new_page(viewport={"width": 1280, "height": 900})
    again.goto(page.url)  # the address holds it
    assert float(again.locator(f"#leaderboard .track use:not(.{series})").first.evaluate(look)) == float(
        other
    )


@pytest.fixture
def two_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The report of the recorded run, whose tasks are of images and of bytes."""
    monkeypatch.setenv("HARNESS_CATALOG", str(Path(__file__).parent / "toy"))
    (whole,) = [one for one in recorded_runs() if one.told == "a whole run of trained"]
    return write_report(whole.run.folder, made=(whole.run, whole.board), out=tmp_path / "report.html")


def test_a_reader_sees_one_kind_of_input(browser: Any, two_kinds: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(two_kinds.as_uri())
    words = page.locator("#known option").evaluate_all("every => every.map(one => one.value)")
    assert {"bytes", "image", "random_search in hybrid:micro", "hybrid:micro", "tuned"} <= {*words}
    plots = page.locator("#leaderboard .plot")
    assert plots.count() == 2
    page.locator("nav input").fill("bytes")
    assert [one.is_visible() for one in plots.all()] == [False, True]
    assert page.locator("#leaderboard .scroll:visible table").count() == 1
    page.locator("nav input").fill("")
    assert all(one.is_visible() for one in plots.all())
    rows = page.locator("#leaderboard tbody tr")
    page.locator("nav input").fill("random_search in hybrid:micro")
    shown = [row.text_content() for row in rows.all() if row.is_visible()]
    assert len(shown) == 4
    assert all("random_search" in text for text in shown)


def test_a_reader_copies_tables_and_figures(browser: Any, two_kinds: Path, tmp_path: Path) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(two_kinds.as_uri())

    def copied(button: str, of: str) -> str:
        page.locator(of).first.get_by_role("button", name=button).first.click()
        page.wait_for_selector("button[data-done=copied]")
        text = page.evaluate("navigator.clipboard.readText()")
        page.wait_for_selector("button[data-done]", state="detached")
        return str(text)

    rows = copied("Copy CSV", "#leaderboard").splitlines()
    assert rows[0].startswith("Rank,Method,Space,Held out")
    assert copied("Copy LaTeX", "#leaderboard").splitlines()[1] == r"\toprule"
    figure = copied("Copy SVG", "#leaderboard figure")
    assert ElementTree.fromstring(figure).tag == "{http://www.w3.org/2000/svg}svg"  # nosec - made here
    (tmp_path / "figure.svg").write_text(figure, encoding="utf-8")
    alone = context.new_page()
    alone.goto((tmp_path / "figure.svg").as_uri())
    assert "local_search in hybrid:micro" in alone.locator("foreignObject").text_content()
    paint = alone.locator("line.main").first.evaluate("one => getComputedStyle(one).stroke")
    assert paint == page.locator("#leaderboard line.main").first.evaluate(
        "one => getComputedStyle(one).stroke"
    )
    context.close()


def test_a_reader_takes_another_row_as_the_reference(browser: Any, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(page_file.as_uri())
    figure = page.locator("#paired_differences figure").first
    shown = figure.locator(".plots:visible")
    assert "less tuned" in shown.text_content()
    figure.locator("select").select_option("default")
    assert shown.count() == 1
    assert "less default" in shown.text_content()
    board = build_board(load_run(page_file.parent))
    task = board.tasks[0]
    (pair,) = [one for one in task.pairs if {one.first, one.second} == {"default", task.rows[0].label}]
    value = show(task.metric, pair.value if pair.second == "default" else -pair.value, signed=True)
    bar = shown.locator(".bar", has_text=task.rows[0].label).first
    assert bar.locator(".value").text_content().startswith(value)
    others = page.locator("#paired_differences figure").nth(1).locator(".plots:visible")
    assert "less default" in others.text_content(), "all figures follow"


def test_everything_is_readable_without_the_script(browser: Any, page_file: Path) -> None:
    def texts(javascript: bool) -> str:
        context = browser.new_context(java_script_enabled=javascript, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(page_file.as_uri())
        if javascript:
            page.evaluate("document.querySelectorAll('label.marks, .tools').forEach(one => one.remove())")
        text = page.locator("main").inner_text()
        context.close()
        return text.replace("Less other rows", "")

    assert "".join(texts(False).split()) == "".join(texts(True).split())


def test_print_opens_nothing_sideways(browser: Any, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 794, "height": 1123})
    page.goto(page_file.as_uri())
    page.emulate_media(media="print")
    wide = "filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.getAttribute('aria-label'))"
    assert page.evaluate(f"[...document.querySelectorAll('.scroll, .heat')].{wide}") == []
    assert not page.locator("nav").is_visible()
