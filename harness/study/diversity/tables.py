"""What a board of diversity says: verdicts and tables."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from harness.board.table import Table
from harness.board.wording import MISSING, listed, metric_name, unit_of_difference
from harness.catalog import metric_of
from harness.study.diversity.board import DiversityBoard
from harness.study.diversity.results import (
    DIVERSITY,
    Answer,
    ArmFound,
    Control,
    PoolFindings,
    PoolQuestion,
    Share,
)

STANDARDISED = "sd"
"""What scores that are standardised on each domain have in place of a metric."""
QUESTIONS = {
    "arms": "random architectures of {} against the reference",
    "network": "one family more in a network of {}",
    "search": "the best of a budget in {} against that of the reference",
    "space": "one family more to choose from in {}",
    "behaviour": "one behaviour more to choose from in {}",
}
ASKED = {
    "arms": "a random architecture of {} holds up better than one of the reference",
    "network": "a network of {} with one family more holds up better than its families alone say",
    "search": "the best in domain of {} holds up better than that of the reference",
    "space": "one family more to choose from in {} gives a best in domain that holds up better",
    "behaviour": "one different behaviour more to choose from in {} gives a best that holds up better",
}
OUTCOMES = {"matched": "at equal in-domain score", "raw": "raw"}


def diversity_verdict(board: DiversityBoard) -> str:
    """Returns the answer of every question at equal in-domain score, in one sentence each."""
    return " ".join([diversity_headline(board), *answers(board)])


def diversity_headline(board: DiversityBoard) -> str:
    """Returns how many questions have which answer."""
    asked = [one for found in board.found for one in leading(found)]
    part = f"{board.done:,} of {board.planned:,} trainings are finished" if board.done < board.planned else ""
    if not asked:
        why = (
            "no arms are compared at equal in-domain score" if board.found else "no training is finished yet"
        )
        return f"{f'{part}; {why}' if part else why.capitalize()}, so nothing can be said of diversity."
    told: dict[Answer, str] = {
        "helps": "more diversity helps",
        "hurts": "more diversity hurts",
        "equivalent": "it makes no difference that matters",
        "cannot tell": "it cannot be told",
        "no verdict": "there is no verdict",
    }
    counts = Counter(one.answer for one in asked if one.asked in DIVERSITY)
    parts = [f"{said} in {counts[name]}" for name, said in told.items() if counts[name]]
    number = sum(counts.values())
    start = f"{part}; of" if part else "Of"
    questions = f"{number} questions" if number != 1 else "1 question"
    first = f"{start} {questions} about diversity at equal in-domain score, {listed(parts)}."
    others = [f"{_name(one)}: {one.answer}" for one in asked if one.asked not in DIVERSITY]
    return f"{first} {'; '.join(others).capitalize()}." if others else first


def answers(board: DiversityBoard) -> list[str]:
    """Returns the answer of every question at equal in-domain score, in one sentence each."""
    return [_sentence(board, found, one) for found in board.found for one in leading(found)]


def registered_lines(board: DiversityBoard) -> list[str]:
    """Returns what was fixed before anything was trained, and how the run departs from it."""
    found = board.registration
    if found is None:
        return ["No plan was registered before these results, so they explore and do not confirm."]
    opened = f" It opens the sealed domains {listed(found.sealed)}." if found.sealed else ""
    lines = [
        f"Registered on {found.date} with {found.trainings} trainings, sha256 {found.sha256}; {board.done} "
        f"of {board.planned} are finished.{opened}"
    ]
    if not found.deviations:
        return [*lines, "Plan, data and analysis are those that were registered."]
    return [*lines, *(f"Deviation: {one}" for one in found.deviations)]


def leading(found: PoolFindings) -> list[PoolQuestion]:
    """Returns the questions that bear a verdict: on all domains, at equal in-domain score, none raw."""
    return [one for one in found.questions if not one.stratum and one.outcome == "matched"]


def _sentence(board: DiversityBoard, found: PoolFindings, one: PoolQuestion) -> str:
    asked = ASKED[one.asked].format(one.about)
    told = (
        f"gain {_gain(found, one, unit=True)}, {OUTCOMES[one.outcome]}, on {one.domains} families of domains"
    )
    start = f"{found.name}: whether {asked}"
    if one.answer == "no verdict":
        return f"{start} has no verdict, as {one.reason} ({told})."
    if one.answer == "cannot tell":
        wanted = _plain(found, one.detectable, unit=True)
        return f"{start} cannot be told ({told}; a gain of {wanted} would be found four times in five)."
    if one.answer == "equivalent":
        margin = _plain(found, board.margin, unit=True)
        return f"{start}: it makes no difference beyond {margin} ({told}; p {_p(one.equivalence)})."
    said = "it does" if one.answer in ("helps", "better") else "it holds up worse"
    if one.asked in DIVERSITY:
        return f"{start}: {said} ({told}; p {_p(one.p)})."
    return f"{start}: {said} ({told}; p {_p(one.p)}), for diversity or for which families it has."


def diversity_tables(board: DiversityBoard) -> Iterator[Table]:
    """Yields answers, gains by domain, arms, what families are worth, and controls, of every pool."""
    for found in board.found:
        yield _questions(board, found)
        yield _domains(found)
        yield _arms(board, found)
        if found.effects:
            yield _effects(found)
        if found.controls:
            yield _controls(found)


def _questions(board: DiversityBoard, found: PoolFindings) -> Table:
    rows = [
        (
            _name(one),
            OUTCOMES[one.outcome],
            one.stratum or "all",
            _gain(found, one),
            _p(one.p),
            one.answer,
            _plain(found, one.detectable),
            f"{one.architectures:,} / {one.domains}",
            MISSING if one.flips is None else _p(one.flips),
            MISSING if one.permuted is None else f"{100 * one.permuted:.1f} %",
        )
        for one in found.questions
    ]
    margin = f"; equivalent within {_plain(found, board.margin, unit=True)}" if board.margin else ""
    notes = [
        f"Gains are in {_unit(found)}, above 0 where more diversity is the better side; 95 % intervals over "
        f"architectures and families of domains{margin}.",
        "n: architectures of the smaller side, or families or spaces to choose from / families of domains.",
        "Flips: the exact p-value where each family's sign is as likely the other one.",
        "Permuted: how often the rule calls a gain where what is asked of is permuted among architectures.",
        *(
            [f"Compared where the in-domain score is {_plain(found, found.level)}."]
            if found.level is not None
            else []
        ),
        *([f"The floor scores {_plain(found, found.floor)} in domain."] if found.floor is not None else []),
        *found.notes,
        *registered_lines(board),
        *(f"{_name(one)}: no verdict, as {one.reason}." for one in leading(found) if one.reason),
        *(f"{name}: {reason}" for name, reason in board.failed),
    ]
    return Table(
        caption=f"{found.name}: what diversity does on held-out domains ({_measured(found)})",
        columns=(
            "Question",
            "Outcome",
            "Domains",
            "Gain",
            "p",
            "Answer",
            "Detectable",
            "n",
            "Flips",
            "Permuted",
        ),
        rows=tuple(rows),
        labels=3,
        notes=tuple(notes),
        lesser=("Permuted", "Flips", "Detectable"),
    )


def _name(one: PoolQuestion) -> str:
    return QUESTIONS[one.asked].format(one.about)


def _domains(found: PoolFindings) -> Table:
    asked = leading(found)
    rows = [
        (
            name,
            family,
            found.strata.get(name) or MISSING,
            *(_share(found, one.shares[name]) if name in one.shares else MISSING for one in asked),
        )
        for name, family in found.domains.items()
    ]
    return Table(
        caption=f"{found.name}: gain on each held-out domain ({_unit(found)})",
        columns=("Domain", "Family", "Shift", *(_name(one) for one in asked)),
        rows=tuple(rows),
        labels=3,
        notes=("95 % intervals over architectures alone, as a domain is one.",),
    )


def _arms(board: DiversityBoard, found: PoolFindings) -> Table:
    rows = [_arm(found, one) for one in found.arms]
    return Table(
        caption=f"{found.name}: pools",
        columns=(
            "Arm", "Architectures", "Trainings", "Parameters", "In domain", "Held out", "Outside",
            "Sd architecture", "Sd architecture x domain", "Sd seed", "Transfer", f"Best of {board.budget}",
            "Regret", "Gap", "Families", "Entropy", "Structural", "Functional",
        ),
        rows=tuple(rows),
        notes=(
            "Sd: standard deviations of the outcome, at equal in-domain score where there is one. Transfer: "
            "share of the variance of a mean over the domains that is of the architecture.",
            f"Best of {board.budget}: what it is predicted to gain on another domain, from these components. "
            "Regret: what the best in domain lacks to the best of its arm. Gap: what that lacks to the best "
            "of all.",
            "Families: mean number of different ones in a network; entropy: of all layers, in bits. "
            "Structural, functional: effective number of different architectures and behaviours (Vendi "
            "score); the former follows the size of a space.",
        ),
        lesser=("Structural", "Entropy", "Gap", "Outside", "Sd seed", "Parameters"),
    )  # fmt: skip


def _arm(found: PoolFindings, one: ArmFound) -> tuple[str, ...]:
    low, high = one.parameters
    return (
        one.name,
        f"{one.architectures:,}",
        f"{one.trainings:,}" if one.trainings == one.planned else f"{one.trainings:,} of {one.planned:,}",
        MISSING if not high else f"{low:,}" if low == high else f"{low:,}–{high:,}",
        _plain(found, one.in_domain),
        _plain(found, one.held_out),
        MISSING if one.outside is None else f"{100 * one.outside:.0f} %",
        *(_plain(found, value) for value in (one.architecture, one.interaction, one.seed)),
        f"{one.transfer:.2f}",
        *(_plain(found, value) for value in (one.gain, one.regret, one.gap)),
        *(f"{value:.2f}" for value in (one.families, one.entropy, one.structural, one.functional)),
    )


def _effects(found: PoolFindings) -> Table:
    rows = sorted(found.effects.items(), key=lambda one: -one[1].value)
    return Table(
        caption=f"{found.name}: what a layer more of a family is worth, in place of another ({_unit(found)})",
        columns=("Family", "Gain"),
        rows=tuple((name, _share(found, share)) for name, share in rows),
        notes=(
            "At equal in-domain score; which families, and not how many, so this is no effect of diversity.",
        ),
    )


def _controls(found: PoolFindings) -> Table:
    return Table(
        caption=f"{found.name}: controls",
        columns=("Control", "Truth", "Outcome", "Gain", "p"),
        rows=tuple(_control(found, one) for one in found.controls),
        labels=3,
    )


def _control(found: PoolFindings, one: Control) -> tuple[str, ...]:
    share = Share(value=one.gain, low=one.low, high=one.high)
    return one.name, one.truth, OUTCOMES[one.outcome], _share(found, share), _p(one.p)


def csv_lines(board: DiversityBoard) -> Iterator[dict[str, Any]]:
    """Yields a line for each question, and for each of its domains; an empty one where nothing is found."""
    if not board.found:
        texts = ("pool", "what", "about", "outcome", "stratum", "domain", "answer")
        numbers = ("value", "low", "high", "p", "detectable")
        yield {**dict.fromkeys(texts, ""), **dict.fromkeys(numbers), "marks": str(board.marks)}
    for found in board.found:
        for one in found.questions:
            head = {"pool": found.name, "what": one.asked, "about": one.about, "outcome": one.outcome}
            head |= {"stratum": one.stratum, "marks": str(board.marks)}
            more = {"p": one.p, "answer": one.answer, "detectable": one.detectable}
            yield head | {"domain": "", "value": one.gain, "low": one.low, "high": one.high} | more
            for name, share in one.shares.items():
                gain = {"domain": name, "value": share.value, "low": share.low, "high": share.high}
                yield head | gain | dict.fromkeys(more)


def _measured(found: PoolFindings) -> str:
    return "standardised scores" if found.metric == STANDARDISED else metric_name(found.metric)


def _unit(found: PoolFindings) -> str:
    if found.metric == STANDARDISED:
        return "standard deviations of a domain"
    return unit_of_difference(found.metric) or metric_of(found.metric).title


def _plain(found: PoolFindings, value: float, *, signed: bool = False, unit: bool = False) -> str:
    """Returns a value, or a gain, as people read it."""
    if found.metric == STANDARDISED:
        text = f"{value:{'+' if signed else ''}.3f}".replace("-", "−")
        return f"{text} sd" if unit else text
    decimals = metric_of(found.metric).decimals + 1
    text = f"{metric_of(found.metric).factor * value:{'+' if signed else ''}.{decimals}f}".replace("-", "−")
    return f"{text} {_unit(found)}" if unit else text


def _gain(found: PoolFindings, one: PoolQuestion, *, unit: bool = False) -> str:
    told = _share(found, Share(value=one.gain, low=one.low, high=one.high))
    return f"{told} {'sd' if found.metric == STANDARDISED else _unit(found)}" if unit else told


def _share(found: PoolFindings, share: Share) -> str:
    low, high = (_plain(found, bound, signed=True) for bound in (share.low, share.high))
    return f"{_plain(found, share.value, signed=True)} [{low}, {high}]"


def _p(value: float | None) -> str:
    if value is None:
        return MISSING
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")
