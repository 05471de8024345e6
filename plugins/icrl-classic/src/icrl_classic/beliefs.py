"""Beliefs: what is thought of an arm's mean reward after some pulls, by conjugate priors."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from icrl_classic.config import BanditConfig
from icrl_classic.gamma import gamma, log_gamma


class Belief(ABC):
    """A posterior over the mean reward of each arm, from how often it was pulled and what it paid.

    All methods take `pulls` and `paid`, both [envs, arms], and return [envs, arms].
    """

    deviation: float
    """The standard deviation of a reward around its mean; 1 where a bound is stated for [0, 1]."""

    @abstractmethod
    def credited(self, reward: Tensor) -> Tensor:
        """What a reward adds to `paid`."""

    @abstractmethod
    def strength(self, pulls: Tensor) -> Tensor:
        """How many pulls the posterior is worth, those that the prior stands for included."""

    @abstractmethod
    def mean(self, pulls: Tensor, paid: Tensor) -> Tensor:
        """The posterior mean."""

    @abstractmethod
    def sample(self, pulls: Tensor, paid: Tensor, generator: torch.Generator) -> Tensor:
        """A draw from the posterior, for each arm on its own."""

    @abstractmethod
    def log_density(self, value: Tensor, pulls: Tensor, paid: Tensor) -> Tensor:
        """The logarithm of the posterior's density at a value, but for a constant of the arm."""


class BetaBelief(Belief):
    """Arms that pay 0 or 1, each with a probability of its own under a Beta prior."""

    deviation = 1.0

    def __init__(self, successes: float, failures: float) -> None:
        self.successes = successes
        self.failures = failures

    def credited(self, reward: Tensor) -> Tensor:
        """Successes; a reward between 0 and 1 is a part of one, and what lies outside is cut."""
        return reward.clamp(0, 1)

    def strength(self, pulls: Tensor) -> Tensor:
        """Pulls, and the successes and failures that were there before."""
        return pulls + (self.successes + self.failures)

    def mean(self, pulls: Tensor, paid: Tensor) -> Tensor:
        """Successes among all pulls, with those that were there before."""
        return (paid + self.successes) / self.strength(pulls)

    def sample(self, pulls: Tensor, paid: Tensor, generator: torch.Generator) -> Tensor:
        """Beta(a, b) is X / (X + Y) of X ~ Gamma(a) and Y ~ Gamma(b)."""
        successes, failures = paid + self.successes, pulls - paid + self.failures
        if min(self.successes, self.failures) < 1:
            return (log_gamma(successes, generator) - log_gamma(failures, generator)).sigmoid()
        won, lost = gamma(successes, generator), gamma(failures, generator)
        return won / (won + lost)

    def log_density(self, value: Tensor, pulls: Tensor, paid: Tensor) -> Tensor:
        """(a - 1) log x + (b - 1) log (1 - x), which is 0 where both factors of a product are."""
        won = torch.special.xlogy(paid + (self.successes - 1), value)
        return won + torch.special.xlog1py(pulls - paid + (self.failures - 1), -value)


class NormalBelief(Belief):
    """Arms that pay normal rewards of a known deviation, whose means have a normal prior."""

    def __init__(self, mean: float, deviation: float, noise_deviation: float) -> None:
        self.deviation = noise_deviation
        self.prior_mean = mean
        self.prior_pulls = (noise_deviation / deviation) ** 2

    def credited(self, reward: Tensor) -> Tensor:
        """The reward."""
        return reward

    def strength(self, pulls: Tensor) -> Tensor:
        """Pulls, and as many as the prior is worth."""
        return pulls + self.prior_pulls

    def mean(self, pulls: Tensor, paid: Tensor) -> Tensor:
        """The mean of the rewards, and of the prior's mean as often as the prior is worth."""
        return (paid + self.prior_mean * self.prior_pulls) / self.strength(pulls)

    def sample(self, pulls: Tensor, paid: Tensor, generator: torch.Generator) -> Tensor:
        """Normal, of the variance of a mean of so many pulls."""
        noise = torch.randn(
            pulls.shape, generator=generator, device=pulls.device, dtype=pulls.dtype
        )
        scale = self.deviation * self.strength(pulls).rsqrt()
        return self.mean(pulls, paid) + scale * noise

    def log_density(self, value: Tensor, pulls: Tensor, paid: Tensor) -> Tensor:
        """-(x - mean)² / (2 variance)."""
        away = (value - self.mean(pulls, paid)) / self.deviation
        return -0.5 * self.strength(pulls) * away**2


def belief_of(config: BanditConfig) -> Belief:
    """The belief that settings describe."""
    if config.rewards == "normal":
        return NormalBelief(config.prior_mean, config.prior_deviation, config.noise_deviation)
    return BetaBelief(config.successes, config.failures)
