"""Units that several studies plan: domains, endpoints, supernets and zero-cost proxies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import catalog
from harness.identity.schema import Schema
from harness.identity.unit import Read, Spec, UnitKind
from harness.study.settings import LanguageModelSettings, RecipeSettings
from harness.task.task import Task


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Spec):
    """Parameters of a unit that trains, or reads what others trained.

    Attributes:
        steps: optimizer steps; None where nothing is trained.
        batch_size: images or byte windows per step.
        accumulate: parts that a batch is run in.
        compile: whether networks run through torch.compile.
        recipe: what is not by default.
    """

    steps: int | None = None
    batch_size: int | None = None
    accumulate: int | None = None
    compile: bool | None = None
    recipe: RecipeSettings = field(default_factory=RecipeSettings)


@dataclass(frozen=True, kw_only=True)
class EndpointSpec(Spec):
    """The language model that all searches of a suite ask at an endpoint."""

    llm: LanguageModelSettings

    @property
    def words(self) -> list[str]:
        return [self.llm.model, self.llm.base_url]

    @property
    def of(self) -> str:
        return self.llm.base_url


@dataclass(frozen=True, kw_only=True)
class Dialect(Schema):
    """Settings of a request that an endpoint refuses, as `harness.llm.dialect` calls them."""

    refused: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SearchingSpec(Spec):
    """Parameters of a unit that searches.

    Attributes:
        searcher: catalog name.
        options: of the searcher, all of them.
        evaluations: new, legal architectures.
        mac_limit: multiply-accumulates that the incumbent may have; 0 for any.
        target: score at which a search stops; 0 for none.
        llm: the language model; None where none is asked.
    """

    searcher: str
    options: Mapping[str, Any]
    evaluations: int
    mac_limit: int
    target: float
    llm: LanguageModelSettings | None = None

    def reads(self) -> Iterator[Read]:
        yield from super().reads()
        yield Read("searcher", self.searcher.partition(":")[0])
        entry = catalog.load("searcher", self.searcher)
        yield Read("prompts", self.searcher, tuple(entry.reads(self.options)))
        if self.llm is not None and self.llm.model_file:
            yield Read("model_file", self.searcher, (Path(self.llm.model_file).expanduser(),))


def task_reads(name: str, *metrics: str) -> Iterator[Read]:
    """Yields what units see of a task, how its inputs are kept and read, and the metrics of its scores."""
    task: Task = catalog.load("task", name)
    yield Read("task", name)
    yield Read("modality", task.signature.kind)
    yield from (Read("metric", metric) for metric in metrics)


def scored_reads(name: str) -> Iterator[Read]:
    """Yields the same of a task that a unit scores networks on."""
    task: Task = catalog.load("task", name)
    yield from task_reads(name, task.metric)


def space_reads(*spaces: str | None) -> Iterator[Read]:
    """Yields the spaces that `SPACE:PRESET` name."""
    for name in sorted({space.partition(":")[0] for space in spaces if space}):
        yield Read("space", name)


def table_reads(name: str) -> Iterator[Read]:
    """Yields a table, and the spaces that its card names."""
    yield Read("table", name)
    card = catalog.load("table", name)
    every = [card, *card.get("domains", {}).values()]
    yield from space_reads(*(one["space"] for one in every if one.get("space")))


@dataclass(frozen=True, kw_only=True)
class SizedSpec(Spec):
    """Parameters of a unit whose networks are of a space, or as large as those of one.

    Attributes:
        space: `SPACE:PRESET`; None where none is searched.
        tuned_space: `SPACE:PRESET` whose default architecture gives the parameters; None for the space's own.
        parameter_tolerance: largest distance from these parameters, a share; 0 or None for any size.
        context: bytes of a window that the networks read; 0 for those of the task.
    """

    space: str | None
    tuned_space: str | None = None
    parameter_tolerance: float | None = None
    context: int = 0

    def reads(self) -> Iterator[Read]:
        yield from super().reads()
        yield from space_reads(self.space, self.tuned_space)


@dataclass(frozen=True, kw_only=True)
class SourcesSpec(SizedSpec):
    """Parameters of a unit whose networks read domains of a task that train, and validate, its networks."""

    task: str
    sources: tuple[str, ...]

    @property
    def seen(self) -> Task:
        """The task as the networks see it, in windows of `context`."""
        task: Task = catalog.load("task", self.task)
        return task.in_windows(self.context)

    def reads(self) -> Iterator[Read]:
        yield from task_reads(self.task)
        yield from super().reads()


@dataclass(frozen=True, kw_only=True)
class ValidatedSpec(SourcesSpec):
    """Parameters of a unit that scores so many samples of each source's validation split.

    `document_bytes` of a document are scored, the leading ones.
    """

    validation_samples: int
    document_bytes: int

    def reads(self) -> Iterator[Read]:
        yield from scored_reads(self.task)
        yield from super().reads()


@dataclass(frozen=True, kw_only=True)
class TrainedSpec(ValidatedSpec, TrainingSpec):
    """Parameters of a unit that trains networks alone and scores them on source validation."""


@dataclass(frozen=True, kw_only=True)
class PrepareSpec(Spec):
    """One domain.

    Attributes:
        task: catalog name.
        domain: of the task.
        archives: sha256 of each package that it is read from.
        version: of a user's own files; empty for packages.
    """

    task: str
    domain: str
    archives: tuple[str, ...]
    version: str = ""

    def reads(self) -> Iterator[Read]:
        yield Read("reader", self.task)
        task: Task = catalog.load("task", self.task)
        yield Read("modality", task.signature.kind)

    @property
    def data(self) -> str:
        return f"data of {self.of}"


@dataclass(frozen=True, kw_only=True)
class Preparation(Schema):
    """The sha256 of a domain's arrays, and split -> samples, and split -> groups."""

    sha256: str
    counts: Mapping[str, int]
    groups: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class SupernetSpec(SourcesSpec, TrainingSpec):
    """A network whose weights the architectures of a space share.

    Attributes:
        space: see `SizedSpec`.
        seed: of its weights, batches and paths.
        strategy: which architectures a step trains; None where a released checkpoint is read.
        learning_rate: peak.
        checkpoint: file of weights that its authors released; empty where it is trained.
        checkpoint_sha256: of that file.
    """

    space: str
    seed: int
    strategy: str | None = None
    learning_rate: float | None = None
    checkpoint: str = ""
    checkpoint_sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Released(Schema):
    """A released checkpoint: its format and sha256."""

    format: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Supernet(Schema):
    """What a supernet's unit gave.

    Attributes:
        parameters: of the whole network.
        space_size: architectures of the space.
        window: least and largest parameters that architectures may have; empty for any.
        steps: that it was trained here.
        compute: multiply-accumulates of its training; None where it was read.
        checkpoint: what was read in place of training.
    """

    parameters: int
    space_size: int
    window: tuple[int, ...]
    steps: int
    compute: int | None
    checkpoint: Released | None = None


