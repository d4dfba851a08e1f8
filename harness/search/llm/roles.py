"""The language-model roles of CoLLM-NAS: who writes the strategy, and who proposes architectures.

Source: arXiv 2509.26037 v2, section 3. A Navigator keeps the conversation and sees results; a Generator sees
the space and the current strategy alone. Either memory can be turned, and one model can play both roles.
"""

import random
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from string import Template
from typing import Any, Protocol

from harness import seeds
from harness.files import canonical_json
from harness.llm import Client, Message, Usage
from harness.search.archive import Evaluation
from harness.search.llm.anonymous import letter
from harness.search.llm.decoding import ChoiceDecoder, decoding_prompt, pool_of
from harness.search.llm.proposals import outside_reasoning, read_proposals
from harness.space.choices import SearchSpace
from harness.space.form import Architecture, object_schema

Tally = Counter[str]
FEW_LETTERS = 3_000
"""Characters of a conversation that a small model's context holds; older turns are forgotten."""


@dataclass(frozen=True, kw_only=True)
class Briefing:
    """What the roles know from the start.

    Attributes:
        space: as the model sees it, perhaps anonymous.
        prompts: name -> template.
        words: what the templates are filled with.
        options: of the searcher.
        has_scores: whether the model sees scores at all.
    """

    space: SearchSpace
    prompts: Mapping[str, str]
    words: Mapping[str, Any]
    options: Mapping[str, Any]
    has_scores: bool

    def text(self, name: str, **words: Any) -> str:
        """Returns the prompt `name`, filled in."""
        return Template(self.prompts[name]).substitute({**self.words, **words})

    def conversation(self, client: "Client", role: str, *, remembers: bool) -> "Conversation":
        """Returns a new conversation of the role with its model."""
        return Conversation(client, self.text(f"{role}_system"), self.options["temperature"], remembers)

    def line(self, one: Evaluation) -> str:
        """Returns architecture, cost and score as the prompts print them."""
        score = "not told" if not self.has_scores else "failed" if one.score is None else f"{one.score:.4f}"
        over = ", over the limit" if one.over_limit else ""
        shown = canonical_json(self.space.to_json(one.architecture))
        cost = one.parameters if one.limited is None else one.limited
        return f"{shown}, {cost}, {score}{over}"

    def results(self, last: Sequence[Evaluation]) -> str:
        """Returns one line for each result of the last batch."""
        return "\n".join(self.line(one) for one in last) or "no new valid architecture"

    def best(self, history: Sequence[Evaluation]) -> str:
        """Returns the line of the best architecture so far, or `none`."""
        scored = [one for one in history if one.fitness > float("-inf")]
        best = max(scored, key=lambda one: one.fitness, default=None)
        return self.line(best) if best and self.has_scores else "none"


