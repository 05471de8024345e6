"""Linear layers of many members at once: each has weights of its own, one call serves them all."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MemberLinear(nn.Module):
    """A linear layer for each member."""

    def __init__(
        self, members: int, inputs: int, outputs: int, initialise: Callable[[Tensor], object]
    ) -> None:
        """Biases are zero.

        Args:
            members: how many.
            inputs: numbers that a row has.
            outputs: numbers that it gets.
            initialise: fills one member's weights in place, [outputs, inputs] as `nn.init` has it.
        """
        super().__init__()
        weight = torch.empty(members, inputs, outputs)
        for member in weight:
            initialise(member.T)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(
        self, x: Float[Tensor, "members batch inputs"]
    ) -> Float[Tensor, "members batch outputs"]:
        """Each member's rows through its own weights."""
        return torch.baddbmm(self.bias, x, self.weight)
