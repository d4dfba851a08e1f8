"""CoLLM-NAS: a Navigator that keeps the conversation, a stateless Generator, and a Coordinator that is code.

Source: arXiv 2509.26037 v2, Algorithm 1. Ours, each an option: a batch is at most a fifth of the budget; the
search ends after `iterations` (0: a fifth of the budget, at least 25); with the embedded model, which cannot
write valid batches, the Generator decodes choice by choice, the Navigator is a digest of the scores, and the
first `warmup` architectures are random. The parameter limit is the space's window: what is over is illegal.
"""

import random
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Any, Protocol

from harness import seeds
from harness.llm import Client, Message, Usage
from harness.llm.choices import ChoiceDecoder, decoding_prompt
from harness.llm.proposals import read_proposals
from harness.records import canonical_json
from harness.search import Evaluation, SearchContext, SearcherEntry
from harness.space import Architecture, SearchSpace

PROMPTS = Path(__file__).parent / "prompts" / "collm_nas"
OPTIONS = {
    "temperature": 0.6,
    "batch": 10,
    "iterations": 0,
    "warmup": 10,
    "examples": 6,
    "embedded_temperature": 1.0,
}


class Team(Protocol):
    """A Navigator and a Generator: from the last results to the next proposals."""

    def propose(
        self, history: Sequence[Evaluation], last: Sequence[Evaluation], count: int, tally: Counter[str]
    ) -> list[Architecture]:
        """Returns canonical architectures, perhaps illegal or visited; counts into `tally`."""
        ...


