"""Walkers: the policies that know where the goals lie, and walk there."""

import torch
from torch import Tensor

from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl_envs.rooms import Room, View


class GoalWalker(Policy[None]):
    """Walks a shortest path to the goal of its row, first along the column, and stays there."""

    def __init__(self, room: Room, view: View, goal: Tensor) -> None:
        """`goal`: [tasks, 2]; row `i` walks to goal `i`."""
        self._room, self._view, self._goal = room, view, goal

    def initial_context(self, num_envs: int) -> None:
        """It remembers nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """Step towards the goal."""
        position = self._room.positions_of(timestep.observation, self._view)
        return towards(position, self._goal.to(position.device)), None


class KeyAndDoorWalker(Policy[Tensor]):
    """Walks to the key of its row, then to its door. Context: who holds the key, [envs] bool."""

    def __init__(self, room: Room, view: View, key: Tensor, door: Tensor) -> None:
        """`key` and `door`: [tasks, 2]."""
        self._room, self._view, self._key, self._door = room, view, key, door

    def initial_context(self, num_envs: int) -> Tensor:
        """Nobody holds a key."""
        return torch.zeros(num_envs, dtype=torch.bool, device=self._key.device)

    def act(
        self, timestep: TimeStep, context: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Step towards the key, or who holds it towards the door. Episodes open without it."""
        position = self._room.positions_of(timestep.observation, self._view)
        key, door = self._key.to(position.device), self._door.to(position.device)
        holds = ~timestep.episode_start & (context.to(position.device) | (position == key).all(-1))
        return towards(position, torch.where(holds[:, None], door, key)), holds


class PermutedWalker(Policy[None]):
    """Walks a shortest path to a goal that all rows share, by each row's own actions."""

    def __init__(self, room: Room, view: View, goal: Tensor, moves: Tensor) -> None:
        """`goal`: [2]; `moves`: the move that each action makes, a permutation, [tasks, 5]."""
        self._room, self._view, self._goal = room, view, goal
        self._actions = moves.argsort(1)

    def initial_context(self, num_envs: int) -> None:
        """It remembers nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """The action that makes the move towards the goal."""
        position = self._room.positions_of(timestep.observation, self._view)
        move = towards(position, self._goal.to(position.device))
        return self._actions.to(position.device).gather(1, move[:, None])[:, 0], None


def towards(position: Tensor, goal: Tensor) -> Tensor:
    """The move along a shortest path from positions [envs, 2] to goals [envs, 2], [envs] int64."""
    down, right = (goal - position).unbind(-1)
    across = torch.where(right > 0, 2, torch.where(right < 0, 4, 0))
    return torch.where(down > 0, 3, torch.where(down < 0, 1, across))
