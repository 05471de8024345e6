"""Settings of the agents for tabular MDPs."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from icrl.config import Config
from icrl.errors import ConfigError
from icrl_classic.config import PlanningConfig, check_not_negative, check_positive


@dataclass(frozen=True, kw_only=True)
class TabularConfig(PlanningConfig):
    """What an agent believes of an MDP, with the priors of an agent that is told nothing of it."""

    rewards: Literal["bernoulli", "normal"] = "normal"
    """What actions pay: 0 or 1 with a probability of each state's and action's own, or normal
    rewards of a known deviation around a mean of each one's own."""
    ties: Literal["first", "random"] = "random"
    """Which of several actions that look equally good is taken: the first, or any."""


@dataclass(frozen=True, kw_only=True)
class PSRLConfig(TabularConfig):
    """Settings of `psrl`."""


@dataclass(frozen=True, kw_only=True)
class OPSRLConfig(TabularConfig):
    """Settings of `opsrl`."""

    samples: int = 5
    """MDPs that are drawn for each episode."""

    def adapted(self, interface: Any) -> Self:
        """The settings with the horizon filled, where episodes have one.

        Raises:
            ConfigError: for values that are out of range.
        """
        if self.samples < 1:
            raise ConfigError(f"samples is {self.samples}; it must be at least 1.")
        return super().adapted(interface)


@dataclass(frozen=True, kw_only=True)
class UCRL2Config(TabularConfig):
    """Settings of `ucrl2`. Its estimates rest on what was seen: the prior hardly counts."""

    prior_deviation: float = 100.0
    """Normal: the standard deviation of the mean rewards."""
    concentration: float = 1e-4
    """How often each action is thought to have led to each state before it is tried."""
    reward_width: float = 0.2
    """What the confidence intervals of mean rewards are multiplied by."""
    transition_width: float = 0.2
    """What those of transitions are multiplied by. At a reward width of 1 and a transition width of
    the root of the number of states they hold with probability 1 - `failure`, which is far wider
    than what serves within a hundred episodes."""
    failure: float = 0.05
    """The probability with which the MDP may lie outside of the intervals at those widths."""

    def adapted(self, interface: Any) -> Self:
        """The settings with the horizon filled, where episodes have one.

        Raises:
            ConfigError: for values that are out of range.
        """
        check_not_negative(self, "reward_width", "transition_width")
        if not 0 < self.failure < 1:
            raise ConfigError(f"failure is {self.failure}; it must be in (0, 1).")
        return super().adapted(interface)


@dataclass(frozen=True, kw_only=True)
class BEBConfig(TabularConfig):
    """Settings of `beb`. Counts `n` include those that the priors stand for."""

    reward_bonus: float = 2.0
    """Added to the mean reward of what was tried n times, divided by 1 + n, in units of a reward's
    deviation: Kolter and Ng's beta."""
    transition_bonus: float = 0.0
    """Added likewise, but times the steps that remain of the episode, which is what not knowing
    where an action leads can cost."""

    def adapted(self, interface: Any) -> Self:
        """The settings with the horizon filled, where episodes have one.

        Raises:
            ConfigError: for values that are out of range.
        """
        check_not_negative(self, "reward_bonus", "transition_bonus")
        return super().adapted(interface)


@dataclass(frozen=True, kw_only=True)
class QLearningConfig(Config):
    """Settings of `q-learning`."""

    learning_rate: float = 0.5
    """Share of the way that each update goes to its target."""
    discount: float = 0.9
    """Weight of the value of the next state against the reward."""
    initial_value: float = 0.0
    """Value of every action before it is tried. Above what an action turns out to be worth, it
    sends the learner where it has not been."""
    epsilon: float = 0.2
    """Probability of a step at random, in the first episode."""
    epsilon_decay: float = 0.9
    """What that probability is multiplied by from one episode to the next."""
    ties: Literal["first", "random"] = "random"
    """Which of several actions that look equally good is taken: the first, or any."""

    def adapted(self, interface: Any) -> Self:
        """The settings themselves, once they are in range.

        Raises:
            ConfigError: for values that are out of range.
        """
        check_positive(self, "learning_rate")
        for name in ("learning_rate", "discount", "epsilon", "epsilon_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1].")
        return self
