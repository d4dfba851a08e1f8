"""Positions without parameters: sines and cosines for images, rotations for sequences."""

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=64)
def sine_cosine(tokens: int, width: int, device: torch.device) -> Tensor:
    """Returns positions, float32, shape (tokens, width), values in [-1, 1].

    Source: Vaswani et al. 2017, section 3.5; base 100 rather than 10,000, as inputs here are short.
    """
    with torch.inference_mode(False), torch.no_grad():  # a cached tensor must serve training too
        rate = torch.arange(width // 2, device=device) / (width // 2)
        angle = torch.arange(tokens, device=device)[:, None] / (100.0**rate)[None, :]
        return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def rotary(heads: Tensor) -> Tensor:
    """Returns queries or keys rotated by their position, (batch, heads, tokens, head width).

    Source: Su et al. 2021 (RoFormer, arXiv 2104.09864), section 3.4.2; base 1,000, as inputs here are short.
    """
    sine, cosine = _angles(heads.shape[2], heads.shape[3], heads.device)
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


@lru_cache(maxsize=64)
def _angles(tokens: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False), torch.no_grad():
        rate = torch.arange(width // 2, device=device) / (width // 2)
        angle = torch.arange(tokens, device=device)[:, None] * (1000.0**-rate)[None, :]
        return angle.sin(), angle.cos()
