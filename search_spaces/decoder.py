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
from typing import Any

from harness import Architecture, Choice, ChoiceList, Networks, SearchSpace, Signature, SpaceFamily
from harness.nn.designs import GptFrame, TransformerShape, TransformerSize

PUBLISHED = Signature(kind="bytes", classes=50_254, context=1024)


def _published(widths: tuple[int, ...], depths: tuple[int, ...], heads: tuple[int, ...]) -> TransformerSize:
    largest = (widths[-1], depths[-1], 4, heads[-1])
    return TransformerSize(widths=widths, depths=depths, ratios=(2, 3, 4), heads=heads, default=largest)


SIZES = {
    "gpt-s": _published((192, 384, 768), (10, 11, 12), (4, 8, 12)),
    "gpt-m": _published((256, 512, 1024), (22, 23, 24), (8, 12, 16)),
    "gpt-l": _published((320, 640, 1280), (34, 35, 36), (8, 16, 20)),
    "micro": TransformerSize(
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
        self, preset: str, signature: Signature, window: tuple[int, int] | None, *, tied: bool = False
    ) -> None:
        """Binds a preset; `tied` makes the embedding's weight the head's too (default: untied)."""
        is_text = signature.kind == "text"
        size = self.dimensions = SIZES[preset]
        self.frame = GptFrame(
            vocabulary=256 if is_text else signature.classes,
            head_width=size.head_width,
            tied=tied and not is_text,
            classes=signature.classes if is_text else None,
        )
        biases, layers = "biases in the linear layers of the blocks", "num_layers"
        head = "shares the embedding's weight" if self.frame.tied else "has its own weight"
        super().__init__(
            f"decoder:{preset}",
            signature,
            window,
            parts=(
                Choice(name="embed_dim", options=size.widths, meaning="channels of every token"),
                Choice(name="num_layers", options=size.depths, meaning="number of layers"),
                Choice(name="bias", options=(True, False), meaning=biases),
                ChoiceList(
                    name="mlp_ratio", options=size.ratios, meaning="MLP ratio of layer {}", length=layers
                ),
                ChoiceList(name="num_heads", options=size.heads, meaning="heads of layer {}", length=layers),
            ),
            default={"bias": True}
            | dict(zip(("embed_dim", layers, "mlp_ratio", "num_heads"), size.default, strict=True)),
            about=f"A causal decoder over {signature.classes} different tokens and a context of "
            f"{signature.context} tokens; MACs are those of one context. In each layer attention and MLP "
            "stand side by side and are added to the input; positions rotate half of each head. The head "
            f"{head}. An MLP has mlp_ratio times embed_dim channels; each head has {size.head_width} "
            "channels for queries, keys and values, whatever embed_dim is.",
        )

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the architecture of a JSON form; items beyond `num_layers` are ignored, as published."""
        if isinstance(value, Mapping) and value.get("num_layers") in self.dimensions.depths:
            depth, deepest = int(value["num_layers"]), self.dimensions.depths[-1]
            value = {
                key: item[:depth] if isinstance(item, list) and len(item) <= deepest else item
                for key, item in value.items()
            }
        return super().from_json(value)

    def parameters(self, architecture: Architecture) -> int:
        (width, heads, hidden, bias), frame = self._shape(architecture), self.frame
        inner = sum(heads) * frame.head_width
        total = (frame.vocabulary + (0 if frame.tied else self.signature.classes) + 2) * width
        total += width * (4 * len(heads) + 4 * inner + 2 * sum(hidden))
        return total + (3 * inner + 2 * width * len(heads) + sum(hidden) if bias else 0)

    def macs(self, architecture: Architecture) -> int:
        width, heads, hidden, _ = self._shape(architecture)
        context, inner = self.signature.context, sum(heads) * self.frame.head_width
        total = width * self.signature.classes + width * (4 * inner + 2 * sum(hidden)) + 2 * context * inner
        return context * total

    def _shape(self, architecture: Architecture) -> TransformerShape:
        return self.dimensions.shape(self.to_json(architecture))

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.gpt import GptDecoder

        largest = self.dimensions.largest(self.dimensions.widths[-1])
        return Networks(
            name=self.name,
            route=self._shape,
            alone=lambda shape: GptDecoder(self.frame, shape),
            supernet=lambda: GptDecoder(self.frame, largest),
        )


SPACE = SpaceFamily(
    summary="GPT decoders of elastic width, depth, heads, MLP ratios and biases (HW-GPT-Bench).",
    presets={
        preset: Signature(kind="bytes", classes=256) if preset == "micro" else PUBLISHED for preset in SIZES
    },
    bind=DecoderSpace,
    default_preset="micro",
    kinds=("bytes", "text"),
)
