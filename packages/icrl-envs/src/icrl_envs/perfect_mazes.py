"""Perfect mazes: random spanning trees of a grid of rooms, drawn from seeds.

Randomised depth-first search; every seed's maze is the same on every machine and in every batch.
"""

import numpy as np
import torch
from torch import Tensor

from icrl.errors import ConfigError

STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left: (row, column)

PIECE = 1024
"""Mazes drawn at once where many are looked for."""


def perfect_mazes(seeds: Tensor, size: int) -> Tensor:
    """A maze of `size` x `size` rooms for each seed; one path joins any two of its cells.

    Rooms lie at odd rows and columns, doors between them, walls around them all: corridors and
    walls are one cell wide.

    Args:
        seeds: [tasks] int64, none negative. One seed gives one maze, whatever is beside it.
        size: rooms along a side, at least two.

    Returns:
        [tasks, 2 * size + 1, 2 * size + 1] bool, on the CPU: True is wall.
    """
    if size < 2:
        raise ConfigError(f"size={size}: expected 2 or more rooms along a side of a maze.")
    order, first = _plans(seeds.cpu().numpy(), size * size)
    maze = np.arange(len(order))
    walls = np.ones((len(order), 2 * size + 1, 2 * size + 1), dtype=bool)
    # The rooms have a margin that counts as seen, so that no search leaves the grid.
    seen = np.ones((len(order), size + 2, size + 2), dtype=bool)
    seen[:, 1:-1, 1:-1] = False
    came_by = np.zeros((len(order), size + 2, size + 2), dtype=np.int64)
    row, column = first // size + 1, first % size + 1
    walls[maze, 2 * row - 1, 2 * column - 1] = False
    seen[maze, row, column] = True
    step = np.array(STEPS)
    # Every room is entered once and, unless it is the first, left backwards once: all searches
    # end together.
    for _ in range(2 * (size * size - 1)):
        unseen = ~seen[maze[:, None], row[:, None] + step[:, 0], column[:, None] + step[:, 1]]
        wish = np.where(unseen, order[maze, (row - 1) * size + column - 1], -1.0)
        onward, back = unseen.any(1), (came_by[maze, row, column] + 2) % 4
        direction = np.where(onward, wish.argmax(1), back)
        walls[maze, 2 * row - 1 + step[direction, 0], 2 * column - 1 + step[direction, 1]] = False
        row, column = row + step[direction, 0], column + step[direction, 1]
        walls[maze, 2 * row - 1, 2 * column - 1] = False
        seen[maze, row, column] = True
        came_by[maze[onward], row[onward], column[onward]] = direction[onward]
    return torch.from_numpy(walls)


def distinct_mazes(count: int, size: int, generator: torch.Generator) -> Tensor:
    """So many mazes with different walls, [count, 2 * size + 1, 2 * size + 1] bool.

    Raises:
        ConfigError: if there do not seem to be so many.
    """
    found = torch.zeros(0, 2 * size + 1, 2 * size + 1, dtype=torch.bool)
    for _ in range(4 + count // PIECE * 2):
        seeds = torch.randint(2**62, (PIECE,), generator=generator)
        found = torch.cat((found, perfect_mazes(seeds, size)))
        _, first = np.unique(np.packbits(found.flatten(1).numpy(), 1), axis=0, return_index=True)
        found = found[np.sort(first)]
        if len(found) >= count:
            return found[:count]
    raise ConfigError(
        f"{count} tasks asked of mazes of size={size}, of which {len(found)} with different walls "
        "were found. Ask for fewer, or for larger mazes."
    )


def rooms(size: int) -> Tensor:
    """Row and column of each room's cell in a maze, row by row, [size * size, 2] int64."""
    places = torch.arange(size) * 2 + 1
    return torch.cartesian_prod(places, places)


def _plans(seeds: np.ndarray, num_rooms: int) -> tuple[np.ndarray, np.ndarray]:
    """For each room the order in which a search tries the four directions, highest first, [tasks,
    rooms, 4] float64; the room that it starts from, [tasks] int64.

    Raw bits, since NumPy promises the same stream of those in every version. Taking the first
    unseen room in a random order is choosing uniformly among the unseen.
    """
    if len(seeds) and seeds.min() < 0:
        raise ConfigError(f"the seed of a maze is {seeds.min()}: expected none below 0.")
    bits = np.zeros((len(seeds), num_rooms * len(STEPS) + 1), dtype=np.uint64)
    for row, seed in zip(bits, seeds, strict=True):
        row[:] = np.random.PCG64(int(seed)).random_raw(len(row))
    order = (bits[:, 1:] >> np.uint64(11)).astype(np.float64)
    first = (bits[:, 0] % np.uint64(num_rooms)).astype(np.int64)
    return order.reshape(-1, num_rooms, len(STEPS)), first
