"""Encoders: what past transitions tell, as a vector that the model is conditioned on."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from icrl.nn import MemberLinear


def small_weights(weight: Tensor) -> Tensor:
    """A normal of deviation 1 / (2 sqrt(inputs)), cut at two deviations, as the original draws its
    weights [outputs, inputs].
    """
    deviation = 1 / (2 * math.sqrt(weight.shape[1]))
    return nn.init.trunc_normal_(weight, std=deviation, a=-2 * deviation, b=2 * deviation)


ROWS_AT_ONCE = 2000
"""That go through all layers together on a CPU, where no gradient is wanted: what is between two
layers stays in its cache. Ten thousand at once take up to a third longer.
"""


class Perceptron(nn.Module):
    """Hidden layers, then a linear layer, for each member."""

    def __init__(
        self,
        members: int,
        inputs: int,
        hidden: tuple[int, ...],
        outputs: int,
        activation: Callable[..., Tensor],
    ) -> None:
        super().__init__()
        self.activation = activation
        sizes = (inputs, *hidden, outputs)
        layer = partial(MemberLinear, members, initialise=small_weights)
        self.layers = nn.ModuleList(
            layer(inputs=before, outputs=after) for before, after in pairwise(sizes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[members, rows, inputs] -> [members, rows, outputs], in the weights' precision."""
        whole = torch.is_grad_enabled() or torch.compiler.is_compiling()
        if whole or x.device.type != "cpu" or x.shape[1] <= ROWS_AT_ONCE:
            return self._through(x)
        return torch.cat([self._through(rows) for rows in x.split(ROWS_AT_ONCE, 1)], 1)

    def _through(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            # Where no gradient is wanted, in place: planning spends less on fresh memory.
            x = self.activation(layer(x), inplace=not torch.is_grad_enabled())
        return last(x)


class Encoder(nn.Module, ABC):
    """Makes a context of past transitions."""

    size: int
    """Numbers of the context."""

    @abstractmethod
    def forward(self, differences: Tensor, controls: Tensor, filled: Tensor) -> Tensor:
        """The context of each row, [members, rows, size].

        Args:
            differences: what each past transition changed, [members, rows, past, state numbers].
            controls: normalised, [members, rows, past, control numbers].
            filled: how many slots hold a transition, [members, rows].
        """


class Stacked(Encoder):
    """The past transitions themselves."""

    def __init__(self, past: int, num_states: int, num_controls: int) -> None:
        super().__init__()
        self.size = past * (num_states + num_controls)

    def forward(self, differences: Tensor, controls: Tensor, filled: Tensor) -> Tensor:
        """All slots side by side."""
        return torch.cat((differences, controls), -1).flatten(2)


class Encoded(Encoder):
    """CaDM's: a perceptron over all slots side by side (Lee et al. 2020, section 4.1)."""

    def __init__(
        self,
        members: int,
        past: int,
        num_states: int,
        num_controls: int,
        hidden: tuple[int, ...],
        size: int,
    ) -> None:
        super().__init__()
        self.size = size
        slots = past * (num_states + num_controls)
        self.perceptron = Perceptron(members, slots, hidden, size, functional.relu)

    def forward(self, differences: Tensor, controls: Tensor, filled: Tensor) -> Tensor:
        """Each member's own view of them."""
        slots = torch.cat((differences, controls), -1).flatten(2)
        return self.perceptron(slots)


class Recurrent(Encoder):
    """ReBAL's: the state of a gated recurrent unit after the past transitions, the oldest first.

    It stays as it is through an imagined horizon, as the weights of GrBAL do, and sees what CaDM's
    encoder sees, so that the two differ in how they sum it up.

    Nagabandi et al. 2019, arXiv:1803.11347, section 4; Cho et al. 2014, arXiv:1406.1078.
    """

    def __init__(self, members: int, num_states: int, num_controls: int, size: int) -> None:
        super().__init__()
        self.size = size
        layer = partial(MemberLinear, members, outputs=3 * size, initialise=small_weights)
        self.seen, self.kept = layer(inputs=num_states + num_controls), layer(inputs=size)

    def forward(self, differences: Tensor, controls: Tensor, filled: Tensor) -> Tensor:
        """Slots that hold nothing leave the state, at first zeros, as it is."""
        slots = torch.cat((differences, controls), -1)
        seen = self.seen(slots.flatten(1, 2)).unflatten(1, slots.shape[1:3])
        state = slots.new_zeros(*filled.shape, self.size)
        for slot in range(slots.shape[2]):
            after = self._after(seen[:, :, slot], state)
            state = torch.where(slot < filled.unsqueeze(-1), after, state)
        return state

    def _after(self, seen: Tensor, state: Tensor) -> Tensor:
        """The state [members, rows, size] after one more slot."""
        ours, theirs = seen.chunk(3, -1), self.kept(state).chunk(3, -1)
        reset, update = ((ours[gate] + theirs[gate]).sigmoid() for gate in (0, 1))
        candidate = (ours[2] + reset * theirs[2]).tanh()
        return torch.lerp(candidate, state, update)
