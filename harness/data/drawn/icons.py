"""Icon sets of the iconify collection: named SVG pictures, read from npm tarballs and drawn as pixels."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.foreign.archive import tar_members
from harness.errors import DataUnavailableError

INK = "#000000"
PAPER = "#ffffff"


@dataclass(frozen=True, kw_only=True)
class IconSet:
    """The visible icons of one set.

    Attributes:
        bodies: name -> what stands inside the SVG element.
        boxes: name -> (left, top, width, height) of its view box.
        parents: another name -> the name of the icon that it means.
        categories: name -> the set's own category; empty where it has none.
    """

    bodies: Mapping[str, str]
    boxes: Mapping[str, tuple[float, float, float, float]]
    parents: Mapping[str, str]
    categories: Mapping[str, str]


def read_icons(path: Path) -> IconSet:
    """Returns the icon set of a fetched tarball; icons that the set hides are left out."""
    wanted = ("package/icons.json", "package/metadata.json")
    held = dict(tar_members(path, lambda name: name in wanted))
    icons, metadata = (json.loads(held[name]) for name in wanted)
    shown = {name: icon for name, icon in icons["icons"].items() if not icon.get("hidden")}
    defaults = {"left": 0, "top": 0, "width": 16, "height": 16} | {
        key: icons[key] for key in ("left", "top", "width", "height") if key in icons
    }
    boxes = {}
    for name, icon in shown.items():
        left, top, width, height = (icon.get(key, value) for key, value in defaults.items())
        boxes[name] = (left, top, width, height)
    return IconSet(
        bodies={name: icon["body"] for name, icon in shown.items()},
        boxes=boxes,
        parents={name: alias["parent"] for name, alias in icons.get("aliases", {}).items()},
        categories={name: group for group, names in metadata.get("categories", {}).items() for name in names},
    )


def draw(icons: IconSet, name: str, side: int) -> bytes:
    """Returns an icon on white as uint8 bytes in (3, side, side) order; the colour of text is black."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise DataUnavailableError(
            "Icons are drawn by resvg-py, which is not installed; run `pip install resvg-py`."
        ) from error
    from PIL import Image

    box = " ".join(f"{number:g}" for number in icons.boxes[name])
    body = icons.bodies[name].replace("currentColor", INK)
    links = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    svg = f'<svg {links} width="{side}" height="{side}" viewBox="{box}">{body}</svg>'
    png = bytes(svg_to_bytes(svg_string=svg, background=PAPER, skip_system_fonts=True))
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.uint8)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes()


def concepts(icons: IconSet, reference: IconSet) -> Iterator[tuple[str, str]]:
    """Yields (icon of `icons`, name of the same concept in `reference`), at most one icon per concept.

    Names agree when they are equal without hyphens; else when an alias of either set leads from one to the
    other. An icon without such a name, or with two, is left out.
    """
    by_letters = {_letters(name): name for name in sorted(reference.bodies, reverse=True)}
    links: dict[str, set[str]] = {}
    for parents in (icons.parents, reference.parents):
        for name, parent in parents.items():
            for one, other in ((name, parent), (parent, name)):
                links.setdefault(_letters(one), set()).add(_letters(other))
    taken: dict[str, str] = {}
    direct = {name: by_letters[_letters(name)] for name in icons.bodies if _letters(name) in by_letters}
    for name, concept in direct.items():
        taken.setdefault(concept, name)
    for name in icons.bodies:
        found = {by_letters[other] for other in links.get(_letters(name), ()) if other in by_letters}
        if name not in direct and len(found) == 1:
            taken.setdefault(found.pop(), name)
    for concept, name in sorted(taken.items()):
        yield name, concept


def _letters(name: str) -> str:
    return name.replace("-", "")
