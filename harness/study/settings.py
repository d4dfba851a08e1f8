"""How a suite says that the networks of one task are trained, and how many samples score them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from annotated_types import Ge, Gt, Le, Lt, MinLen

from harness.errors import HarnessError, UnknownNameError
from harness.guard.keys import wrong_address
from harness.identity.schema import Schema
from harness.task.signature import LONGEST_CONTEXT

if TYPE_CHECKING:
    from harness.run.loaded import Run

Count = Annotated[int, Ge(1)]
Amount = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Lt(1)]
Rate = Annotated[float, Gt(0)]
Seeds = Annotated[list[int], MinLen(2)]
StrategyName = Literal["single_path", "sandwich", "fair", "progressive_shrinking"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)
"""Names of `harness.learn.supernet.STRATEGIES`, which imports torch."""
ALONE = "alone"
"""What a strategy is called where there is no supernet: every candidate is trained alone."""
Optimizer = Literal["adamw", "sgd", "nesterov"]
Schedule = Literal["cosine", "linear"]
LM_EVAL = "lm_eval:"
"""What stands before the name of a task of lm-eval."""
Each = Literal["each", "each family"]
"""What is held out in turn."""
SEEN = "seen family"
"""The kind of shift of domains of a family that a source is of; no claim is made of them."""
CORRUPTED = "corrupted source"
"""The kind of shift of corruptions of sources; a claim is made of them where nothing else is held out."""
DOCUMENTS = 100
"""Documents that `test_bytes` are enough for, each cut at its share: a verdict takes 20 groups or more."""
STEPS_PER_SAMPLE = 5
"""Training steps that a limited run takes at most, for each sample that it has of a split."""
Augmentation = Literal["move", "crop", "colour", "randaugment", "erase", "mixup"]
"""Names of what `harness.learn.move`, which imports torch, does to images of a batch, in that order."""


@dataclass(frozen=True, kw_only=True)
class UnitLimit:
    """What a unit may take before it is ended and fails; 0 for what there is by default.

    Attributes:
        seconds: of time; by default a day, or a week where it trains.
        memory_gib: resident in its process and those that it starts; by default nine tenths of the machine's.
        cpus: that a cluster keeps for it; by default 1.
        gpus: the same, also a share of one; by default 1 on cuda.
    """

    seconds: Amount = 0.0
    memory_gib: Amount = 0.0
    cpus: Amount = 0.0
    gpus: Amount = 0.0


@dataclass(frozen=True, kw_only=True)
class Limits(UnitLimit):
    """What every unit of a suite may take, or units of some kinds; no part of what it computes.

    Attributes:
        kinds: kind of unit -> what it may take.
    """

    kinds: dict[str, UnitLimit] = field(default_factory=dict)

    def of(self, kind: str) -> UnitLimit:
        """Returns what a unit of `kind` may take."""
        own = self.kinds.get(kind, UnitLimit())
        return UnitLimit(**{name: getattr(own, name) or getattr(self, name) for name in vars(own)})


@dataclass(frozen=True, kw_only=True)
class RecipeSettings(Schema):
    """What of a recipe is not steps, batch size and learning rate; the defaults suit short trainings.

    Attributes:
        optimizer: adamw; sgd (momentum 0.9), or nesterov.
        schedule: of the rate after its warm-up: cosine or linear, to zero.
        warmup: share of the steps over which the rate rises from zero.
        weight_decay: of matrices and kernels; vectors have none.
        no_decay: parts of names of further weights that have none.
        clip: largest gradient norm; 0 for any.
        label_smoothing: share of the target that is spread over all classes.
        augmentation: move (shifted, scaled), crop (resized, flipped), colour (jitter), randaugment, erase,
            mixup (or cutmix).
    """

    optimizer: Optimizer = "adamw"
    schedule: Schedule = "cosine"
    warmup: Share = 0.05
    weight_decay: Amount = 0.05
    no_decay: tuple[str, ...] = ()
    clip: Amount = 1.0
    label_smoothing: Share = 0.0
    augmentation: tuple[Augmentation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SupernetSettings:
    """How a supernet is trained, or without one every candidate of a search.

    Attributes:
        steps: optimizer steps; 0 where nothing is searched.
        strategy: which architectures a step trains: single_path, sandwich, fair or progressive_shrinking; or
            alone, where no strategy ranks better than chance: there is no supernet, and each candidate is
            trained alone by what else stands here. There is no default, as ranks differ between spaces.
        batch_size: images or byte windows per step.
        learning_rate: peak.
        checkpoints: `SPACE:PRESET` -> a file of weights that its authors released (once-for-all for
            `mobilenet`, AutoFormer for `autoformer`), which is loaded in place of training.
    """

    steps: Annotated[int, Ge(0)] = 0
    strategy: StrategyName | Literal["", "alone"] = ""
    batch_size: Count = 32
    learning_rate: Rate = 3e-3
    checkpoints: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How finals are trained; the best of `learning_rates` on source validation is kept, for every row.

    Every row pays for a training at each; those of a tuned one are the first of its trials.

    Attributes:
        steps: optimizer steps.
        batch_size: images or byte windows per step.
        learning_rates: peaks, each of which is tried.
        accumulate: parts that a batch is run in, one after another, to save memory.
        compile: run networks through torch.compile.
    """

    steps: Count
    batch_size: Count = 32
    learning_rates: Annotated[list[Rate], MinLen(1)] = field(default_factory=lambda: [3e-3])
    accumulate: Count = 1
    compile: bool = False


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """One task of a suite.

    Attributes:
        name: catalog name.
        training: recipe of its finals.
        supernet: recipe of its supernets.
        recipe: what supernets and finals are trained with alike.
        sources: source domains; the task's own when empty.
        held_out: held-out domains; the task's own when empty. `each` holds out every domain in turn, and
            `each family` all domains of a family together; all others are the sources then.
        validation_samples: images or documents of each source's validation split that score a candidate.
        test_samples: images or documents of each domain that a final score reads at most.
        test_bytes: of documents whose bytes are predicted, those of each held-out domain that a final score
            reads at most, and a hundredth of them of one document.
        document_bytes: leading bytes of any other document that are scored.
        whole: score held-out domains without these caps; sources have theirs.
        context: bytes of the windows that networks read of bytes and texts; 0 for the task's own.
        regime: whether its reference is known to pass the floor in domain; `path only` bears no verdict.
    """

    name: str
    training: TrainingSettings
    supernet: SupernetSettings = field(default_factory=SupernetSettings)
    recipe: RecipeSettings = field(default_factory=RecipeSettings)
    sources: list[str] = field(default_factory=list)
    held_out: Each | list[str] = field(default_factory=list)
    validation_samples: Count = 300
    test_samples: Count = 1500
    test_bytes: Annotated[int, Ge(DOCUMENTS)] = 200_000
    document_bytes: Count = 512
    whole: bool = False
    context: Annotated[int, Ge(0), Le(LONGEST_CONTEXT)] = 0
    regime: Literal["not measured", "past the floor", "path only"] = "not measured"


