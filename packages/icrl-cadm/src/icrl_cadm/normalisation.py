"""Normalisation: numbers by the mean and the deviation of all that was collected so far."""

import torch
from torch import Tensor, nn

LEAST = 1e-8
"""What deviates less counts as constant, and is shifted only."""


class Normaliser(nn.Module):
    """Standardises numbers by statistics that `measure` sets anew from a whole data set."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))

    @torch.no_grad()
    def measure(self, x: Tensor) -> None:
        """Take the statistics of x [..., size]."""
        rows = x.reshape(-1, x.shape[-1])
        deviation = rows.std(0, correction=0)
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(torch.where(deviation > LEAST, deviation, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """[..., size] -> [..., size]."""
        return (x - self.mean) / self.deviation

    def inverse(self, x: Tensor) -> Tensor:
        """What `forward` made x of."""
        return x * self.deviation + self.mean
