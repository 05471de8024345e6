"""Agent: learns across tasks and yields a policy."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from gymnasium import Space

from icrl.config import Config
from icrl.errors import DamagedFileError, SpaceError
from icrl.families import TaskFamily
from icrl.files import read_json, write_json
from icrl.policy import Policy
from icrl.spaces import space_from_json, space_to_json

if TYPE_CHECKING:
    from icrl.histories import HistoryStore
    from icrl.run import Run


@dataclass(frozen=True)
class Interface:
    """What a pairing fixes: everything an agent may know about its family."""

    observation_space: Space
    action_space: Space
    max_episode_steps: int | None
    family: str
    """The family's id."""
    arguments: Mapping[str, Any]
    """The family's keyword arguments, from which `load` finds its `RewardModel` again."""

    @classmethod
    def of(cls, family: TaskFamily) -> Self:
        """The interface of a family."""
        return cls(
            family.observation_space,
            family.action_space,
            family.max_episode_steps,
            family.id,
            dict(family.arguments),
        )

    def check_family(self, family: TaskFamily) -> None:
        """Refuse a family whose spaces differ from the ones trained on."""
        self._check_spaces(
            Interface.of(family),
            f"but this agent was trained on {self.family} with",
            "Choose a family with the same spaces, or train anew.",
        )

    def check_recorded(self, recorded: "Interface") -> None:
        """Refuse histories that were recorded with other spaces."""
        self._check_spaces(
            recorded,
            f"and its histories were recorded so, but {self.family} has",
            "Give histories of a family with the same spaces, or leave --histories out.",
        )

    def _check_spaces(self, other: "Interface", but: str, remedy: str) -> None:
        for what in ("observation_space", "action_space"):
            ours, theirs = getattr(self, what), getattr(other, what)
            if ours != theirs:
                raise SpaceError(
                    f"{other.family} has the {what.replace('_', ' ')} {theirs}, {but} {ours}. "
                    f"{remedy}"
                )

    def to_json(self) -> dict[str, Any]:
        """The interface as plain JSON data."""
        return {
            "observation_space": space_to_json(self.observation_space),
            "action_space": space_to_json(self.action_space),
            "max_episode_steps": self.max_episode_steps,
            "family": self.family,
            "arguments": dict(self.arguments),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The interface that `to_json` wrote."""
        return cls(
            space_from_json(data["observation_space"]),
            space_from_json(data["action_space"]),
            data["max_episode_steps"],
            data["family"],
            data["arguments"],
        )

    def save(self, path: Path) -> None:
        """Write the interface as JSON, whole or not at all."""
        write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DamagedFileError: naming the file.
        """
        data = read_json(path)
        try:
            return cls.from_json(data)
        except (KeyError, TypeError) as error:
            raise DamagedFileError(
                f"{path} is not an interface that icrl wrote: no {error}."
            ) from error


class Agent(ABC):
    """Learns across tasks; yields a policy."""

    def __init__(self, config: Config, interface: Interface, device: torch.device) -> None:
        """Keep the adapted settings; refuse what cannot serve the pairing.

        Raises:
            ConfigError, ContextError, SpaceError: before anything is trained.
        """
        self.config = config.adapted(interface)
        self.interface = interface
        self.device = device

    @abstractmethod
    def policy(self, *, argmax: bool = False) -> Policy:
        """The policy as learned so far, with frozen weights.

        Args:
            argmax: take the likeliest action where the agent's own way is to draw one.
        """

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write settings, interface and weights, as `load` reads them; nothing is pickled."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read a checkpoint.

        Raises:
            DamagedFileError: naming the file.
        """


class OfflineAgent(Agent):
    """Learns from recorded learning histories."""

    @abstractmethod
    def learn(self, histories: "HistoryStore", run: "Run") -> None:
        """Learn; a killed run goes on exactly from its last checkpoint."""


class OnlineAgent(Agent):
    """Learns by interaction."""

    @abstractmethod
    def learn(self, family: TaskFamily, run: "Run") -> None:
        """Learn on a family in whose view `train` is the only split.

        A killed run goes on from its last checkpoint.
        """
