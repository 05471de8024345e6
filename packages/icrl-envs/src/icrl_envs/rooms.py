"""Room: cells in rows and columns, the five moves between them, and the tables that make a step a
look-up.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.errors import ConfigError

MOVES = ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1))  # stay, up, right, down, left: (row, column)

Start: TypeAlias = Literal["centre", "corner", "random"]
View: TypeAlias = Literal["position", "cell"]


class _Tables(NamedTuple):
    """A room's tables on one device."""

    destinations: Tensor
    """[cells * 5] int32: where each move leads from each cell."""
    positions: Tensor
    """[cells] int64: row and column, as two int32 in one word, so that one look-up reads both."""


class Room:
    """A walled rectangle. Cells are numbered row by row; a move against a wall stays where it is.

    Cells are int32 inside the room, positions are int64 pairs (row, column) to the world.
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        """A square room, or rows and columns.

        Raises:
            ConfigError: for fewer than two cells, and for what is neither.
        """
        sides = tuple(size) if isinstance(size, Sequence) else (size, size)
        whole = all(isinstance(side, int) and side > 0 for side in sides)
        if len(sides) != 2 or not whole or sides[0] * sides[1] < 2:
            raise ConfigError(
                f"size={size!r}: expected a whole number above 1, or a pair (rows, columns)."
            )
        self.rows, self.columns = sides
        self.num_cells = self.rows * self.columns
        self._tables: dict[torch.device, _Tables] = {}

    @property
    def every_position(self) -> Tensor:
        """Row and column of each cell, [cells, 2] int64."""
        cells = torch.arange(self.num_cells)
        return torch.stack((cells // self.columns, cells % self.columns), dim=1)

    @property
    def destinations(self) -> Tensor:
        """Where each move leads from each cell, [cells, 5] int64."""
        moved = self.every_position[:, None] + torch.tensor(MOVES)
        row, column = (
            moved[..., 0].clamp(0, self.rows - 1),
            moved[..., 1].clamp(0, self.columns - 1),
        )
        return row * self.columns + column

    def position_space(self) -> spaces.MultiDiscrete:
        """Where something can lie: row and column."""
        return spaces.MultiDiscrete(np.array([self.rows, self.columns]))

    def observation_space(self, view: View) -> Space:
        """What an agent sees of where it is: `"position"` (row and column) or `"cell"` (one
        number).
        """
        return self.position_space() if view == "position" else spaces.Discrete(self.num_cells)

    def observation(self, cell: Tensor, view: View) -> Tensor:
        """What agents in cells [envs] see, [envs, 2] or [envs] int64."""
        if view == "cell":
            return cell.long()
        words = self._on(cell.device).positions.index_select(0, cell)
        return words.view(torch.int32).view(-1, 2).long()

    def positions_of(self, observation: Tensor, view: View) -> Tensor:
        """Row and column of observations [rows, 2] or [rows]: [rows, 2] int64."""
        if view == "position":
            return observation
        return torch.stack((observation // self.columns, observation % self.columns), dim=-1)

    def moved(self, cell: Tensor, action: Tensor) -> Tensor:
        """Where actions [envs] int64 lead from cells [envs] int32."""
        entry = torch.add(action.int(), cell, alpha=len(MOVES))
        return self._on(cell.device).destinations.index_select(0, entry)

    def cell(self, position: Tensor) -> Tensor:
        """The cells at positions [envs, 2], [envs] int32."""
        return (position[:, 0] * self.columns + position[:, 1]).int()

    def starts(self, start: Start, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Cells in which episodes open, one for each of `rows` ([envs, ...], on the device), [envs]
        int32.
        """
        if start == "random":
            return torch.randint(
                self.num_cells,
                rows.shape[:1],
                generator=generator,
                device=rows.device,
                dtype=torch.int32,
            )
        cell = 0 if start == "corner" else self.rows // 2 * self.columns + self.columns // 2
        return torch.full(rows.shape[:1], cell, device=rows.device, dtype=torch.int32)

    def starts_off(self, avoided: Tensor, generator: torch.Generator) -> Tensor:
        """Any cells but the avoided ones [envs], [envs] int32."""
        others = self.num_cells - 1
        cell = torch.randint(
            others, avoided.shape, generator=generator, device=avoided.device, dtype=torch.int32
        )
        return cell + (cell >= avoided)

    def start_chances(self, start: Start) -> Tensor:
        """How likely an episode opens in each cell, [cells] float64."""
        if start == "random":
            return torch.full((self.num_cells,), 1 / self.num_cells, dtype=torch.float64)
        cell = self.starts(start, torch.zeros(1), torch.Generator())
        return torch.zeros(self.num_cells, dtype=torch.float64).index_fill(0, cell.long(), 1.0)

    def start_chances_off(self, avoided: Tensor) -> Tensor:
        """The same of `starts_off`, for each avoided cell [tasks], [tasks, cells] float64."""
        even = torch.full((len(avoided), self.num_cells), 1 / (self.num_cells - 1)).double()
        return even.scatter(1, avoided.long()[:, None], 0.0)

    def _on(self, device: torch.device) -> _Tables:
        if device not in self._tables:
            positions = self.every_position.int().contiguous().view(torch.int64).view(-1)
            destinations = self.destinations.int().view(-1)
            self._tables[device] = _Tables(destinations.to(device), positions.to(device))
        return self._tables[device]


def paid(where: Tensor) -> Tensor:
    """A reward of 1 where a mask holds, float32.

    A mask's bytes are converted several times as fast as its truth values on a CPU.
    """
    return where.view(torch.uint8).float()
