"""Actions: what a policy draws them from, for every action space that has a head."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
from gymnasium import Space, spaces
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from icrl.errors import SpaceError
from icrl.nn.encoders import bounded
from icrl.spaces import leaf_dtype
from icrl.trees import Tree

HEAD_STD = 0.02
BINS = 51
"""How finely a bounded continuous action is told apart, in each dimension; odd, so that one bin
holds the middle.
"""
CHOICES = 1024
"""An integer Box with at most so many values in each dimension is taken as that many choices."""
LOG_STD = (-5.0, 2.0)


class ActionDistribution(nn.Module, ABC):
    """A family of distributions over the actions of one space, each given by a vector of logits.

    Draws come from the generator that is given, and read nothing back to the host.
    """

    num_logits: int

    @abstractmethod
    def sample(self, logits: Float[Tensor, "*rows logits"], generator: torch.Generator) -> Tree:
        """One action for each row, [*rows, *action]."""

    @abstractmethod
    def mode(self, logits: Float[Tensor, "*rows logits"]) -> Tree:
        """The likeliest action of each row, [*rows, *action]; its factors' modes where it has
        several.
        """

    @abstractmethod
    def log_prob(
        self, logits: Float[Tensor, "*rows logits"], action: Tree
    ) -> Float[Tensor, "*rows"]:
        """The log probability (for continuous actions: density) of actions [*rows, *action]."""

    @abstractmethod
    def loss(
        self,
        logits: Float[Tensor, "*rows logits"],
        action: Tree,
        label_smoothing: float = 0.0,
    ) -> Float[Tensor, "*rows"]:
        """The negative log-likelihood, up to a constant, with that share of the target spread
        evenly over all choices.

        A Gaussian has no choices to spread over: there `label_smoothing` does nothing.
        """


class ActionHead(nn.Module):
    """A linear layer to the logits of an action space, and what is drawn from them."""

    def __init__(self, space: Space, width: int) -> None:
        """
        Raises:
            SpaceError: for an action space that no distribution serves.
        """
        super().__init__()
        self.distribution = action_distribution(space)
        self.linear = nn.Linear(width, self.distribution.num_logits)
        nn.init.normal_(self.linear.weight, std=HEAD_STD)
        nn.init.zeros_(self.linear.bias)

    def logits(self, x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows logits"]:
        """Logits in float32, whatever the precision of `x`."""
        return self.linear(x).float()

    def sample(self, logits: Float[Tensor, "*rows logits"], generator: torch.Generator) -> Tree:
        """See `ActionDistribution.sample`."""
        return self.distribution.sample(logits, generator)

    def mode(self, logits: Float[Tensor, "*rows logits"]) -> Tree:
        """See `ActionDistribution.mode`."""
        return self.distribution.mode(logits)

    def log_prob(
        self, logits: Float[Tensor, "*rows logits"], action: Tree
    ) -> Float[Tensor, "*rows"]:
        """See `ActionDistribution.log_prob`."""
        return self.distribution.log_prob(logits, action)

    def loss(
        self,
        logits: Float[Tensor, "*rows logits"],
        action: Tree,
        label_smoothing: float = 0.0,
    ) -> Float[Tensor, "*rows"]:
        """See `ActionDistribution.loss`."""
        return self.distribution.loss(logits, action, label_smoothing)


def action_head(space: Space, width: int) -> ActionHead:
    """A head for an action space.

    Raises:
        SpaceError: for an action space that no distribution serves.
    """
    return ActionHead(space, width)


def action_distribution(space: Space) -> ActionDistribution:
    """The distribution over an action space.

    | space                                   | distribution                                       |
    |-----------------------------------------|----------------------------------------------------|
    | Discrete                                | categorical                                        |
    | MultiDiscrete, Box of at most 1024 integers | a categorical for each factor                  |
    | MultiBinary                             | a coin for each bit                                |
    | Box of numbers, all bounded             | 51 equal bins in each dimension, uniform in a bin  |
    | Box of numbers, otherwise               | a Gaussian in each dimension                       |
    | Dict, Tuple of these                    | independent parts                                  |

    Bins rather than a squashed Gaussian: the learners that histories record pile up at the bounds
    and change their minds, which one bump between the bounds cannot say.

    Raises:
        SpaceError: for any other space.
    """
    match space:
        case spaces.Discrete():
            return Factored(np.array([space.n]), np.array([space.start]), (), torch.int64)
        case spaces.MultiDiscrete():
            return Factored(
                space.nvec.reshape(-1), space.start.reshape(-1), space.shape, torch.int64
            )
        case spaces.MultiBinary():
            return Coins(space.shape)
        case spaces.Box() if np.issubdtype(space.dtype, np.floating):
            return Binned(space) if bounded(space).all() else Gaussian(space)
        case spaces.Box() if np.issubdtype(space.dtype, np.integer) and _few_choices(space):
            low, high = (b.astype(np.int64).reshape(-1) for b in (space.low, space.high))
            return Factored(high - low + 1, low, space.shape, leaf_dtype(space))
        case spaces.Dict():
            return Joint(tuple(space.spaces), tuple(space.spaces.values()))
        case spaces.Tuple():
            return Joint(None, space.spaces)
    raise SpaceError(
        f"no action head serves the space {space}. Served: Discrete, MultiDiscrete, MultiBinary, "
        f"Box (of floats, or of at most {CHOICES} integers), and Dict and Tuple of these. "
        "Wrap the environment so that its actions are one of them."
    )


def _few_choices(space: spaces.Box) -> bool:
    return bool((space.high.astype(np.float64) - space.low.astype(np.float64) < CHOICES).all())


def _flat(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """[*rows, *shape] -> [*rows, dimensions]."""
    return tensor.reshape(*tensor.shape[: tensor.ndim - len(shape)], -1)


def gumbel_argmax(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """A draw from the categorical of each row [..., choices] -> [...] int64 (Gumbel 1954)."""
    return gumbel_noised(logits, generator).argmax(-1)


def gumbel_noised(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """Logits [..., choices] with noise (None: of torch's global generator) by which a row's largest
    is a draw from its categorical. A uniform number of exactly 0 makes it -inf, and never nan.
    """
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
    return logits - uniform.log_().neg_().log_()


def _smoothed(log_probs: Tensor, choice: Tensor, smoothing: float) -> Tensor:
    """Cross entropy to a target that gives `smoothing` of its mass evenly to all choices; [...,
    choices] -> [...].
    """
    loss = -log_probs.gather(-1, choice.unsqueeze(-1)).squeeze(-1)
    if smoothing:
        loss = (1 - smoothing) * loss - smoothing * log_probs.mean(-1)
    return loss


class Factored(ActionDistribution):
    """Independent choices, one categorical for each factor."""

    start: Tensor

    def __init__(
        self,
        counts: np.ndarray,
        start: np.ndarray,
        shape: tuple[int, ...],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.counts = [int(count) for count in counts]
        self.shape = shape
        self.dtype = dtype
        self.num_logits = sum(self.counts)
        self.first = int(start.reshape(-1)[0])
        self.register_buffer("start", torch.from_numpy(start.astype(np.int64)), persistent=False)

    def sample(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        return self._action([gumbel_argmax(part, generator) for part in self._parts(logits)])

    def mode(self, logits: Tensor) -> Tensor:
        return self._action([part.argmax(-1) for part in self._parts(logits)])

    def log_prob(self, logits: Tensor, action: Tensor) -> Tensor:
        return -self.loss(logits, action)

    def loss(self, logits: Tensor, action: Tensor, label_smoothing: float = 0.0) -> Tensor:
        choices = (_flat(action, self.shape).long() - self.start).unbind(-1)
        losses = [
            _smoothed(part.log_softmax(-1), choice, label_smoothing)
            for part, choice in zip(self._parts(logits), choices, strict=True)
        ]
        return torch.stack(losses).sum(0)

    def _parts(self, logits: Tensor) -> tuple[Tensor, ...]:
        return logits.split(self.counts, -1)

    def _action(self, choices: list[Tensor]) -> Tensor:
        if self.shape == ():
            return (choices[0] + self.first).to(self.dtype)
        actions = (torch.stack(choices, -1) + self.start).to(self.dtype)
        return actions.reshape((*actions.shape[:-1], *self.shape))


class Coins(ActionDistribution):
    """Independent bits; a logit is the log odds of 1."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.num_logits = math.prod(shape)

    def sample(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(logits.shape, generator=generator, device=logits.device)
        return self._action(uniform < logits.sigmoid())

    def mode(self, logits: Tensor) -> Tensor:
        return self._action(logits > 0)

    def log_prob(self, logits: Tensor, action: Tensor) -> Tensor:
        return -self.loss(logits, action)

    def loss(self, logits: Tensor, action: Tensor, label_smoothing: float = 0.0) -> Tensor:
        target = _flat(action, self.shape).to(logits.dtype)
        target = target * (1 - label_smoothing) + label_smoothing / 2
        return binary_cross_entropy_with_logits(logits, target, reduction="none").sum(-1)

    def _action(self, bits: Tensor) -> Tensor:
        return bits.long().reshape((*bits.shape[:-1], *self.shape))


class Binned(ActionDistribution):
    """Bounded numbers: a categorical over equal bins in each dimension, uniform within a bin."""

    low: Tensor
    breadth: Tensor

    def __init__(self, space: spaces.Box) -> None:
        super().__init__()
        self.shape = space.shape
        self.dtype = leaf_dtype(space)
        size = math.prod(space.shape)
        self.num_logits = size * BINS
        low, high = (b.astype(np.float64).reshape(-1) for b in (space.low, space.high))
        self.register_buffer("low", torch.from_numpy(low).float(), persistent=False)
        self.register_buffer(
            "breadth", torch.from_numpy((high - low) / BINS).float(), persistent=False
        )

    def sample(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        chosen = gumbel_argmax(self._table(logits), generator)
        within = torch.rand(chosen.shape, generator=generator, device=logits.device)
        return self._action(chosen + within)

    def mode(self, logits: Tensor) -> Tensor:
        """The middle of the likeliest bin."""
        return self._action(self._table(logits).argmax(-1) + 0.5)

    def log_prob(self, logits: Tensor, action: Tensor) -> Tensor:
        return -self.loss(logits, action) - self.breadth.log().sum()

    def loss(self, logits: Tensor, action: Tensor, label_smoothing: float = 0.0) -> Tensor:
        place = (_flat(action, self.shape).float() - self.low) / self.breadth
        chosen = place.long().clamp(0, BINS - 1)
        log_probs = self._table(logits).log_softmax(-1)
        return _smoothed(log_probs, chosen, label_smoothing).sum(-1)

    def _table(self, logits: Tensor) -> Tensor:
        return logits.unflatten(-1, (-1, BINS))  # [*rows, dimensions, bins]

    def _action(self, place: Tensor) -> Tensor:
        value = torch.minimum(self.low + place * self.breadth, self.low + BINS * self.breadth)
        return value.to(self.dtype).reshape((*value.shape[:-1], *self.shape))


class Gaussian(ActionDistribution):
    """Numbers without bounds on some side: an independent Gaussian in each dimension, cut off at
    what bounds there are.

    A row of logits is the means, then what the log standard deviations are made from.
    """

    low: Tensor
    high: Tensor

    def __init__(self, space: spaces.Box) -> None:
        super().__init__()
        self.shape = space.shape
        self.dtype = leaf_dtype(space)
        self.num_logits = 2 * math.prod(space.shape)
        for name in ("low", "high"):
            bound = torch.from_numpy(getattr(space, name).reshape(-1).astype(np.float32))
            self.register_buffer(name, bound, persistent=False)

    def sample(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        mean, log_std = self._moments(logits)
        noise = torch.randn(mean.shape, generator=generator, device=logits.device)
        return self._action(mean + log_std.exp() * noise)

    def mode(self, logits: Tensor) -> Tensor:
        return self._action(self._moments(logits)[0])

    def log_prob(self, logits: Tensor, action: Tensor) -> Tensor:
        """The density of the Gaussian that is not cut off."""
        mean, log_std = self._moments(logits)
        z = (_flat(action, self.shape).float() - mean) * (-log_std).exp()
        return (-0.5 * z.square() - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)

    def loss(self, logits: Tensor, action: Tensor, label_smoothing: float = 0.0) -> Tensor:
        return -self.log_prob(logits, action)

    def _moments(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = logits.chunk(2, -1)
        low, high = LOG_STD
        log_std = high - softplus(high - raw)
        return mean, low + softplus(log_std - low)

    def _action(self, value: Tensor) -> Tensor:
        value = torch.maximum(torch.minimum(value, self.high), self.low)
        return value.to(self.dtype).reshape((*value.shape[:-1], *self.shape))


class Joint(ActionDistribution):
    """The independent parts of a Dict or Tuple; their logits stand one after the other."""

    def __init__(self, names: tuple[str, ...] | None, parts: tuple[Space, ...]) -> None:
        super().__init__()
        self.names = names
        distributions = [action_distribution(part) for part in parts]
        self.parts = nn.ModuleList(distributions)
        self.sizes = [distribution.num_logits for distribution in distributions]
        self.num_logits = sum(self.sizes)

    def sample(self, logits: Tensor, generator: torch.Generator) -> Tree:
        return self._tree([p.sample(x, generator) for p, x in self._pairs(logits)])

    def mode(self, logits: Tensor) -> Tree:
        return self._tree([p.mode(x) for p, x in self._pairs(logits)])

    def log_prob(self, logits: Tensor, action: Tree) -> Tensor:
        terms = [
            part.log_prob(x, a)
            for (part, x), a in zip(self._pairs(logits), self._children(action), strict=True)
        ]
        return torch.stack(terms).sum(0)

    def loss(self, logits: Tensor, action: Tree, label_smoothing: float = 0.0) -> Tensor:
        terms = [
            part.loss(x, a, label_smoothing)
            for (part, x), a in zip(self._pairs(logits), self._children(action), strict=True)
        ]
        return torch.stack(terms).sum(0)

    def _pairs(self, logits: Tensor) -> list[tuple[ActionDistribution, Tensor]]:
        parts = cast("Iterable[ActionDistribution]", self.parts)
        return list(zip(parts, logits.split(self.sizes, -1), strict=True))

    def _children(self, action: Tree) -> list[Tree]:
        return [action[name] for name in self.names] if self.names is not None else list(action)

    def _tree(self, children: list[Tree]) -> Tree:
        if self.names is not None:
            return dict(zip(self.names, children, strict=True))
        return tuple(children)