@dataclass(frozen=True, kw_only=True)
class PlannedTask(TaskSettings):
    """A task as `plan.json` keeps it, with domains, metric, and chance (None where it is not known).

    `strata` gives each held-out domain's kind of shift; only scores on domains of one kind are averaged, and
    those whose family a source is of are a kind of their own, as are corruptions of sources. `folds` are the
    domains that are held out together, where each is in turn, `families` the families of held-out domains,
    and `left_out` the sealed domains that would be among the domains otherwise.
    """

    held_out: list[str]
    metric: str
    chance: float | None
    strata: dict[str, str] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)
    folds: list[list[str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def trained_on(self) -> None:
        """Its networks are its own."""
        return None


@dataclass(frozen=True, kw_only=True)
class ZeroShotSettings:
    """A board of its own for what a task's networks score, as they are, where nothing was trained for.

    Attributes:
        name: of the board, other than any task's.
        trained_on: the byte task of the suite whose rows are scored.
        held_out: `TASK/DOMAIN` of tasks that ask questions, and `lm_eval:NAME` of lm-eval's tasks.
        lm_eval_tasks: a folder of lm-eval's YAML tasks, seen from the suite's file; all of them where
            `held_out` names none.
        metric: of every domain; lm-eval's tasks of whole texts have bits per byte.
        test_samples: questions or texts of each domain that a final score reads; questions are of all splits.
        whole: score all of them.
    """

    name: str
    trained_on: str
    held_out: list[str] = field(default_factory=list)
    lm_eval_tasks: str = ""
    metric: str = "accuracy"
    test_samples: Count = 1500
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every suite says, whatever its study.

    Attributes:
        title: shown above the board.
        study: catalog name of the study.
        limits: what a unit may take.
        extends: another suite whose keys hold where this one is silent.
    """

    title: str
    study: str
    limits: Limits = field(default_factory=Limits)
    extends: str = ""

    @classmethod
    def of(cls, run: "Run") -> Self:
        """Returns the suite of a run of this study."""
        assert isinstance(run.suite, cls)
        return run.suite


@dataclass(frozen=True)
class Need:
    """Says in one sentence what is wrong with the suite in the file `path`."""

    path: Path

    def __call__(self, right: bool, what: str) -> None:
        if not right:
            raise HarnessError(f"{self.path}: {what}.")

    def once(self, names: Sequence[Any], what: str) -> None:
        """Says `what` where one of the names stands twice."""
        self(len(set(names)) == len(names), what)

    def among(self, what: str, role: str, name: str, known: Collection[str]) -> None:
        """Says what is near where the name, which the suite gives a role, is not among its own."""
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"these are {', '.join(sorted(known)) or 'none'}."
        if name not in known:
            raise HarnessError(f"{self.path}: {role} {name!r} is not among its {what}; {hint}")

    @staticmethod
    def known(kind: str, names: Iterable[str], known: Collection[str]) -> None:
        """Raises an UnknownNameError where one of the names is not known."""
        for name in names:
            if name not in known:
                raise UnknownNameError(kind, name, known)


def check_task(task: TaskSettings, need: Need, *, searches: bool = False) -> None:
    """Raises the first thing that is wrong with a task of a suite, which may search."""
    if isinstance(task.held_out, str):
        need.known("way to hold out domains", [task.held_out], get_args(Each))
        told = f"task {task.name!r} holds out {task.held_out} in turn, so that all others are its sources"
        need(not task.sources, f"{told}; leave out sources, or list held_out")
    both = sorted(set(task.sources) & set(task.held_out))
    need(not both, f"task {task.name!r} has {', '.join(both)} both as source and as held out")
    parts = task.training.accumulate
    need(parts <= task.training.batch_size, f"task {task.name!r} needs accumulate <= batch_size")
    if searches:
        need(task.supernet.steps >= 1, f"task {task.name!r} searches and needs supernet.steps >= 1")
        known = ", ".join((*STRATEGIES, ALONE))
        lacks = f"task {task.name!r} searches and lacks supernet.strategy, one of {known}"
        need(bool(task.supernet.strategy), lacks)


def check_limits(limits: Limits, kinds: Sequence[str], need: Need) -> None:
    """Raises an UnknownNameError where the limits name another kind of unit."""
    need.known("kind of unit", limits.kinds, kinds)


def check_zero_shot(board: ZeroShotSettings, tasks: Sequence[str], need: Need) -> None:
    """Raises the first thing that is wrong with a board of a suite that trains on `tasks`."""
    about = f"zero_shot {board.name!r}"
    need(board.trained_on in tasks, f"{about} has trained_on {board.trained_on!r}, which is no task of it")
    need(bool(board.held_out or board.lm_eval_tasks), f"{about} needs held_out or lm_eval_tasks")
    need.once(board.held_out, f"{about} has a domain twice")
    for domain in board.held_out:
        is_ours = domain.count("/") == 1 and all(domain.split("/"))
        right = is_ours or (domain.startswith(LM_EVAL) and domain != LM_EVAL)
        need(right, f"{about} has {domain!r} where TASK/DOMAIN or {LM_EVAL}NAME is needed")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A searcher under another name, with options of its own.

    Attributes:
        searcher: catalog name.
        options: that differ from those in `options` of the suite.
    """

    searcher: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SearcherSettings:
    """What a suite says of its searchers.

    Attributes:
        options: searcher name -> its options.
        variants: a name of the suite's own -> a searcher with other options.
        mac_limit: multiply-accumulates that the incumbent may have; what is over is evaluated and told all
            the same. 0 for any number.
        target: score at which a search stops, higher being better; 0 for none.
    """

    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    mac_limit: Annotated[int, Ge(0)] = 0
    target: float = 0.0

    def with_names(self, names: Mapping[str, str]) -> Self:
        """Returns the settings with searchers under other names."""
        more = {new: Variant(searcher=old) for old, new in names.items()}
        return replace(self, variants={**self.variants, **more})

    def resolve(self, name: str) -> Variant:
        """Returns the searcher that `name` means, with the options that the suite gives it."""
        variant = self.variants.get(name, Variant(searcher=name))
        return Variant(
            searcher=variant.searcher, options=self.options.get(variant.searcher, {}) | variant.options
        )


@dataclass(frozen=True, kw_only=True)
class LanguageModelSettings:
    """The language model; an empty `base_url` means the embedded one, or `model_file` in its place.

    Attributes:
        base_url: address of an endpoint, without a key.
        model: name of the model there.
        model_file: a GGUF file.
        timeout_seconds: that an answer may take.
        max_tokens: of an answer.
        price_per_million_prompt_tokens: in any currency; 0 where it is not known.
        price_per_million_completion_tokens: of answers.
    """

    base_url: str = ""
    model: str = ""
    model_file: str = ""
    timeout_seconds: Rate = 60.0
    max_tokens: Count = 4096
    price_per_million_prompt_tokens: Amount = 0.0
    price_per_million_completion_tokens: Amount = 0.0


@dataclass(frozen=True, kw_only=True)
class SearchingSettings(Settings):
    """A suite whose searchers may ask a language model.

    Attributes:
        llm: the language model.
    """

    llm: LanguageModelSettings = field(default_factory=LanguageModelSettings)


def check_language_model(llm: LanguageModelSettings, need: Need) -> None:
    """Raises what is wrong with the language model of a suite."""
    wrong = wrong_address(llm.base_url) if llm.base_url else ""
    need(not wrong, f"llm.base_url {wrong}")