@dataclass(frozen=True, kw_only=True)
class ProxiesSpec(SizedSpec):
    """A zero-cost proxy of a pool of architectures.

    Attributes:
        proxy: its name.
        space: see `SizedSpec`.
        pool: architectures, drawn where the space has more.
        seed: of the draw and of the weights.
        task: whose inputs the networks read; empty for those of the space's own.
    """

    proxy: str
    space: str
    pool: int
    seed: int
    task: str = ""

    def reads(self) -> Iterator[Read]:
        yield from task_reads(self.task) if self.task else ()
        yield from super().reads()


@dataclass(frozen=True, kw_only=True)
class Proxies(Schema):
    """How many architectures have a proxy, and how many of them a finite one."""

    candidates: int
    finite: int


@dataclass(frozen=True, kw_only=True)
class DrawnSpec(TrainedSpec):
    """Scores of drawn architectures, the same for every unit; `seed` is that of weights and batches."""

    architectures: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class InheritedSpec(DrawnSpec):
    """Every drawn architecture as a slice of one supernet, which a strategy of weight sharing trained."""

    strategy: str


@dataclass(frozen=True, kw_only=True)
class Inherited(Schema):
    """Scores of slices, higher being better, with sizes; all of shape (architectures,)."""

    scores: tuple[float, ...]
    parameters: tuple[int, ...]
    macs: tuple[int, ...]
    architectures: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class ScratchSpec(DrawnSpec):
    """One drawn architecture, by its index, trained alone at each learning rate."""

    index: int
    learning_rates: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Scratch(Schema):
    """What training alone gave at its best rate; a score on source validation, higher being better."""

    architecture: Mapping[str, Any]
    score: float
    learning_rate: float
    parameters: int


PREPARE = UnitKind(
    name="prepare",
    spec=PrepareSpec,
    result=Preparation,
    work="harness.study.work.prepare:prepare",
    intact="harness.study.work.prepare:is_prepared",
    seconds=8.0,
)
ENDPOINT = UnitKind(
    name="endpoint",
    spec=EndpointSpec,
    result=Dialect,
    work="harness.study.work.endpoint:endpoint",
    seconds=10.0,
)
SUPERNET = UnitKind(
    name="supernet",
    spec=SupernetSpec,
    result=Supernet,
    work="harness.study.work.supernet:supernet",
    cost="harness.study.cost:supernet",
    seconds=20.0,
    trains=True,
    is_shared=True,
)
PROXIES = UnitKind(
    name="proxies",
    spec=ProxiesSpec,
    result=Proxies,
    work="harness.study.work.proxies:proxies",
    seconds=60.0,
)
INHERITED = UnitKind(
    name="inherited",
    spec=InheritedSpec,
    result=Inherited,
    work="harness.study.work.ranked:inherited",
    cost="harness.study.cost:inherited",
    seconds=20.0,
    is_shared=True,
)
SCRATCH = UnitKind(
    name="scratch",
    spec=ScratchSpec,
    result=Scratch,
    work="harness.study.work.ranked:scratch",
    cost="harness.study.cost:scratch",
    seconds=10.0,
    trains=True,
    is_shared=True,
)
