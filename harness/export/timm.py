"""Our networks of images in timm: importing this lets `timm.create_model("local-dir:FOLDER")` make them.

FOLDER is what `harness export --format timm` wrote. `pretrained=True` loads its weights, and refuses them
where they are not what was written.
"""

from pathlib import Path
from typing import Any, Final

from timm.models import register_model
from torch import nn

from harness.errors import HarnessError
from harness.export.folder import facts_in, load

PASSED: Final = ("cache_dir", "pretrained_model_args")
"""What timm hands to every network, and no network of ours reads."""


@register_model
def harness_network(
    pretrained: bool = False, pretrained_cfg: Any = None, pretrained_cfg_overlay: Any = None, **options: Any
) -> nn.Module:
    """Returns the network of the folder that timm was given, in training mode, as timm's own are.

    Raises:
        HarnessError: it was asked for without a folder, or with options that would make another network.
    """
    told = dict(pretrained_cfg) if isinstance(pretrained_cfg, dict) else {}
    if "file" not in told:
        raise HarnessError(
            "A network of the harness lies in a folder; write create_model('local-dir:FOLDER')."
        )
    folder = Path(told["file"])
    facts = facts_in(folder)
    signature = facts.blueprint.signature
    own = {"num_classes": signature.classes, "in_chans": signature.channels}
    wanted = {name: value for name, value in options.items() if name not in PASSED and value is not None}
    if changed := sorted(name for name, value in wanted.items() if own.get(name) != value):
        raise HarnessError(f"The network of {folder} is as it was found; leave out {', '.join(changed)}.")
    module: Any = load(folder) if pretrained else facts.blueprint.build()
    module.num_classes = signature.classes
    module.pretrained_cfg = module.default_cfg = told
    made: nn.Module = module.train()
    return made
