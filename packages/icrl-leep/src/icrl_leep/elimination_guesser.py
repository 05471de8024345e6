"""The guesser: which action ends an episode well, told by what is seen; and what it learns from."""

from collections.abc import Iterator

import torch
from gymnasium import Space, spaces
from torch import Tensor, nn

from icrl.nn import SpaceEncoder, action_head
from icrl.spaces import zeros
from icrl.trees import Tree, leaves, map_tree


class Guesser(nn.Module):
    """A softmax classifier of observations: for numbers, a perceptron with one hidden layer."""

    def __init__(self, observation_space: Space, action_space: spaces.Discrete, hidden: int):
        super().__init__()
        self.encoder = SpaceEncoder(observation_space, hidden)
        self.head = action_head(action_space, hidden)

    def forward(self, observation: Tree) -> Tensor:
        """The logarithms of the actions' probabilities, [..., actions]."""
        return self.head.logits(self.encoder(observation)).log_softmax(-1)

    def loss(self, observation: Tree, action: Tensor) -> Tensor:
        """The mean cross entropy to actions that were revealed, [batch]."""
        return self.head.loss(self.head.logits(self.encoder(observation)), action).mean()


class Revealed:
    """The last observations whose right action is known, a ring on the device."""

    def __init__(self, observation_space: Space, capacity: int, device: torch.device) -> None:
        self.observation = zeros(observation_space, (capacity,), device)
        self.action = torch.zeros(capacity, dtype=torch.int64, device=device)
        self.capacity = capacity
        self.count = 0
        """How many were ever put in."""

    def __len__(self) -> int:
        return min(self.count, self.capacity)

    def add(self, observation: Tree, action: Tensor) -> None:
        """Put in observations [rows, ...] with their actions [rows]; at most `capacity` rows."""
        rows = torch.arange(self.count, self.count + len(action), device=action.device)
        places = rows % self.capacity
        map_tree(lambda kept, new: kept.index_copy_(0, places, new), self.observation, observation)
        self.action.index_copy_(0, places, action)
        self.count += len(action)

    def drawn(self, batch: int, generator: torch.Generator) -> tuple[Tree, Tensor]:
        """So many of them, with replacement."""
        device = self.action.device
        rows = torch.randint(len(self), (batch,), generator=generator, device=device)
        return map_tree(lambda leaf: leaf[rows], self.observation), self.action[rows]

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """What is in it, by name."""
        return ((name, leaf[: len(self)]) for name, leaf in self._named())

    def restore(self, tensors: dict[str, Tensor], count: int) -> None:
        """Put back what `tensors` gave, when so many had ever been put in.

        Raises:
            KeyError, RuntimeError: if they are of another kind.
        """
        self.count = count
        for name, leaf in self._named():
            leaf[: len(self)].copy_(tensors[name])

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        yield "action", self.action
        for path, leaf in leaves(self.observation):
            yield f"observation/{path}", leaf
