"""Planning: the sequence of controls that an imagination pays best, for all environments at once.

Everything happens on the device, with no loop over environments and nothing read back; all draws
come from the generator. Letters in comments: E environments, C candidates, H steps of the horizon,
A numbers of a control.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from icrl_cadm.controls import Controls, chosen

if TYPE_CHECKING:
    from icrl_cadm.config import CaDMConfig

Score: TypeAlias = Callable[[Tensor], Tensor]
"""What sequences of controls [envs, candidates, horizon, width] earn, [envs, candidates]: the sum
of rewards, not discounted.
"""

DEVIATIONS = 2.0
"""Sequences are drawn within so many standard deviations of the mean."""
WARMTH = 0.5
"""Share of the probabilities planned a step ago with which categorical search begins; the rest is
uniform."""


class Planner(ABC):
    """Finds controls that an imagination pays well."""

    width: int
    """Numbers of a control."""
    horizon: int
    """Steps of a plan."""

    @abstractmethod
    def plan(
        self,
        score: Score,
        solution: Float[Tensor, "envs horizon width"],
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, "envs width"], Float[Tensor, "envs horizon width"]]:
        """The control to execute now, and the solution from which the next plan goes on.

        Args:
            score: what sequences earn. One that earns NaN, since the imagination diverged, is taken
                as the worst.
            solution: what the plan a step ago returned; zeros where an episode starts.
            generator: of the solution's device.
        """

    def initial_solution(self, num_envs: int, device: torch.device | str) -> Tensor:
        """The solution at an episode's start: zeros."""
        return torch.zeros(num_envs, self.horizon, self.width, device=device)


@dataclass(frozen=True)
class CrossEntropy(Planner):
    """The cross-entropy method as PETS and CaDM plan with it, for continuous controls in [-1, 1].

    Sequences are drawn from a truncated normal, whose mean and variance then move to those of the
    elites. The *mean's* first control is executed, and the mean, shifted by a step, begins the next
    plan; the variance begins anew.

    Botev et al. 2013, "The cross-entropy method for optimization"; Chua et al. 2018,
    arXiv:1805.12114, appendix B; Lee et al. 2020, arXiv:2005.06800.
    """

    width: int
    horizon: int
    candidates: int = 200
    elites: int = 50
    refinements: int = 5
    smoothing: float = 0.1
    """Share of the old mean and variance that a refinement keeps."""
    initial_variance: float = 0.25
    """The squared width of [-1, 1] over 16: two deviations reach the bounds from the middle."""

    def plan(
        self, score: Score, solution: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        mean, variance = solution, torch.full_like(solution, self.initial_variance)
        for _ in range(self.refinements):
            deviation = _capped(mean, variance).sqrt()
            shape = (len(mean), self.candidates, *mean.shape[1:])  # [E, C, H, A]
            noise = truncated_normal(shape, generator, mean.device)
            sequences = mean.unsqueeze(1) + deviation.unsqueeze(1) * noise
            best = _best(sequences, score(sequences), self.elites)
            mean = torch.lerp(best.mean(1), mean, self.smoothing)
            variance = torch.lerp(best.var(1, correction=0), variance, self.smoothing)
        return mean[:, 0], _shifted(mean)


@dataclass(frozen=True)
class CategoricalCrossEntropy(Planner):
    """The cross-entropy method for one-hot controls, which the original lacks: probabilities move
    to how often the elites choose each value, and the likeliest first values are executed.

    A solution holds probabilities less the uniform ones, so that zeros say nothing here too. A plan
    begins halfway between the solution and uniform: certain probabilities would never change again,
    as a variance that did not begin anew.
    """

    choices: tuple[int, ...]
    """How many values each one-hot part tells apart."""
    horizon: int
    candidates: int = 200
    elites: int = 50
    refinements: int = 5
    smoothing: float = 0.1
    """Share of the old probabilities that a refinement keeps."""

    @property
    def width(self) -> int:  # type: ignore[override]
        """Numbers of a control."""
        return sum(self.choices)

    def plan(
        self, score: Score, solution: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        uniform = self._uniform(solution)
        probabilities = uniform + WARMTH * solution  # [E, H, A]
        for _ in range(self.refinements):
            sequences = self._drawn(probabilities, generator)
            frequencies = _best(sequences, score(sequences), self.elites).mean(1)
            probabilities = torch.lerp(frequencies, probabilities, self.smoothing)
        return chosen(probabilities[:, 0], self.choices), _shifted(probabilities - uniform)

    def _uniform(self, like: Tensor) -> Tensor:
        parts = [torch.full_like(part, 1 / part.shape[-1]) for part in like.split(self.choices, -1)]
        return torch.cat(parts, -1)

    def _drawn(self, probabilities: Tensor, generator: torch.Generator) -> Tensor:
        """Sequences [E, C, H, A]; of numbers log(u) / p with uniform u, that of a value is the
        largest with its probability p.
        """
        shape = (len(probabilities), self.candidates, *probabilities.shape[1:])
        uniform = torch.rand(shape, generator=generator, device=probabilities.device)
        return chosen(uniform.log() / probabilities.unsqueeze(1), self.choices)


@dataclass(frozen=True)
class RandomShooting(Planner):
    """Uniform sequences, the best one's first control; what was planned before is not used.

    Nagabandi et al. 2018, arXiv:1708.02596, section IV.B.
    """

    controls: Controls
    horizon: int
    candidates: int = 1000

    @property
    def width(self) -> int:  # type: ignore[override]
        """Numbers of a control."""
        return self.controls.width

    def plan(
        self, score: Score, solution: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        shape = (len(solution), self.candidates, self.horizon)
        sequences = self.controls.random(shape, generator)
        return _best(sequences, score(sequences), 1)[:, 0, 0], solution


def planner(controls: Controls, config: "CaDMConfig") -> Planner:
    """The planner that adapted settings ask for."""
    if config.planner == "shooting":
        at_once = config.candidates * config.refinements
        return RandomShooting(controls, config.horizon, at_once)
    settings = (
        *(config.horizon, config.candidates, config.elites),
        *(config.refinements, config.smoothing),
    )
    if controls.choices is None:
        return CrossEntropy(controls.width, *settings)
    return CategoricalCrossEntropy(controls.choices, *settings)


def truncated_normal(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device
) -> Tensor:
    """Standard normal numbers on the condition that they lie within `DEVIATIONS` of zero.

    The inverse of the distribution function at uniform numbers: nothing is drawn again, which would
    need a look at what was drawn.
    """
    inside = math.erf(DEVIATIONS / math.sqrt(2))  # the probability to lie there
    uniform = 2 * torch.rand(shape, generator=generator, device=device) - 1
    return (uniform * inside).erfinv() * math.sqrt(2)


def _capped(mean: Tensor, variance: Tensor) -> Tensor:
    """Variances so small that what is drawn stays within the bounds."""
    room = (1 - mean.abs()) / DEVIATIONS
    return torch.minimum(variance, room.square())


def _best(sequences: Tensor, returns: Tensor, count: int) -> Tensor:
    """The sequences that earn most, [E, count, H, A]."""
    returns = torch.where(returns.isnan(), -math.inf, returns)
    ranks = returns.topk(count, dim=1).indices
    return sequences.take_along_dim(ranks[:, :, None, None], 1)


def _shifted(solution: Tensor) -> Tensor:
    """A solution a step later; about its last step nothing is known."""
    return torch.cat([solution[:, 1:], torch.zeros_like(solution[:, :1])], 1)
