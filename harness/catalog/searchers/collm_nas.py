"""CoLLM-NAS: a Navigator and a Generator, language models, and a Coordinator that is code.

Source: arXiv 2509.26037 v2, Algorithm 1. What the paper leaves open is an option here, see `OPTIONS`. With
the embedded model, which cannot write valid batches, the Generator decodes choice by choice, the Navigator is
a digest of the scores, and the first `warmup` architectures are random.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from harness import (
    Architecture,
    Evaluation,
    HarnessError,
    SearchContext,
    Searcher,
    SearcherEntry,
    canonical_json,
    seeds,
)
from harness.llm import Client
from harness.search.llm.anonymous import AnonymousSpace
from harness.search.llm.roles import (
    Briefing,
    ChattingGenerator,
    ChattingNavigator,
    DigestNavigator,
    Generator,
    LetterGenerator,
    Navigator,
    NoNavigator,
    SingleModel,
    Tally,
)
from harness.search.loop import Limit
from harness.search.report import REPAIRED, REPAIRED_CHOICES

PROMPTS = Path(__file__).parent / "prompts"
TOKENS = ("prompt_tokens", "completion_tokens", "reasoning_tokens")
FUNNEL = ("proposed", "parsed", "legal", "new", "evaluated", "over_limit")
OPTIONS = {
    "temperature": 0.6,  # of both roles
    "batch": 10,  # proposals asked for; at most a fifth of the budget
    "iterations": 0,  # 0: a fifth of the budget, at least 25
    "patience": 5,  # iterations in a row without a new architecture, after which the search ends
    "navigator_memory": True,
    "generator_memory": False,
    "single": False,  # SiLLM: one model reflects and proposes
    "feedback": "normal",
    "names": "normal",
    "prompts": "collm_nas",  # a folder of templates, by name or path
    "navigator": "auto",  # auto: chat with an endpoint, digest with the embedded model
    "generator": "auto",  # auto: chat with an endpoint, letters with the embedded model
    "warmup": 10,  # random architectures before the first letters; at most a third of the budget
    "examples": 6,  # best architectures that the letters follow
    "embedded_temperature": 1.0,
}
ALLOWED: dict[str, tuple[Any, ...]] = {
    "temperature": (0.0, 2.0),
    "batch": (1, 200),
    "iterations": (0, 100_000),
    "patience": (1, 100_000),
    "feedback": ("normal", "shuffled", "none"),
    "names": ("normal", "anonymous"),
    "navigator": ("auto", "chat", "digest", "none"),
    "generator": ("auto", "chat", "letters"),
    "warmup": (0, 100_000),
    "examples": (0, 100),
    "embedded_temperature": (0.01, 100.0),
}


class Coordinator(Searcher):
    """Drops what is illegal or visited, spends the budget, counts everything, and tells the results."""

    def __init__(self, context: SearchContext) -> None:
        if context.client is None:
            raise ValueError("CoLLM-NAS needs a language model in its context.")
        self.client: Client = context.client
        self.options = {**OPTIONS, **context.options}
        self.space = context.space
        self.batch = min(self.options["batch"], max(2, context.budget // 5))
        self.iterations = self.options["iterations"] or max(25, context.budget // 5)
        self.prompts = _prompts(self.options["prompts"])
        self.archive = context.archive
        self.history: list[Evaluation] = []
        self.last: list[Evaluation] = []  # what the Navigator was not told yet
        self.kept: list[Architecture] = []  # proposals beyond a batch, for the next
        self.rounds: list[Tally] = []
        self.seconds: list[float] = []  # waited for the model, of each iteration; not in the report
        self.stopped = ""
        self.draw = random.Random(context.seed)
        self.shuffle = random.Random(seeds.stream(context.seed, "shuffle"))
        self.repairs = random.Random(seeds.stream(context.seed, "repairs"))
        self.navigator, self.generator = self._roles(context)
        writes_letters = isinstance(self.generator, LetterGenerator)
        self.asks_what_is_left = writes_letters
        self.warmup = min(self.options["warmup"], context.budget // 3) if writes_letters else 0

    def ask(self, count: int) -> list[Architecture]:
        """Returns the next batch: proposals that the last one left, and where they do not fill it, new ones.

        An iteration without one new architecture is spent all the same; several in a row end the search.
        """
        claimed = len(self.archive.claimed)
        if claimed < self.warmup:
            return self.archive.sample(self.draw, min(count, self.warmup - claimed))
        size, empty = min(self.batch, count), 0
        kept = list(self.archive.new(self.kept))
        if len(kept) >= size:
            self.kept = kept[size:]
            return self.archive.take(kept, size)
        while len(self.rounds) < self.iterations:
            waited = self.client.seconds
            tally: Tally = Counter()
            self.rounds.append(tally)
            strategy = self.navigator.strategy(self.history, self.last, tally)
            wanted = size if self.asks_what_is_left else self.batch
            proposed = self.generator.propose(strategy, self.history, wanted, tally)
            self.seconds.append(self.client.seconds - waited)
            self.last = []
            batch = [*kept, *self._new(proposed, tally, besides=kept)]
            self.kept = batch[size:]
            tally["kept for the next batch"] += len(self.kept)
            if batch:
                return self.archive.take(batch, size)
            empty += 1
            if tally["exhausted"] or empty >= self.options["patience"]:
                self.stopped = "exhausted" if tally["exhausted"] else "empty"
                return []
        self.stopped = "iterations"
        return []

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        if self.rounds:
            self.rounds[-1]["evaluated"] += len(evaluations)
            self.rounds[-1]["over_limit"] += sum(one.over_limit for one in evaluations)
        told = list(evaluations)
        if self.options["feedback"] == "shuffled":  # the model sees each result with another's score
            scores = [one.score for one in evaluations]
            self.shuffle.shuffle(scores)
            told = [replace(one, score=score) for one, score in zip(evaluations, scores, strict=True)]
        self.last += told
        self.history += told

    def report(self) -> dict[str, Any]:
        total: Tally = Counter()
        for tally in self.rounds:
            total.update(tally)
        evaluated = len(self.history)
        return {
            "counters": {
                **{key: value for key, value in sorted(total.items()) if key not in (*TOKENS, "calls")},
                "random first": min(self.warmup, evaluated),
            },
            "iterations": [
                {**dict.fromkeys(FUNNEL, 0), **dict(sorted(tally.items()))} for tally in self.rounds
            ],
            "settings": {
                **self.options,
                "batch_used": self.batch,
                "iterations_used": self.iterations,
                "warmup_used": self.warmup,
                "navigator_used": type(self.navigator).__name__,
                "generator_used": type(self.generator).__name__,
            },
            "prompt_hash": sha256(canonical_json(self.prompts).encode()).hexdigest()[:16],
            "llm": {
                "model": self.client.name,
                "kind": self.client.kind,
                "calls": total["calls"],
                **{key: total[key] for key in TOKENS},
            },
            **({"stopped": self.stopped} if self.stopped else {}),
        }

    def _roles(self, context: SearchContext) -> tuple[Navigator, Generator]:
        options, client = self.options, self.client
        is_anonymous = options["names"] == "anonymous"
        limit, window = context.limit, context.space.window
        space = AnonymousSpace(context.space) if is_anonymous else context.space
        briefing = Briefing(
            space=space,
            prompts=self.prompts,
            words={
                "card": space.card(),
                "score_name": context.score_name,
                "budget": context.budget,
                "cost": limit.cost if limit else "parameters",
                "limit": limit.value if limit else window[1] if window else "any number of",
                "bound": _bound(limit, window),
                "target": "the best so far" if context.target is None else context.target,
            },
            options=options,
            has_scores=options["feedback"] != "none",
        )
        embedded = client.kind == "embedded"
        if options["single"]:
            return NoNavigator(), SingleModel(briefing, client)
        chats = options["navigator"] == "chat" or (options["navigator"] == "auto" and not embedded)
        in_letters = options["generator"] == "letters" or (options["generator"] == "auto" and embedded)
        navigator: Navigator = DigestNavigator(briefing, in_letters=in_letters)
        if options["navigator"] == "none":
            navigator = NoNavigator()
        elif chats:
            navigator = ChattingNavigator(briefing, client)
        if in_letters:
            if not embedded:
                raise HarnessError(
                    "generator = letters needs the embedded model, as an endpoint rates no letters."
                )
            return navigator, LetterGenerator(briefing, client, self.archive.claimed, context.seed)
        return navigator, ChattingGenerator(briefing, client)

    def _new(
        self, proposed: Sequence[Architecture], tally: Tally, besides: Sequence[Architecture]
    ) -> list[Architecture]:
        """Returns what is new, each outside of the window as its nearest legal and new neighbour."""
        new: list[Architecture] = []
        for one in proposed:
            if self.space.legal(one):
                is_new = one not in self.archive.claimed and one not in (*new, *besides)
                new += [one] if is_new else []
                tally["legal"] += 1
                tally["dropped: repeated"] += not is_new
            elif found := self.archive.nearest(one, self.repairs, (*new, *besides)):
                new.append(found[0])
                tally[REPAIRED] += 1
                tally[REPAIRED_CHOICES] += found[1]
            else:
                tally["dropped: outside the parameter window"] += 1
        tally["new"] += len(new)
        for name in [name for name, count in tally.items() if not count]:
            del tally[name]
        return new


def _bound(limit: Limit | None, window: tuple[int, int] | None) -> str:
    """Returns what a prompt says of sizes and limits, in words."""
    most = [f"at most {limit.value} {limit.cost}"] if limit else []
    return " and ".join([*most, *([f"from {window[0]} to {window[1]} parameters"] if window else [])]) or (
        "any number of parameters"
    )


def _folder(name: str) -> Path:
    return Path(name) if "/" in name else PROMPTS / name


def _prompts(name: str) -> dict[str, str]:
    """Returns the templates of the folder `name`, in the catalog or anywhere."""
    folder = _folder(name)
    wanted = [path.name for path in sorted((PROMPTS / "collm_nas").glob("*.txt"))]
    missing = [file for file in wanted if not (folder / file).is_file()]
    if missing:
        there = ", ".join(sorted(path.name for path in PROMPTS.iterdir() if path.is_dir()))
        raise HarnessError(f"The prompt folder {name!r} lacks {', '.join(missing)}; there are: {there}.")
    return {Path(file).stem: (folder / file).read_text(encoding="utf-8") for file in wanted}


SEARCHER = SearcherEntry(
    summary="CoLLM-NAS: Navigator and Generator language models with a Coordinator, arXiv 2509.26037.",
    build=Coordinator,
    family="language model",
    reads=lambda options: [_folder(options["prompts"])],
    options=OPTIONS,
    allowed=ALLOWED,
    needs_llm=True,
    is_anytime=False,
    standin="collm_standin",
)
