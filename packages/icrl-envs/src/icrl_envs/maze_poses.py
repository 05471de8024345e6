"""Poses: a cell of a maze and a heading; where turns and steps lead, and what is seen there."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from icrl_envs.perfect_mazes import STEPS

FLOOR, WALL, GOAL = 0, 1, 2
"""What a cell of a maze holds."""
LEFT, RIGHT, FORWARD = 0, 1, 2
"""Turn left, turn right, go one cell forward."""


class _Tables(NamedTuple):
    """The tables of all poses on one device."""

    onward: Tensor
    """[poses * 3] int32: where each action leads from each pose, walls aside."""
    seen: Tensor
    """[poses, view * view] int64: the cells that are seen, the row farthest ahead first."""


class Poses:
    """The poses in mazes of one size; pose `4 * cell + heading`, headings in the order of `STEPS`.

    Cells are numbered row by row. A pose is int32 inside, (row, column, heading) to the world.
    """

    def __init__(self, side: int, view: int) -> None:
        """`side`: cells along a side of the maze, walls included; `view`: cells along a side of the
        square that is seen, with the agent in its middle.
        """
        self.side, self.view = side, view
        self.count = side * side * len(STEPS)
        self._tables: dict[torch.device, _Tables] = {}

    @property
    def onward(self) -> Tensor:
        """Where each action leads from each pose, walls aside, [poses, 3] int64.

        A step off the grid, which only a maze without an outer wall allows, leads nowhere.
        """
        row, column, heading = self._every_pose()
        step = torch.tensor(STEPS)[heading]
        ahead = (
            (row + step[:, 0]).clamp(0, self.side - 1),
            (column + step[:, 1]).clamp(0, self.side - 1),
        )
        return torch.stack(
            (
                self.number(row, column, (heading - 1) % len(STEPS)),
                self.number(row, column, (heading + 1) % len(STEPS)),
                self.number(*ahead, heading),
            ),
            dim=1,
        )

    @property
    def seen(self) -> Tensor:
        """The cells that are seen from each pose, [poses, view * view] int64.

        The first row is the one farthest ahead. What lies outside the maze shows as its first cell,
        a wall.
        """
        row, column, heading = (part[:, None] for part in self._every_pose())
        reach = self.view // 2
        places = torch.arange(self.view) - reach
        ahead, aside = -places.repeat_interleave(self.view), places.repeat(self.view)
        step = torch.tensor(STEPS)
        to_front, to_right = step[heading], step[(heading + 1) % len(STEPS)]
        rows = row + ahead * to_front[..., 0] + aside * to_right[..., 0]
        columns = column + ahead * to_front[..., 1] + aside * to_right[..., 1]
        inside = (rows >= 0) & (rows < self.side) & (columns >= 0) & (columns < self.side)
        return torch.where(inside, rows * self.side + columns, 0)

    def number(self, row: Tensor, column: Tensor, heading: Tensor) -> Tensor:
        """The number of a pose."""
        cell = torch.add(column, row, alpha=self.side)
        return torch.add(heading, cell, alpha=len(STEPS))

    def moved(self, pose: Tensor, action: Tensor, maze: Tensor) -> tuple[Tensor, Tensor]:
        """Where actions lead, [envs] int32, and what they found there, [envs] uint8: a wall (which
        keeps the pose), floor or goal.

        Args:
            pose: [envs] int32.
            action: [envs] int64.
            maze: what each cell holds, [envs, side, side] uint8.
        """
        entry = torch.add(action.int(), pose, alpha=3)
        onward = self._on(pose.device).onward.index_select(0, entry)
        found = maze.flatten(1).gather(1, (onward >> 2).long()[:, None])[:, 0]
        return torch.where(found == WALL, pose, onward), found

    def walk(self, start: np.ndarray, actions: Tensor, maze: np.ndarray) -> Tensor:
        """The poses of an episode in a maze [side, side], from (row, column, heading) by actions
        [time]: [time + 1] int32.
        """
        cells = torch.as_tensor(maze)[None]
        poses = [self.number(*torch.as_tensor(start)).int()[None]]
        for action in actions:
            poses.append(self.moved(poses[-1], action[None], cells)[0])
        return torch.cat(poses)

    def cells_seen(self, pose: Tensor) -> Tensor:
        """The cells that are seen from poses [envs], [envs, view * view] int64."""
        return self._on(pose.device).seen.index_select(0, pose)

    def cells_in_window(self, pose: int) -> np.ndarray:
        """The cells of the maze that are seen from one pose, without what lies outside, [cells]."""
        seen, cell, reach = self.seen[pose], pose // len(STEPS), self.view // 2
        down = (seen // self.side - cell // self.side).abs()
        across = (seen % self.side - cell % self.side).abs()
        return seen[(down <= reach) & (across <= reach)].numpy()

    def _every_pose(self) -> tuple[Tensor, Tensor, Tensor]:
        pose = torch.arange(self.count)
        cell = pose // len(STEPS)
        return cell // self.side, cell % self.side, pose % len(STEPS)

    def _on(self, device: torch.device) -> _Tables:
        if device not in self._tables:
            onward = self.onward.int().view(-1)
            self._tables[device] = _Tables(onward.to(device), self.seen.to(device))
        return self._tables[device]
