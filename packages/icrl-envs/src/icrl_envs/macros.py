"""Macros: sequences of moves in a room that are made as one action, and what they earn."""

from itertools import product

import torch
from torch import Tensor

from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl_envs.rooms import MOVES, Room, View


class Macros:
    """All sequences of so many moves, numbered as they count up, and where they lead."""

    def __init__(self, room: Room, length: int) -> None:
        self.moves = torch.tensor(list(product(range(len(MOVES)), repeat=length)))
        """[macros, length]: the moves of each."""
        cell = torch.arange(room.num_cells)[:, None].expand(-1, len(self.moves))
        passed = []
        for move in self.moves.unbind(1):
            cell = room.destinations[cell, move]
            passed.append(cell)
        self.passed = torch.stack(passed, dim=2)
        """[cells, macros, length]: the cells that each passes through, the last one included."""
        self._tables: dict[torch.device, Tensor] = {}

    def played(self, cell: Tensor, macro: Tensor) -> Tensor:
        """The cells that macros [envs] int64 pass through from cells [envs] int32, [envs, length]
        int32.
        """
        if cell.device not in self._tables:
            self._tables[cell.device] = self.passed.int().flatten(0, 1).to(cell.device)
        entry = torch.add(macro.int(), cell, alpha=len(self.moves))
        return self._tables[cell.device].index_select(0, entry)

    def routes(self, macro: Tensor, goal: Tensor) -> "MacroRoutes":
        """Those of each task's macros [tasks, actions] and goal cell [tasks]."""
        passed = self.passed.transpose(0, 1)[macro.cpu()]
        return MacroRoutes(passed[..., -1], (passed == goal.cpu().view(-1, 1, 1, 1)).any(-1))


class MacroRoutes:
    """What each action of each task does in each cell, [tasks, actions, cells]."""

    def __init__(self, onward: Tensor, passes: Tensor) -> None:
        """`onward`: the cell that it leads to; `passes`: whether it passes the goal, which ends the
        episode.
        """
        self._onward, self._passes = onward, passes

    def steps_to_goal(self) -> Tensor:
        """The fewest actions to pass the goal, [tasks, cells] float32; infinite if none do."""
        tasks, _, cells = self._onward.shape
        steps = torch.full((tasks, cells), torch.inf)
        while True:
            nearer = 1 + self._after(steps).amin(1)
            if torch.equal(nearer, steps):
                return steps
            steps = nearer

    def shortest_action(self) -> Tensor:
        """The first action of a shortest way, [tasks, cells] int64."""
        return self._after(self.steps_to_goal()).argmin(1)

    def random_success(self, horizon: int) -> Tensor:
        """How likely uniformly random actions pass the goal in time, [tasks, cells] float64."""
        tasks, _, cells = self._onward.shape
        success = torch.zeros(tasks, cells, dtype=torch.float64)
        for _ in range(horizon):
            success = (self._after(success) + self._passes).mean(1)
        return success

    def _after(self, value: Tensor) -> Tensor:
        """The values of the cells that actions lead to; 0 once the goal is passed."""
        there = value.gather(1, self._onward.flatten(1)).view(self._onward.shape)
        return there.masked_fill(self._passes, 0.0)


class MacroWalker(Policy[None]):
    """Takes the best of its row's actions in each cell."""

    def __init__(self, room: Room, view: View, best: Tensor) -> None:
        """`best`: [tasks, cells] int64."""
        self._room, self._view, self._best = room, view, best

    def initial_context(self, num_envs: int) -> None:
        """It remembers nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """Look the cell up."""
        cell = self._room.cell(self._room.positions_of(timestep.observation, self._view)).long()
        return self._best.to(cell.device).gather(1, cell[:, None])[:, 0], None
