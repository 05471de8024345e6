"""Normalisation of numbers whose scale is not known beforehand."""

import torch
from torch import Tensor, nn

CLIP = 10.0
"""Normalised values are cut off here, so that one wild value cannot swamp a token."""


class RunningNorm(nn.Module):
    """Standardises vectors by running statistics, which move only when `observe` is called.

    Before the first `observe` it passes values through (cut off at 10).
    """

    mean: Tensor
    spread: Tensor
    count: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.register_buffer("count", torch.zeros(()))

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Take the values `x` [..., size] into the statistics (Chan et al. 1979, parallel
        variance).
        """
        rows = x.reshape(-1, x.shape[-1]).float()
        batch_mean = rows.mean(0)
        total = self.count + len(rows)
        difference = batch_mean - self.mean
        share = len(rows) / total
        variance = (
            self.spread.square() * (1 - share) * (self.count > 0)
            + rows.var(0, correction=0) * share
            + difference.square() * share * (1 - share) * (self.count > 0)
        )
        self.mean += difference * share
        self.spread.copy_(variance.sqrt().clamp_min(1e-4))
        self.count.copy_(total)

    def forward(self, x: Tensor) -> Tensor:
        """[..., size] -> [..., size], within ±10."""
        return ((x - self.mean) / self.spread).clamp(-CLIP, CLIP)