@dataclass
class Conversation:
    """Chats with a model, and remembers what was said or does not."""

    client: Client
    system: str
    temperature: float
    remembers: bool
    turns: list[Message] = field(default_factory=list)

    def say(self, text: str, tally: Tally, schema: Mapping[str, Any] | None = None) -> str:
        """Returns the answer, with its reasoning left in; counts calls, tokens and odd endings."""
        question: Message = {"role": "user", "content": text}
        messages: list[Message] = [{"role": "system", "content": self.system}, *self.turns, question]
        reply = self.client.chat(messages, temperature=self.temperature, schema=schema)
        tally["calls"] += 1
        tally.update(reply.usage._asdict())
        tally.update(reply.events)
        if reply.finish_reason != "stop":
            tally[f"reply: {reply.finish_reason}"] += 1
        if self.remembers:
            answer = outside_reasoning(reply.text).strip() or "(no answer)"
            self.turns += [question, {"role": "assistant", "content": answer}]
            self._forget(was_refused=not reply.text and reply.finish_reason.startswith("error"))
        return reply.text

    def _forget(self, *, was_refused: bool) -> None:
        """Drops the oldest turns where a small model's context is full, or an endpoint refused the length."""
        if was_refused:
            del self.turns[: 2 * max(1, len(self.turns) // 4)]
        if self.client.kind == "endpoint":
            return
        while len(self.turns) > 2 and sum(len(turn["content"]) for turn in self.turns) > FEW_LETTERS:
            del self.turns[:2]


class Navigator(Protocol):
    """Sees results and writes a strategy."""

    def strategy(self, history: Sequence[Evaluation], last: Sequence[Evaluation], tally: Tally) -> str:
        """Returns the strategy after all of `history`, whose newest results are `last`."""


class Generator(Protocol):
    """Proposes architectures that follow a strategy."""

    def propose(
        self, strategy: str, history: Sequence[Evaluation], count: int, tally: Tally
    ) -> list[Architecture]:
        """Returns canonical architectures, perhaps illegal or visited; counts what was lost."""


class ChattingNavigator:
    """A language model that finds patterns in the results, as in the paper."""

    def __init__(self, briefing: Briefing, client: Client) -> None:
        self.briefing = briefing
        self.has_spoken = False
        self.last_strategy = ""
        remembers = briefing.options["navigator_memory"]
        self.conversation = briefing.conversation(client, "navigator", remembers=remembers)

    def strategy(self, history: Sequence[Evaluation], last: Sequence[Evaluation], tally: Tally) -> str:
        briefing = self.briefing
        text = briefing.text("navigator_first")
        if history or self.has_spoken:
            results, best = briefing.results(last), briefing.best(history)
            text = briefing.text("navigator_next", results=results, best=best)
        self.has_spoken = True
        strategy = outside_reasoning(self.conversation.say(text, tally)).strip()
        tally["empty strategy"] += not strategy
        self.last_strategy = strategy or self.last_strategy
        return self.last_strategy


class DigestNavigator:
    """No model: per choice, its options by mean score."""

    def __init__(self, briefing: Briefing, *, in_letters: bool) -> None:
        self.briefing = briefing
        self.in_letters = in_letters

    def strategy(self, history: Sequence[Evaluation], last: Sequence[Evaluation], tally: Tally) -> str:
        if not self.briefing.has_scores:
            return ""
        return digest(self.briefing.space, history, in_letters=self.in_letters)


class NoNavigator:
    """Nobody writes a strategy: one model plays both roles, or examples must do."""

    def strategy(self, history: Sequence[Evaluation], last: Sequence[Evaluation], tally: Tally) -> str:
        return ""


class ChattingGenerator:
    """A language model that writes architectures as JSON, as in the paper."""

    def __init__(self, briefing: Briefing, client: Client) -> None:
        self.briefing = briefing
        remembers = briefing.options["generator_memory"]
        self.conversation = briefing.conversation(client, "generator", remembers=remembers)

    def propose(
        self, strategy: str, history: Sequence[Evaluation], count: int, tally: Tally
    ) -> list[Architecture]:
        text = self.briefing.text("generator_user", strategy=strategy, count=count)
        schema = object_schema(
            {"architectures": {"type": "array", "items": self.briefing.space.json_schema()}}
        )
        return read(self.conversation.say(text, tally, schema), self.briefing.space, tally)


class SingleModel:
    """SiLLM: one model that reflects on the results and proposes in the same reply."""

    def __init__(self, briefing: Briefing, client: Client) -> None:
        self.briefing = briefing
        self.seen = 0
        remembers = briefing.options["navigator_memory"]
        self.conversation = briefing.conversation(client, "single", remembers=remembers)

    def propose(
        self, strategy: str, history: Sequence[Evaluation], count: int, tally: Tally
    ) -> list[Architecture]:
        briefing = self.briefing
        results = briefing.results(history[self.seen :]) if history else "none yet"
        self.seen = len(history)
        text = briefing.text("single_user", results=results, best=briefing.best(history), count=count)
        return read(self.conversation.say(text, tally), briefing.space, tally)


class LetterGenerator:
    """A small model that decodes choice by choice and so writes nothing illegal."""

    def __init__(
        self, briefing: Briefing, client: Client, visited: Container[Architecture], seed: int
    ) -> None:
        self.briefing = briefing
        self.client = client
        self.visited = visited
        self.seed = seed
        self.round = 0
        self.pool: list[Architecture] | None = None

    def propose(
        self, strategy: str, history: Sequence[Evaluation], count: int, tally: Tally
    ) -> list[Architecture]:
        self.round += 1
        examples = self.briefing.options["examples"] if self.briefing.has_scores else 0
        draw = random.Random(seeds.stream(self.seed, "round", self.round))
        order = list(range(len(self.briefing.space.choices)))
        draw.shuffle(order)
        prompt = decoding_prompt(self.briefing.space, strategy, history, examples=examples, order=order)
        request = {"model": self.client.name, "round": self.round, "prompt": prompt, "count": count}
        reply = self.client.transcript.answer(request, lambda: self._decode(prompt, count, draw, order))
        found = [tuple(genes) for genes in reply["architectures"]]
        tally["calls"] += reply["letters"]
        tally["fallback"] += reply["fallbacks"]
        tally.update(Usage(*reply["usage"])._asdict())
        tally["proposed"] += len(found)
        tally["parsed"] += len(found)
        tally["exhausted"] += not found
        return found

    def _decode(self, prompt: str, count: int, draw: random.Random, order: Sequence[int]) -> dict[str, Any]:
        if self.pool is None:
            self.pool = pool_of(self.briefing.space, seeds.stream(self.seed, "pool"))
        decoder = ChoiceDecoder(
            client=self.client,
            space=self.briefing.space,
            pool=self.pool,
            visited=self.visited,
            draw=draw,
            temperature=self.briefing.options["embedded_temperature"],
            order=order,
        )
        return decoder.decode(prompt, count)


def read(text: str, space: SearchSpace, tally: Tally) -> list[Architecture]:
    """Returns the architectures of a reply, and counts what it proposed and lost."""
    proposals = read_proposals(text, space)
    tally["proposed"] += proposals.proposed
    tally["parsed"] += len(proposals.architectures)
    tally.update({f"dropped: {reason}": number for reason, number in proposals.dropped.items()})
    return proposals.architectures


def digest(space: SearchSpace, history: Sequence[Evaluation], *, in_letters: bool = False) -> str:
    """Returns, per choice, its options by mean score, best first, as one line each."""
    lines = []
    for index, choice in enumerate(space.choices):
        sums: dict[int, list[float]] = {}
        for one in history:
            if one.score is not None and space.active(one.architecture)[index]:
                sums.setdefault(one.architecture[index], []).append(one.score)
        means = {gene: sum(scores) / len(scores) for gene, scores in sums.items()}
        ranked = sorted(means, key=lambda gene: (-means[gene], gene))
        if len(ranked) > 1:
            names = " ".join(letter(gene) if in_letters else str(choice.options[gene]) for gene in ranked)
            lines.append(f"{choice.name} best first: {names}")
    return "\n".join(lines)
