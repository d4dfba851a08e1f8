"""Figures of the report. Truth: positions and contrasts computed here, WCAG 2.2 for the latter."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from harness.board.series import Series
from harness.report.architecture import strip
from harness.report.ink import HUES, Inks
from harness.report.plot import Axis, Bar, Curve, Forest, Plane, Point, Span
from harness.report.ruler import Ruler
from harness.report.svg import drawn

STYLE = (Path(__file__).parents[1] / "harness/report/template/style.css").read_text()
LIGHT, DARK = ("#fdfdfb", "#14171a")


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_marks_and_letters_have_their_contrast_on_both_pages() -> None:
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)", 1)
    for page, theme, css in ((LIGHT, 0, light), (DARK, 1, dark.split("}", 1)[0])):
        named = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6});", css))
        assert named["paper"] == page
        for name in ("ink", "soft", "accent", "good", "bad"):
            assert contrast(named[name], page) >= 4.5, name
        for colour in [named[f"k{index}"] for index in range(8)] + [pair[theme] for pair in HUES.values()]:
            assert contrast(colour, page) >= 3


def test_a_row_has_one_ink_and_rows_of_a_kind_differ_in_their_markers() -> None:
    rows = [
        Series("tuned", "transformer", "reference"),
        Series("ridge", "model", "claim"),
        Series("tpe", "model"),
        Series("sparse_fourier", "model"),
        Series("floor", "floor", "floor"),
    ]
    inks = Inks([*rows, *rows], ["tpe", "true front"])
    assert [inks[row.name].hue for row in rows] == ["reference", "claim", "model", "model", "floor"]
    assert inks["tpe"].marker != inks["sparse_fourier"].marker
    assert len({inks[name].css for name in ("tuned", "ridge", "tpe", "sparse_fourier", "true front")}) == 5


@pytest.mark.parametrize(
    ("axis", "values", "texts"),
    [
        (Axis(label=""), [0.0, 10.0], ["0", "2", "4", "6", "8", "10"]),
        (Axis(label=""), [-0.02, 0.03], ["−0.02", "−0.01", "0.00", "0.01", "0.02", "0.03"]),
        (Axis(label="", is_log=True), [1.0, 100.0], ["1", "3", "10", "30", "100"]),
        (
            Axis(label="", is_log=True),
            [1.0, 1e6, 0.0, -3.0],
            ["1", "10", "100", "1000", "10000", "100000", "1e+06"],
        ),
        (Axis(label="", low=0.0, high=1.0), [0.4], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_round_and_in_order(axis: Axis, values: list[float], texts: list[str]) -> None:
    ticks = Ruler(axis, values).ticks()
    assert [text for _, text in ticks] == texts
    places = [Ruler(axis, values).at(value) for value, _ in ticks]
    assert all(0 <= low < high <= 100 for low, high in pairwise(places))


def test_the_better_side_of_a_forest_is_on_the_right() -> None:
    for better, first in (("higher", False), ("lower", True)):
        axis = Axis(label="bits", better="higher" if better == "higher" else "lower", zero=(0.0, "none"))
        bars = (Bar(series="a", main=Span(-1.0, -2.0, -0.5)), Bar(series="b", main=Span(1.0, 0.5, 2.0)))
        page = drawn(Forest(title="", axis=axis, bars=bars), Inks((), ("a", "b")))
        negative, positive = (
            float(x) for x in re.findall(r'x="([\d.]+)%" y="[\d.]+" class="mark main', page)
        )
        assert (negative > positive) is first
        assert "better →" in page


def test_a_band_closes_and_a_step_holds_its_value() -> None:
    curve = Curve(
        series="a",
        points=((0.0, 0.0), (1.0, 1.0)),
        band=((0.0, 0.0, 0.0), (1.0, 0.5, 1.0)),
        is_step=True,
    )
    axis = Axis(label="", low=0.0, high=1.0)
    page = drawn(Plane(title="", x=axis, y=axis, lines=(curve,)), Inks((), ("a",)))
    assert 'd="M0.0 1000.0H1000.0V0.0" class="curve s0"' in page
    assert 'd="M0.0 1000.0L1000.0 500.0L1000.0 0.0L0.0 1000.0Z" class="band s0"' in page


def test_names_beside_marks_do_not_lie_on_each_other() -> None:
    points = tuple(Point(series=f"row{index}", x=0.1 * index, y=0.5) for index in range(3))
    axis = Axis(label="", low=0.0, high=1.0)
    plane = Plane(title="", x=axis, y=axis, points=points, is_named=True)
    page = drawn(plane, Inks((), [point.series for point in points]))
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)"[^>]* class="name', page))
    assert len(heights) == 3
    assert all(high - low >= 16 - 1e-6 for low, high in pairwise(heights))
    crowd = tuple(Point(series=f"row{index}", x=0.1 * index, y=0.5) for index in range(8))
    plane = Plane(title="", x=axis, y=axis, points=crowd, is_named=True)
    assert 'class="name' not in drawn(plane, Inks((), [point.series for point in crowd]))


def test_an_architecture_of_any_form_is_a_strip_of_its_layers() -> None:
    found = strip(
        "a", {"depth": 2, "mixers": ["attention", "pooling"], "mlp_ratio": [1.0, 2.0]}, text="9 parameters"
    )
    assert [(brick.kind, brick.size) for brick in found.bricks] == [("attention", 0.5), ("pooling", 1.0)]
    assert found.text == "depth 2, 9 parameters"
    plain = strip("a", {"widths": [8, 16, 24]})
    assert [brick.kind for brick in plain.bricks] == ["widths 8", "widths 16", "widths 24"]
    assert strip("a", {"width": 48}).bricks == ()
