"""Layers of many members at once: each member has weights of its own, one call serves them all."""

import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from icrl.nn import MemberLinear


def orthogonal(gain: float) -> Callable[[Tensor], Tensor]:
    """Orthogonal weights scaled by `gain`, as SB3's PPO has them."""
    return partial(nn.init.orthogonal_, gain=gain)


class MemberConvolution(nn.Module):
    """A 3 x 3 convolution for each member, all of them one grouped convolution.

    Members' channels lie side by side: [batch, members * channels, height, width].
    """

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        """Weights as torch's own `Conv2d` draws them (uniform, He et al. 2015)."""
        super().__init__()
        self.inputs = inputs
        bound = 1 / math.sqrt(9 * inputs)
        self.weight = nn.Parameter(torch.empty(members, outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.empty(members, outputs))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, members * inputs, height, width] -> [batch, members * outputs, ...]; what all
        members see alike may also be [batch, inputs, height, width].
        """
        groups = x.shape[1] // self.inputs
        return nn.functional.conv2d(
            x, self.weight.flatten(0, 1), self.bias.flatten(), padding=1, groups=groups
        )


class MemberPerceptron(nn.Module):
    """Hidden layers with tanh, then a linear layer, for each member."""

    def __init__(
        self, members: int, inputs: int, hidden: tuple[int, ...], outputs: int, *, gain: float
    ) -> None:
        """`gain` scales the weights of the last layer."""
        super().__init__()
        sizes = (inputs, *hidden)
        self.hidden = nn.ModuleList(
            MemberLinear(members, before, after, orthogonal(math.sqrt(2)))
            for before, after in zip(sizes, hidden, strict=False)
        )
        self.last = MemberLinear(members, sizes[-1], outputs, orthogonal(gain))

    def forward(
        self, x: Float[Tensor, "members batch inputs"]
    ) -> Float[Tensor, "members batch outputs"]:
        """Each member's rows through its own weights."""
        for layer in self.hidden:
            x = layer(x).tanh()
        return self.last(x)
