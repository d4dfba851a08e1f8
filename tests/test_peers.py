"""Two processes that train together and of which one is killed. Truth: the bytes of an undisturbed pair."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from test_train import free_port, place_of

PEER = """
    import os, random, signal, sys
    import torch
    from safetensors.torch import save_file
    from harness import catalog
    from harness.learn.checkpoint import Checkpoint
    from harness.learn.fit import Recipe, seeded
    from harness.learn.peers import data_parallel
    from harness.learn.supernet import train_supernet
    from harness.task.signature import Signature
    from pathlib import Path

    folder, rank, dies = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    signature = Signature(kind="image", classes=4, height=8, width=8)
    space = catalog.load("space", "hybrid").space("micro", signature)
    images, architectures = random.Random(1), random.Random(0)
    drawn = 0

    def data():
        global drawn
        while True:
            drawn += 1
            if drawn == dies:
                os.kill(os.getpid(), signal.SIGKILL)
            draw = torch.Generator().manual_seed(images.getrandbits(32))
            labels = torch.randint(0, 4, (8,), generator=draw)
            yield torch.randn(8, 1, 8, 8, generator=draw) + labels.view(-1, 1, 1, 1), labels

    with seeded(0):
        module = space.networks.supernet()
    recipe = Recipe(steps=8, batch_size=8, learning_rate=1e-3)
    streams = {"images": images, "architectures": architectures}
    kept = Checkpoint(path=folder / "kept", steps=2, streams=streams)
    with data_parallel("cpu"):
        train_supernet(module, space, "single_path", recipe, data(), architectures, kept)
    save_file(module.state_dict(), folder / f"{rank}.safetensors")
    (folder / f"drawn{rank}").write_text(str(drawn))
"""


def trained(folder: Path, dying: int | None = None, at: int = 0) -> list[int]:
    """Lets two processes train, of which one may die at a batch; returns how they ended."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", textwrap.dedent(PEER), str(folder)]
    port = free_port()
    both = [
        subprocess.Popen(
            [*command, str(rank), str(at if rank == dying else -1)],
            env=os.environ | place_of(rank, port),
            stderr=subprocess.DEVNULL,
        )
        for rank in range(2)
    ]
    if dying is not None:
        both[dying].wait(timeout=120)
        both[1 - dying].kill()  # as a launcher does
    return [process.wait(timeout=120) for process in both]


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("dying", [0, 1])
def test_a_pair_of_which_either_is_killed_goes_on_to_the_same_bytes(tmp_path: Path, dying: int) -> None:
    assert trained(tmp_path / "whole") == [0, 0]
    assert trained(tmp_path / "cut", dying, at=6)[dying] == -signal.SIGKILL
    assert (tmp_path / "cut" / "kept").exists()
    assert trained(tmp_path / "cut") == [0, 0]
    for rank in (0, 1):
        name = f"{rank}.safetensors"
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        assert int((tmp_path / "cut" / f"drawn{rank}").read_text()) < 8, "it went on from what was kept"
