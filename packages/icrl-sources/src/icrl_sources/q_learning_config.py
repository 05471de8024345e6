"""Settings of the source `q-learning`."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from icrl.config import Config
from icrl.errors import ConfigError

if TYPE_CHECKING:  # the command line shows these settings without importing torch
    from icrl.agent import Interface

EPISODES = 200
FRACTIONS = (
    "learning_rate",
    "discount",
    "exploration_initial_eps",
    "exploration_final_eps",
    "exploration_fraction",
)


@dataclass(frozen=True, kw_only=True)
class QLearningConfig(Config):
    """Settings of batched tabular Q-learning."""

    streams_per_task: int = 20
    """Learners of each task, each with a history of its own."""
    steps: int | None = None
    """Steps of each history; default: 200 episodes of full length."""
    initial_value: float = 0.1
    """Value of every action before it is tried. Above what an unrewarded action turns out to be
    worth, it sends the learner where it has not been.
    """
    learning_rate: float = 0.5
    """Share of the way that each update goes to its target. Below 1 the path just walked keeps the
    higher value, so that a learner which knows the way repeats it; at 1 it draws anew among
    equally short paths in every episode.
    """
    discount: float = 0.9
    """Weight of the value of the next cell against the reward."""
    exploration_initial_eps: float = 0.2
    """Probability of a uniformly random action at first."""
    exploration_final_eps: float = 0.0
    """Probability of a uniformly random action after `exploration_fraction` of the history."""
    exploration_fraction: float = 0.5
    """Part of the history over which the probability falls linearly."""
    visit_bonus: float = 0.0
    """Added to the value of an action tried n times, divided by sqrt(n + 1), when choosing."""
    replay_steps: int | None = None
    """After every so many steps, the same number of last transitions is learned once more, the
    newest first (Lin 1992); default: the horizon, 0 where there is none.
    """
    learners_at_once: int = 4096
    """About how many learners are stepped as one batch and written as one shard."""

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ConfigError: naming the setting.
        """
        for name in FRACTIONS:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it needs a value from 0 to 1.")
        for name, least in (("streams_per_task", 1), ("learners_at_once", 1), ("steps", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} is {value}; it must be at least {least}.")
        for name in ("replay_steps", "visit_bonus"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigError(f"{name} is {value}; it cannot be negative.")

    def adapted(self, interface: "Interface") -> Self:
        """The settings with the lengths that follow from the horizon.

        Raises:
            ConfigError: if there is no horizon and `steps` was not given.
        """
        horizon = interface.max_episode_steps
        if self.steps is None and horizon is None:
            raise ConfigError(
                f"{interface.family} has no horizon from which the length of a history would "
                "follow. Give --source.steps."
            )
        return replace(
            self,
            steps=self.steps if self.steps is not None else EPISODES * (horizon or 0),
            replay_steps=self.replay_steps if self.replay_steps is not None else horizon or 0,
        )
