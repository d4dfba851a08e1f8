"""The GPT decoder of HW-GPT-Bench: elastic width, depth, heads, MLP ratios and biases.

Source: Sukthanker et al. 2024 (arXiv 2405.10299), on pythia-like models: parallel residual, two LayerNorms a
block, rotary positions on half of each head, no learned positions. The query, key and value width of a layer
is its heads times the head width, whatever the embedding. The literature counts embedding and head once
(tied) or twice; ours are untied by default, as the published models. `bias` is a choice of the space: biases
of the linear layers inside the blocks; LayerNorms always have theirs, the head never has one.

MACs are those of one full context: linear layers, both attention products over the whole square (masked or
not), and the head; the embedding, norms, biases, rotations and softmax are not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from harness import Architecture, Choice, HarnessError, SearchSpace, Signature, SpaceFamily, canonical_json

if TYPE_CHECKING:
    from torch import nn

    from harness.nn.networks.gpt import Frame, Shape

KEYS = ("bias", "embed_dim", "mlp_ratio", "num_heads", "num_layers")
BIASES = (True, False)
PUBLISHED = Signature(kind="bytes", classes=50_254, context=1024)


@dataclass(frozen=True, kw_only=True)
class Size:
    """The options of a preset.

    Attributes:
        widths: channels of a token.
        depths: layers, ascending.
        ratios: MLP width over token width.
        heads: attention heads of a layer.
        default: width, depth, ratio and heads of the plain decoder.
        head_width: channels of one head.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    ratios: tuple[int, ...]
    heads: tuple[int, ...]
    default: tuple[int, int, int, int]
    head_width: int = 64


def _published(widths: tuple[int, ...], depths: tuple[int, ...], heads: tuple[int, ...]) -> Size:
    largest = (widths[-1], depths[-1], 4, heads[-1])
    return Size(widths=widths, depths=depths, ratios=(2, 3, 4), heads=heads, default=largest)


SIZES = {
    "gpt-s": _published((192, 384, 768), (10, 11, 12), (4, 8, 12)),
    "gpt-m": _published((256, 512, 1024), (22, 23, 24), (8, 12, 16)),
    "gpt-l": _published((320, 640, 1280), (34, 35, 36), (8, 16, 20)),
    "micro": Size(
        widths=(32, 48, 64),
        depths=(2, 3, 4),
        ratios=(1, 2, 3, 4),
        heads=(2, 3, 4),
        default=(48, 3, 3, 3),
        head_width=16,
    ),
}


