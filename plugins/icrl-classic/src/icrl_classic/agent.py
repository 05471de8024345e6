"""ClassicAgent: an agent that learns nothing beforehand, all of it in the trial."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import torch
from gymnasium import Space

from icrl.agent import Agent, Interface
from icrl.config import Config
from icrl.errors import SpaceError
from icrl.policy import Policy
from icrl_classic.finite import FiniteSpace, is_finite


class ClassicAgent(Agent):
    """An algorithm with its settings, and the spaces that it runs on. There is nothing to train.

    A subclass names its `config_class` and builds its policy in `new_policy`, where it refuses what
    it cannot serve.
    """

    config_class: ClassVar[type[Config]]

    def __init__(self, config: Config, interface: Interface, device: torch.device) -> None:
        super().__init__(config, interface, device)
        self._policy = self.new_policy()

    @abstractmethod
    def new_policy(self) -> Policy:
        """The policy for these settings and spaces.

        Raises:
            SpaceError, ConfigError: if the algorithm cannot serve the pairing.
        """

    def policy(self, *, argmax: bool = False) -> Policy:
        """The algorithm itself; what it draws at random is part of it, so `argmax` changes
        nothing.
        """
        return self._policy

    def save(self, directory: Path) -> None:
        """Write `config.toml` and `interface.json`: all that there is."""
        directory = Path(directory)
        self.config.save(directory / "config.toml")
        self.interface.save(directory / "interface.json")

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigError, DamagedFileError: naming the file.
        """
        directory = Path(directory)
        config = cls.config_class.load(directory / "config.toml")
        return cls(config, Interface.load(directory / "interface.json"), device)

    def finite_actions(self) -> FiniteSpace:
        """The actions, numbered.

        Raises:
            SpaceError: if there are not finitely many.
        """
        space = self.interface.action_space
        return self._numbered(space, "action", "chooses among finitely many actions")

    def finite_states(self) -> FiniteSpace:
        """The observations, numbered.

        Raises:
            SpaceError: if there are not finitely many.
        """
        space = self.interface.observation_space
        return self._numbered(space, "observation", "keeps a table of states")

    def _numbered(self, space: Space, what: str, why: str) -> FiniteSpace:
        if not is_finite(space):
            raise SpaceError(
                f"this agent {why}, and {self.interface.family} has the {what} space {space}. "
                f"Choose a family with Discrete {what}s."
            )
        return FiniteSpace(space, self.device)

    def bandit_arms(self) -> FiniteSpace:
        """The actions of a bandit, numbered.

        Raises:
            SpaceError: if there is more than one state, or not finitely many actions.
        """
        space = self.interface.observation_space
        if not is_finite(space) or FiniteSpace(space, self.device).size != 1:
            raise SpaceError(
                f"this agent plays bandits, which have one state, and {self.interface.family} has "
                f"the observation space {space}. Choose a bandit, or an agent for several states: "
                "psrl, q-learning, ..."
            )
        return self.finite_actions()
