"""The language model of a search, and what its tokens cost."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.data.fetch import fetch
from harness.errors import HarnessError
from harness.files import write_atomically
from harness.identity.unit import AnyUnit
from harness.llm import Client, open_client
from harness.llm.client import NO_USAGE
from harness.llm.package import EMBEDDED_MODEL, extract_model
from harness.run.place import Needs
from harness.run.record import read_record
from harness.run.stored import RECORD, read_checked
from harness.search.report import SearchReport
from harness.search.report import priced as with_price
from harness.study.settings import LanguageModelSettings
from harness.study.work.units import ENDPOINT


def priced(report: Mapping[str, Any], llm: LanguageModelSettings | None) -> Mapping[str, Any]:
    """Returns a searcher's report, with the money its tokens cost where the suite gives a price.

    Where the server did not tell some of them, nobody knows what they cost.
    """
    told = SearchReport.of(report)
    use = told.llm
    if llm is None or use is None or told.counters.get(NO_USAGE):
        return report
    rates = llm.price_per_million_prompt_tokens, llm.price_per_million_completion_tokens
    price = (rates[0] * use.prompt_tokens + rates[1] * use.completion_tokens) / 1e6
    return with_price(report, price) if any(rates) else report


def language_model(unit: AnyUnit, settings: LanguageModelSettings, needs: Needs, folder: Path) -> Client:
    """Returns the client that answers a search's questions and keeps its transcript."""
    place, transcript = needs.place, folder / "transcript.jsonl"
    if place.replay is not None:
        replayed(unit, place.replay, transcript)
    model_file = None
    if not settings.base_url and place.replay is None:
        model_file = Path(settings.model_file) if settings.model_file else None
        if model_file is None:
            archive = fetch(EMBEDDED_MODEL, place.data.folder, offline=place.data.offline)
            model_file = extract_model(archive, place.data.folder)
    return open_client(
        asdict(settings),
        model_file=model_file,
        transcript=transcript,
        key=place.keys.of(settings.base_url),
        replay=place.replay is not None,
        owner=unit.name,
        refused=needs.result(ENDPOINT).refused if needs.find(ENDPOINT) else (),
    )


def replayed(unit: AnyUnit, replay: Path, transcript: Path) -> None:
    """Puts the transcript of the same search of another run in its place, checked where that was finished.

    The same search has the same parameters; its code may have changed since, and then it replays as far as
    its questions are the same.

    Raises:
        HarnessError: that run has none.
        DamagedError: it is not as it was written.
    """
    for folder in sorted((replay / "units").glob(f"{unit.kind}-*")):
        record = read_record(folder / RECORD)
        if record is None and folder.name != unit.folder:
            continue
        if record is not None and (record.kind, record.spec) != (unit.kind.name, unit.spec.to_json()):
            continue
        old = folder / transcript.name
        if record is not None and record.status == "ok":
            text = read_checked(folder, record, transcript.name)
        elif old.is_file():
            text = old.read_bytes()
        else:
            continue
        if old.resolve() != transcript.resolve():
            write_atomically(transcript, text)
        return
    raise HarnessError(f"{replay} has no transcript of this search; replay a run of this suite.")