class DecoderSpace(SearchSpace):
    """Genes in order: embedding, layers, bias, an MLP ratio per layer, the heads of each layer.

    The default of a published preset is its largest decoder, whose shape is that of GPT-2 small, medium or
    large; that of `micro` has heads that together are as wide as the embedding.
    """

    def __init__(
        self,
        preset: str,
        signature: Signature,
        window: tuple[int, int] | None,
        *,
        tied: bool = False,
    ) -> None:
        """Binds a preset; `tied` makes the embedding's weight the head's too (default: untied)."""
        self.name = f"decoder:{preset}"
        self.signature = signature
        self.window = window
        is_text = signature.kind == "text"
        self.vocabulary = 256 if is_text else signature.classes
        self.tied = tied and not is_text
        size = self.dimensions = SIZES[preset]
        self.deepest = size.depths[-1]
        self.choices = (
            Choice(name="embed_dim", options=size.widths, meaning="channels of every token"),
            Choice(name="num_layers", options=size.depths, meaning="number of layers"),
            Choice(name="bias", options=BIASES, meaning="biases in the linear layers of the blocks"),
            *(
                Choice(name=f"mlp_ratio[{layer}]", options=size.ratios, meaning=f"MLP ratio of layer {layer}")
                for layer in range(self.deepest)
            ),
            *(
                Choice(name=f"num_heads[{layer}]", options=size.heads, meaning=f"heads of layer {layer}")
                for layer in range(self.deepest)
            ),
        )

    def default(self) -> Architecture:
        width, depth, ratio, heads = self.dimensions.default
        return self._genes({"embed_dim": width, "bias": True}, [ratio] * depth, [heads] * depth)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        depth = self.dimensions.depths[architecture[1]]
        layers = tuple(layer < depth for layer in range(self.deepest))
        return (True, True, True, *layers, *layers)

    def size(self) -> int:
        options = len(self.dimensions.ratios) * len(self.dimensions.heads)
        layers = sum(int(options**depth) for depth in self.dimensions.depths)
        return len(self.dimensions.widths) * len(BIASES) * layers

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        width, bias, ratios, heads = self._layers(architecture)
        return {
            "bias": bias,
            "embed_dim": width,
            "mlp_ratio": ratios,
            "num_heads": heads,
            "num_layers": len(heads),
        }

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        """Returns the architecture of a JSON form; items beyond `num_layers` are ignored, as published.

        Raises:
            HarnessError: a key, length or option does not belong to the space.
        """
        self._check_keys(value)
        depth, ratios, heads = value["num_layers"], value["mlp_ratio"], value["num_heads"]
        if isinstance(depth, bool) or depth not in self.dimensions.depths:
            self._reject(f"has num_layers {depth!r}", f"one of {list(self.dimensions.depths)}")
        if not (isinstance(ratios, list) and isinstance(heads, list)):
            self._reject("has an mlp_ratio or num_heads that is no list", "lists with one item per layer")
        if not all(depth <= len(items) <= self.deepest for items in (ratios, heads)):
            self._reject(
                f"lists {len(ratios)} MLP ratios and {len(heads)} numbers of heads for {depth} layers",
                f"one of each per layer (up to {self.deepest}; those beyond num_layers are ignored)",
            )
        return self._genes(value, ratios[: int(depth)], heads[: int(depth)])

    def json_schema(self) -> dict[str, Any]:
        size = self.dimensions

        def listed(options: tuple[Any, ...]) -> dict[str, Any]:
            items = {"enum": list(options)}
            return {"type": "array", "items": items, "minItems": size.depths[0], "maxItems": self.deepest}

        return {
            "type": "object",
            "properties": {
                "bias": {"type": "boolean"},
                "embed_dim": {"enum": list(size.widths)},
                "mlp_ratio": listed(size.ratios),
                "num_heads": listed(size.heads),
                "num_layers": {"enum": list(size.depths)},
            },
            "required": list(KEYS),
            "additionalProperties": False,
        }

    def parameters(self, architecture: Architecture) -> int:
        width, bias, ratios, heads = self._layers(architecture)
        rows = self.vocabulary + (0 if self.tied else self.signature.classes)
        total = rows * width + 2 * width
        for ratio, count in zip(ratios, heads, strict=True):
            inner, hidden = count * self.dimensions.head_width, width * ratio
            total += 4 * width + 4 * width * inner + 2 * width * hidden
            if bias:
                total += 3 * inner + 2 * width + hidden
        return total

    def macs(self, architecture: Architecture) -> int:
        width, _, ratios, heads = self._layers(architecture)
        context = self.signature.context
        total = context * width * self.signature.classes
        for ratio, count in zip(ratios, heads, strict=True):
            inner, hidden = count * self.dimensions.head_width, width * ratio
            total += context * (4 * width * inner + 2 * width * hidden) + 2 * context**2 * inner
        return total

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.gpt import GptDecoder

        return GptDecoder(self._frame(), self.route(architecture))

    def supernet(self) -> "nn.Module":
        from harness.nn.networks.gpt import GptDecoder, Shape

        size = self.dimensions
        hidden = size.widths[-1] * size.ratios[-1]
        shape = Shape(
            width=size.widths[-1],
            heads=(size.heads[-1],) * self.deepest,
            hidden=(hidden,) * self.deepest,
            bias=True,
        )
        return GptDecoder(self._frame(), shape)

    def route(self, architecture: Architecture) -> "Shape":
        from harness.nn.networks.gpt import Shape

        width, bias, ratios, heads = self._layers(architecture)
        hidden = tuple(width * ratio for ratio in ratios)
        return Shape(width=width, heads=tuple(heads), hidden=hidden, bias=bias)

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.gpt import GptDecoder, slice_of

        if not isinstance(supernet, GptDecoder):
            raise TypeError(f"{type(supernet).__name__} is not a supernet of {self.name}")
        return slice_of(supernet, self.route(architecture))

    def card(self) -> str:
        size, signature = self.dimensions, self.signature
        head = "shares the embedding's weight" if self.tied else "has its own weight"
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        example = canonical_json(self.to_json(self.default()))
        return (
            f"A causal decoder over {signature.classes} different tokens and a context of "
            f"{signature.context}. In each layer attention and MLP stand side by side and are added to the "
            f"input; positions rotate half of each head. The head {head}.\n"
            f"embed_dim (channels of every token): {list(size.widths)}\n"
            f"num_layers (layers): {list(size.depths)}\n"
            f"mlp_ratio (one per layer; MLP channels over embed_dim): {list(size.ratios)}\n"
            f"num_heads (one per layer; each head has {size.head_width} channels for queries, keys and "
            f"values, whatever embed_dim is): {list(size.heads)}\n"
            "bias (biases in the linear layers of the blocks): true or false\n"
            "Only the first num_layers items of mlp_ratio and num_heads have an effect; give no others.\n"
            f"MACs are multiply-accumulates of one context of {signature.context} tokens.\n"
            f"{window}JSON form, by the example of the default: {example}"
        )

    def _frame(self) -> "Frame":
        from harness.nn.networks.gpt import Frame

        return Frame(
            vocabulary=self.vocabulary,
            head_width=self.dimensions.head_width,
            tied=self.tied,
            classes=self.signature.classes if self.signature.kind == "text" else None,
        )

    def _layers(self, architecture: Architecture) -> tuple[int, bool, list[int], list[int]]:
        size = self.dimensions
        depth = size.depths[architecture[1]]
        ratios = [size.ratios[gene] for gene in architecture[3 : 3 + depth]]
        start = 3 + self.deepest
        heads = [size.heads[gene] for gene in architecture[start : start + depth]]
        return size.widths[architecture[0]], BIASES[architecture[2]], ratios, heads

    def _genes(self, value: Mapping[str, Any], ratios: list[int], heads: list[int]) -> Architecture:
        def index(options: tuple[Any, ...], value: Any, what: str) -> int:
            if isinstance(value, bool) or value not in options:
                self._reject(f"has {what} {value!r}", f"one of {list(options)}")
            position: int = options.index(value)
            return position

        size = self.dimensions
        if not isinstance(value["bias"], bool):
            self._reject(f"has bias {value['bias']!r}", "true or false")
        idle = [0] * (self.deepest - len(heads))
        genes = [index(size.widths, value["embed_dim"], "embed_dim")]
        genes += [index(size.depths, len(heads), "num_layers"), BIASES.index(value["bias"])]
        genes += [index(size.ratios, ratio, "mlp_ratio") for ratio in ratios] + idle
        genes += [index(size.heads, count, "num_heads") for count in heads] + idle
        return tuple(genes)

    def _check_keys(self, value: Mapping[str, Any]) -> None:
        for key in value:
            if key not in KEYS:
                near = get_close_matches(str(key), KEYS, n=1)
                self._reject(f"has the key {key!r}", near[0] if near else ", ".join(KEYS))
        missing = [key for key in KEYS if key not in value]
        if missing:
            self._reject(f"lacks {' and '.join(missing)}", ", ".join(KEYS))

    def _reject(self, has: str, wanted: str) -> NoReturn:
        raise HarnessError(f"An architecture of {self.name} {has}; give {wanted}.")


SPACE = SpaceFamily(
    summary="GPT decoders of elastic width, depth, heads, MLP ratios and biases (HW-GPT-Bench).",
    presets={
        preset: Signature(kind="bytes", classes=256) if preset == "micro" else PUBLISHED for preset in SIZES
    },
    bind=DecoderSpace,
    default_preset="micro",
    kinds=("bytes", "text"),
)
