"""The model card as Markdown, in which names and texts of others are inert."""

from collections.abc import Iterator, Mapping

from harness.guard.inert import markdown, markdown_block
from harness.learn.modality import modality_of
from harness.study.formats import markdown_table
from harness.study.network import CardPart, RowNetwork


def card_text(found: RowNetwork, loads: str, files: Mapping[str, str]) -> str:
    """Returns the card of a network.

    Args:
        found: the network.
        loads: lines of Python that load it.
        files: name -> sha256 of what lies beside it.
    """
    return "\n".join([f"# {markdown(found.title)}", "", *_loading(found, loads), *_parts(found, files)])


def _loading(found: RowNetwork, loads: str) -> Iterator[str]:
    yield "```python"
    yield f'FOLDER = "."  # this folder\n{loads}'
    yield "```"
    yield ""
    if reads := modality_of(found.facts.blueprint.signature.kind).reads:
        yield f"{reads}\n"


def _parts(found: RowNetwork, files: Mapping[str, str]) -> Iterator[str]:
    facts = found.facts
    hashes = (
        *(f"{name}: {digest}" for name, digest in files.items()),
        f"record that trained it: {facts.record}",
        f"its weights in the run: {facts.weights}",
        *(f"{label}, code or content: {digest}" for label, digest in sorted(facts.code.items())),
        f"harness {facts.engine}",
    )
    for part in (*found.card, CardPart("Hashes", hashes, is_list=True)):
        yield f"## {markdown(part.heading)}\n"
        start = "- " if part.is_list else ""
        end = "" if part.is_list else "\n"
        yield from (f"{start}{markdown_block(text)}{end}" for text in part.texts)
        yield from map(markdown_table, part.tables)
        if part.is_list:
            yield ""