class Coordinator:
    """Drops what is illegal or visited, spends the budget, and counts everything."""

    def __init__(self, context: SearchContext) -> None:
        client = context.client
        if client is None:
            raise ValueError("CoLLM-NAS needs a language model in its context.")
        options = dict(context.options)
        self.space = context.space
        self.client = client
        self.options = options
        self.batch = min(options["batch"], max(2, context.budget // 5))
        self.iterations = options["iterations"] or max(25, context.budget // 5)
        self.draw = random.Random(context.seed)
        self.warmup = min(options["warmup"], context.budget // 3) if client.kind == "embedded" else 0
        self.history: list[Evaluation] = []
        self.last: list[Evaluation] = []
        self.visited: set[Architecture] = set()
        self.rounds: list[Counter[str]] = []
        self.prompts = {path.stem: path.read_text() for path in sorted(PROMPTS.glob("*.txt"))}
        if client.kind == "embedded":
            self.team: Team = EmbeddedTeam(self, client, context.seed)
        else:
            self.team = ChattingTeam(self, client, context)

    def ask(self, count: int) -> list[Architecture]:
        """Returns the next batch; an iteration without one new legal architecture is spent all the same."""
        if len(self.visited) < self.warmup:
            return self._random(min(count, self.warmup - len(self.visited)))
        while len(self.rounds) < self.iterations:
            tally: Counter[str] = Counter()
            self.rounds.append(tally)
            wanted = min(self.batch, count) if self.client.kind == "embedded" else self.batch
            proposed = self.team.propose(self.history, self.last, wanted, tally)
            self.last = []
            batch = self._new(proposed, tally)
            size = min(wanted, count)
            tally["beyond budget or batch"] += len(batch[size:])
            tally["evaluated"] += len(batch[:size])
            if batch:
                self.visited.update(batch[:size])
                return batch[:size]
            if tally["exhausted"]:
                break
        return []

    def tell(self, evaluations: Sequence[Evaluation]) -> None:
        self.last = list(evaluations)
        self.history += evaluations

    def report(self) -> dict[str, Any]:
        total: Counter[str] = Counter()
        for tally in self.rounds:
            total.update(tally)
        tokens = ("prompt_tokens", "completion_tokens", "reasoning_tokens")
        return {
            "counters": {key: value for key, value in sorted(total.items()) if key not in (*tokens, "calls")},
            "iterations": [dict(sorted(tally.items())) for tally in self.rounds],
            "settings": {
                **self.options,
                "batch_used": self.batch,
                "iterations_used": self.iterations,
                "warmup_used": self.warmup,
            },
            "prompt_hash": sha256(canonical_json(self.prompts).encode()).hexdigest()[:16],
            "llm": {
                "model": self.client.name,
                "kind": self.client.kind,
                "calls": total["calls"],
                **{key: total[key] for key in tokens},
            },
        }

    def _random(self, count: int) -> list[Architecture]:
        batch: list[Architecture] = []
        for _ in range(2000):
            if len(batch) == count:
                break
            architecture = self.space.sample(self.draw)
            if architecture not in self.visited:
                self.visited.add(architecture)
                batch.append(architecture)
        return batch

    def _new(self, proposed: Sequence[Architecture], tally: Counter[str]) -> list[Architecture]:
        batch: dict[Architecture, None] = {}
        for architecture in proposed:
            if not self.space.legal(architecture):
                over = self.space.canonical(architecture) == architecture
                tally["over_limit" if over else "dropped: illegal"] += 1
                continue
            tally["legal"] += 1
            if architecture in self.visited or architecture in batch:
                tally["dropped: repeated"] += 1
            else:
                tally["new"] += 1
                batch[architecture] = None
        return list(batch)


class ChattingTeam:
    """Both roles through a chat endpoint, as in the paper."""

    def __init__(self, coordinator: Coordinator, client: Client, context: SearchContext) -> None:
        self.client = client
        self.space = context.space
        self.temperature = coordinator.options["temperature"]
        self.words = {
            "card": context.space.card(),
            "score_name": context.score_name,
            "budget": context.budget,
            "limit": context.space.window[1] if context.space.window else "any number of",
            "target": "the best so far",
        }
        self.prompts = coordinator.prompts
        self.conversation: list[Message] = [{"role": "system", "content": self._text("navigator_system")}]

    def propose(
        self, history: Sequence[Evaluation], last: Sequence[Evaluation], count: int, tally: Counter[str]
    ) -> list[Architecture]:
        strategy = self._navigate(history, last, tally)
        messages: list[Message] = [
            {"role": "system", "content": self._text("generator_system")},
            {"role": "user", "content": self._text("generator_user", strategy=strategy, count=count)},
        ]
        schema = {
            "type": "object",
            "properties": {"architectures": {"type": "array", "items": self.space.json_schema()}},
            "required": ["architectures"],
        }
        text = self._chat(messages, tally, schema)
        proposals = read_proposals(text, self.space)
        tally["proposed"] += proposals.proposed
        tally["parsed"] += len(proposals.architectures)
        tally.update({f"dropped: {reason}": number for reason, number in proposals.dropped.items()})
        return proposals.architectures

    def _navigate(
        self, history: Sequence[Evaluation], last: Sequence[Evaluation], tally: Counter[str]
    ) -> str:
        if history or len(self.conversation) > 1:
            scored = [one for one in history if one.score is not None]
            best = max(scored, key=lambda one: one.score or 0.0, default=None)
            results = "\n".join(self._line(one) for one in last) or "no new valid architecture"
            shown = self._line(best) if best else "none"
            text = self._text("navigator_next", results=results, best=shown)
        else:
            text = self._text("navigator_first")
        self.conversation.append({"role": "user", "content": text})
        strategy = self._chat(self.conversation, tally, None).rpartition("</think>")[2].strip()
        self.conversation.append({"role": "assistant", "content": strategy})
        return strategy

    def _line(self, one: Evaluation) -> str:
        score = "failed" if one.score is None else f"{one.score:.4f}"
        return f"{canonical_json(self.space.to_json(one.architecture))}, {one.parameters}, {score}"

    def _chat(self, messages: Sequence[Message], tally: Counter[str], schema: dict[str, Any] | None) -> str:
        reply = self.client.chat(messages, temperature=self.temperature, schema=schema)
        tally["calls"] += 1
        tally.update(reply.usage._asdict())
        if reply.finish_reason != "stop":
            tally[f"reply: {reply.finish_reason}"] += 1
        return reply.text

    def _text(self, name: str, **words: Any) -> str:
        return Template(self.prompts[name]).substitute({**self.words, **words})


class EmbeddedTeam:
    """A digest as the Navigator, and a small model that decodes choice by choice as the Generator."""

    def __init__(self, coordinator: Coordinator, client: Client, seed: int) -> None:
        self.client = client
        self.space = coordinator.space
        self.options = coordinator.options
        self.seed = seed
        self.round = 0
        self.visited = coordinator.visited
        self.decoder: ChoiceDecoder | None = None

    def propose(
        self, history: Sequence[Evaluation], last: Sequence[Evaluation], count: int, tally: Counter[str]
    ) -> list[Architecture]:
        self.round += 1
        prompt = decoding_prompt(
            self.space, digest(self.space, history), history, examples=self.options["examples"]
        )
        request = {"model": self.client.name, "round": self.round, "prompt": prompt, "count": count}
        reply = self.client.transcript.answer(request, lambda: self._decode(prompt, count))
        found = [tuple(genes) for genes in reply["architectures"]]
        tally["calls"] += reply["letters"]
        tally["fallback"] += reply["fallbacks"]
        tally.update(Usage(*reply["usage"])._asdict())
        tally["proposed"] += len(found)
        tally["parsed"] += len(found)
        tally["exhausted"] += not found
        return found

    def _decode(self, prompt: str, count: int) -> dict[str, Any]:
        if self.decoder is None:
            self.decoder = ChoiceDecoder(self.space, seeds.stream(self.seed, "pool"))
        decoded = self.decoder.decode(
            self.client,
            prompt,
            count=count,
            visited=self.visited,
            draw=random.Random(seeds.stream(self.seed, "round", self.round)),
            temperature=self.options["embedded_temperature"],
        )
        return {
            "architectures": decoded.architectures,
            "letters": decoded.letters,
            "fallbacks": decoded.fallbacks,
            "usage": list(decoded.usage),
        }


def digest(space: SearchSpace, history: Sequence[Evaluation]) -> str:
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
            lines.append(
                f"{choice.name}, best first: " + ", ".join(str(choice.options[gene]) for gene in ranked)
            )
    return "\n".join(lines)


SEARCHER = SearcherEntry(
    summary="CoLLM-NAS: Navigator and Generator language models with a Coordinator, arXiv 2509.26037.",
    build=Coordinator,
    options=OPTIONS,
    needs_llm=True,
)
