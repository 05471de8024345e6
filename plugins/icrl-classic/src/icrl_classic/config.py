"""Settings of the bandit agents; those for tabular MDPs are in `tabular_config`."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from icrl.config import Config
from icrl.errors import ConfigError

HORIZON_WITHOUT_LIMIT = 100


@dataclass(frozen=True, kw_only=True)
class BanditConfig(Config):
    """What an agent believes of an arm before it pulls it."""

    rewards: Literal["bernoulli", "normal"] = "bernoulli"
    """What arms pay: 0 or 1 with a probability of each arm's own (what lies between counts as a
    part of a success), or normal rewards of a known deviation around a mean of each arm's own."""
    successes: float = 1.0
    """Bernoulli: successes that each arm starts with."""
    failures: float = 1.0
    """Bernoulli: failures that each arm starts with."""
    prior_mean: float = 0.0
    """Normal: the mean of the arms' means."""
    prior_deviation: float = 1.0
    """Normal: the standard deviation of the arms' means."""
    noise_deviation: float = 1.0
    """Normal: the standard deviation of a reward around its arm's mean."""
    ties: Literal["first", "random"] = "first"
    """Which of several arms that look equally good is pulled: the first, or any."""

    def adapted(self, interface: Any) -> Self:
        """The settings themselves, once they are in range.

        Raises:
            ConfigError: for values that are out of range.
        """
        check_positive(self, "successes", "failures", "prior_deviation", "noise_deviation")
        return self


@dataclass(frozen=True, kw_only=True)
class PlanningConfig(BanditConfig):
    """What an agent believes of an MDP before it acts in it, and how far ahead it plans.

    Each action in each state is an arm; the rest matters where there is more than one state.
    """

    concentration: float = 1.0
    """How often each action is thought to have led to each state before it is tried: the parameter
    of a symmetric Dirichlet prior, 1 for a flat one."""
    horizon: int | None = None
    """Steps that a plan looks ahead; by default to the end of the episode."""

    def adapted(self, interface: Any) -> Self:
        """The settings with the horizon filled, where episodes have one.

        Raises:
            ConfigError: for values that are out of range.
        """
        check_positive(self, "concentration")
        if self.horizon is not None and self.horizon < 1:
            raise ConfigError(f"horizon is {self.horizon}; it must be at least 1.")
        horizon = self.horizon if self.horizon is not None else interface.max_episode_steps
        return replace(super().adapted(interface), horizon=horizon)


@dataclass(frozen=True, kw_only=True)
class GreedyConfig(PlanningConfig):
    """Settings of `greedy`."""


@dataclass(frozen=True, kw_only=True)
class EpsilonGreedyConfig(PlanningConfig):
    """Settings of `epsilon-greedy`."""

    epsilon: float = 0.05
    """Probability of a step at random."""

    def adapted(self, interface: Any) -> Self:
        """The settings with the horizon filled, where episodes have one.

        Raises:
            ConfigError: for values that are out of range.
        """
        if not 0 <= self.epsilon <= 1:
            raise ConfigError(f"epsilon is {self.epsilon}; it must be in [0, 1].")
        return super().adapted(interface)


@dataclass(frozen=True, kw_only=True)
class UCB1Config(BanditConfig):
    """Settings of `ucb1`."""

    width: float = 0.05
    """How wide the confidence interval is: `c` of `mean + sqrt(2 c ln t / n)`."""

    def adapted(self, interface: Any) -> Self:
        """The settings themselves, once they are in range.

        Raises:
            ConfigError: for values that are out of range.
        """
        check_not_negative(self, "width")
        return super().adapted(interface)


@dataclass(frozen=True, kw_only=True)
class ThompsonConfig(BanditConfig):
    """Settings of `thompson`."""


@dataclass(frozen=True, kw_only=True)
class OptimisticThompsonConfig(BanditConfig):
    """Settings of `optimistic-thompson`."""

    rule: Literal["floor", "likeliest"] = "floor"
    """What is optimistic: no arm's draw counts for less than its mean (May et al.), or of several
    draws of all arms the likeliest is believed (as RL²'s table 1 seems to have it)."""
    draws: int = 20
    """Likeliest: of how many."""

    def adapted(self, interface: Any) -> Self:
        """The settings themselves, once they are in range.

        Raises:
            ConfigError: for values that are out of range.
        """
        if self.draws < 1:
            raise ConfigError(f"draws is {self.draws}; it must be at least 1.")
        return super().adapted(interface)


@dataclass(frozen=True, kw_only=True)
class GittinsConfig(Config):
    """Settings of `gittins`."""

    discount: float | None = None
    """The discount of the index, in (0, 1); by default 1 - 1 / horizon."""
    successes: int = 1
    """Successes that each arm starts with."""
    failures: int = 1
    """Failures that each arm starts with."""
    ties: Literal["first", "random"] = "first"
    """Which of several arms of the same index is pulled: the first, or any."""

    def adapted(self, interface: Any) -> Self:
        """The settings with the discount filled for the horizon.

        Raises:
            ConfigError: for values that are out of range.
        """
        check_positive(self, "successes", "failures")
        if self.discount is not None and not 0 < self.discount < 1:
            raise ConfigError(f"discount is {self.discount}; it must be in (0, 1).")
        horizon = interface.max_episode_steps or HORIZON_WITHOUT_LIMIT
        discount = self.discount if self.discount is not None else 1 - 1 / max(2, horizon)
        return replace(self, discount=discount)


@dataclass(frozen=True, kw_only=True)
class LinUCBConfig(Config):
    """Settings of `linucb`."""

    alpha: float = 1.0
    """How many standard deviations of the estimate the bound lies above it."""
    ridge: float = 1.0
    """How strongly the parameters are drawn to zero before anything is seen."""

    def adapted(self, interface: Any) -> Self:
        """The settings themselves, once they are in range.

        Raises:
            ConfigError: for values that are out of range.
        """
        check_not_negative(self, "alpha")
        check_positive(self, "ridge")
        return self


def check_positive(config: Config, *names: str) -> None:
    """Refuse settings that are not positive.

    Raises:
        ConfigError: naming the first of them.
    """
    for name in names:
        if not getattr(config, name) > 0:
            raise ConfigError(f"{name} is {getattr(config, name)}; it must be positive.")


def check_not_negative(config: Config, *names: str) -> None:
    """Refuse settings below zero.

    Raises:
        ConfigError: naming the first of them.
    """
    for name in names:
        if not getattr(config, name) >= 0:
            raise ConfigError(f"{name} is {getattr(config, name)}; it must not be negative.")
