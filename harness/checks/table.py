"""Claims of a table of published results."""

from collections.abc import Iterator
from pathlib import Path

from harness import catalog
from harness.errors import HarnessError


def table_claims(
    name: str, folders: tuple[Path, ...], data: Path, offline: bool
) -> Iterator[tuple[str, bool, str]]:
    from harness.data.fetch import archive_path
    from harness.data.table.card import read_card
    from harness.data.table.computed import load_computed
    from harness.data.table.table import bound_space, load_table, table_path

    place = catalog.files("table")[name]
    card = read_card(place)
    spaces = {space: bound_space(space).size() for space in map(card.space_of, card.domains) if space}
    one_size = card.computed or len(set(spaces.values())) <= 1
    named = ", ".join(spaces) or "its own"
    yield "names spaces that exist, all of one size unless scores are computed", bool(one_size), named
    yield "says its origin and licence", bool(card.origin and card.licence), card.licence
    try:
        path = table_path(card, (*folders, place.parent), data, offline=offline)
    except HarnessError as error:
        if card.package is not None and archive_path(card.package, data).is_file():
            raise  # it is there, and is not what the card pins
        yield "waits for its file", True, str(error)
        return
    if card.computed:
        computed = load_computed(path, place)
        yield "computes scores of each domain", bool(computed.surrogates), ", ".join(computed.surrogates)
        return
    loaded = load_table(path, place)
    more = f", {loaded.left_out} rows left out" if loaded.left_out else ""
    more += f", {loaded.averaged} repeats averaged" if loaded.averaged else ""
    yield "holds whole, finite and unique rows", bool(loaded.rows), f"{len(loaded.rows)} architectures{more}"
    if card.costs:
        yield "has its costs, or waits for their file", True, f"{len(loaded.costs)} of {len(card.costs)}"
