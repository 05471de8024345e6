"""Dropout from a generator of one's own, cheap enough for whole attention maps on a CPU."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

LEVELS = 256


def quantised(probability: float) -> float:
    """The probability with which an element is really dropped: a multiple of 1/256 below 1."""
    return threshold(probability) / LEVELS


def threshold(probability: float) -> int:
    """The smallest random byte that keeps its element; one byte in 256 always does."""
    return min(round(probability * LEVELS), LEVELS - 1)


def dropped(
    shape: torch.Size | tuple[int, ...],
    probability: float,
    generator: torch.Generator,
    device: torch.device,
) -> Bool[Tensor, "..."]:
    """Which elements of a tensor of this shape to drop: each with `quantised(probability)`,
    independently.

    torch's `bernoulli_` draws a double for each element, one thread at a time; here one 64-bit draw
    serves eight elements, a byte each, which is what makes attention dropout affordable on a CPU.
    """
    size = torch.Size(shape).numel()
    words = torch.randint(-(2**63), 2**63 - 1, (-(-size // 8),), generator=generator, device=device)
    random_bytes = words.view(torch.uint8)[:size].view(shape)
    return random_bytes < threshold(probability)


def dropout(
    x: Float[Tensor, "*shape"], probability: float, generator: torch.Generator | None
) -> Float[Tensor, "*shape"]:
    """`x` with elements dropped and the rest scaled up, so that the expectation stays; `x` itself
    without a generator.

    The scale is that of the quantised probability, so the expectation is exact.
    """
    if generator is None or quantised(probability) == 0:
        return x
    mask = dropped(x.shape, probability, generator, x.device)
    return x.masked_fill(mask, 0) * (1 / (1 - quantised(probability)))
