"""What a run gives to a site: its board as a file that is read back, with what tells it from other runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.board.leaderboard import FoundNetwork
from harness.errors import HarnessError
from harness.files import SCHEMA, canonical_json, sealed, unsealed
from harness.guard.text import LONGEST_REASON, parse_json, reason_of
from harness.identity.schema import Schema
from harness.run.loaded import Run
from harness.study.formats import board_json
from harness.study.merge import Terms, terms_of
from harness.study.study import AnyBoard, load_study

AGAIN: Final = "make it again with `harness leaderboard RUN --format json`, or give the run folder"
HEAD: Final = ("schema", "study", "verdict", "checksum", "run")
"""Members of the file that are none of the board."""


@dataclass(frozen=True, kw_only=True)
class RunFacts(Schema):
    """What a run tells beside its board.

    Attributes:
        protocol: what must agree before its rows stand with those of another run; see `Study.protocol`.
        code: what of the code every row shares -> its digest.
        found: architectures of its rows.
    """

    protocol: Mapping[str, Any]
    code: Mapping[str, str]
    found: tuple[FoundNetwork, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Submission:
    """The board of a run; `facts` are None where its file holds the board alone."""

    board: AnyBoard
    facts: RunFacts | None = field(default=None)

    @property
    def terms(self) -> Terms | None:
        """What it has to agree in with others; None where its file does not tell."""
        if self.facts is None:
            return None
        return Terms(self.board.study, self.facts.protocol, self.facts.code)


def submission_text(run: Run, board: AnyBoard) -> str:
    """Returns the file of a run: the board as JSON, and the run's facts beside it, sealed."""
    terms = terms_of(run)
    facts = RunFacts(
        protocol=terms.protocol, code=terms.code, found=tuple(load_study(board.study).found(run))
    )
    value: dict[str, Any] = parse_json(board_json(board))
    return sealed(value | {"run": facts.to_json()}).encode(errors="backslashreplace").decode()


def submission_of(text: str, path: Path) -> Submission:
    """Returns what `submission_text` or `board_json` gave, from the text of the file `path`, anybody's.

    Raises:
        HarnessError: it holds no board of a study that is known here, or is damaged.
    """
    value = _value(text, path)
    schema, name = value.get("schema"), value.get("study")
    if schema != SCHEMA:
        raise HarnessError(f"{path} has schema {schema!r}, and this version reads {SCHEMA}; {AGAIN}.")
    if not isinstance(name, str):
        raise HarnessError(f"{path} names no study, so it is no board of one run; {AGAIN}.")
    members = {key: _whole(one) for key, one in value.items() if key not in HEAD}
    try:
        study = load_study(name)
        if "values" not in study.parts:
            raise HarnessError(
                "its study does not say what its boards are; name their class in its `parts` as `values`"
            )
        board: AnyBoard = study.board_from_json(members)
        facts = RunFacts.from_json(_whole(value["run"])) if "run" in value else None
    except (HarnessError, ValueError) as error:
        raise HarnessError(f"{path} holds no board that can be read: {_first(error)}; {AGAIN}.") from error
    return Submission(board=board, facts=facts)


def _value(text: str, path: Path) -> dict[str, Any]:
    """Returns the JSON object of a file, as it was sealed where it is sealed."""
    try:
        value = parse_json(text)
        canonical_json(value)  # refuses numbers that are none
    except ValueError as error:
        raise HarnessError(f"{path} is no JSON of a board ({reason_of(error)}); {AGAIN}.") from error
    if not isinstance(value, dict):
        raise HarnessError(f"{path} is no board; {AGAIN}.")
    return unsealed(text.encode(), path, AGAIN) if "checksum" in value else value


def _whole(value: Any) -> Any:
    """Returns JSON values with halves of characters written out, as no type takes them."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value


def _first(error: Exception) -> str:
    """Returns the first thing that is wrong."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error).rstrip(".")[:LONGEST_REASON]
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"[:LONGEST_REASON]
