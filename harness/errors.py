"""The errors a user can cause, so that every one of them ends as one sentence and exit status 2."""

from collections.abc import Iterable
from difflib import get_close_matches


class HarnessError(Exception):
    """A user's mistake or a missing resource: what was asked, what there is, what to do."""


class UnknownNameError(HarnessError):
    """A name that the catalog, a suite or a space does not hold."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        there = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names) or 'none'}."
        super().__init__(f"There is no {kind} named {name!r}; {there}")


class DataUnavailableError(HarnessError):
    """A domain whose package, file or hash is not what its card says; other domains go on."""


class WrongDataError(DataUnavailableError):
    """A user's own file that is not as its task says: the file, the row and the column."""


class LackingError(HarnessError):
    """Kept samples that do not give a metric; rows that have it stay."""


class DivergedError(HarnessError, FloatingPointError):
    """A training whose loss or gradient stopped being finite."""


class EndpointError(HarnessError):
    """A language-model endpoint that cannot be used."""


class DamagedError(HarnessError):
    """A file of a run or of the data cache that is not what was written, or is gone."""


class WaitingError(HarnessError):
    """Units that are left to other processes; the command ends with `status`, 0 where its own are done."""

    def __init__(self, told: str, *, status: int) -> None:
        self.status = status
        super().__init__(told)
