"""Fixed sine-cosine positions."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def sine_cosine(tokens: int, width: int, device: torch.device) -> Tensor:
    """Returns positions, float32, shape (tokens, width), values in [-1, 1].

    Source: Vaswani et al. 2017, section 3.5; base 100 rather than 10,000, as inputs here are short.
    """
    with torch.no_grad():
        rate = torch.arange(width // 2, device=device) / (width // 2)
        angle = torch.arange(tokens, device=device)[:, None] / (100.0**rate)[None, :]
        return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
