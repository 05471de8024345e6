"""What is earned in a room, exactly: on shortest paths by who knows the goals, and by a random
walk.
"""

from itertools import pairwise

import torch
from torch import Tensor

from icrl_envs.rooms import Room


def steps_between(room: Room, one: Tensor, other: Tensor) -> Tensor:
    """Steps of a shortest path that ends a step on the other cell (so at least 1), of broadcast
    cells.
    """
    positions = room.every_position
    return (positions[one.long()] - positions[other.long()]).abs().sum(-1).clamp(min=1)


def payments(arrival: Tensor, horizon: int, *, every_step: bool) -> Tensor:
    """What is paid in an episode to who first stands on the goal after `arrival` steps and stays,
    float64.
    """
    left = (horizon - arrival + 1).clamp(min=0)
    return (left if every_step else left.clamp(max=1)).double()


def shortest_paths(room: Room, start: Tensor, cells: list[Tensor]) -> Tensor:
    """Steps until each of `cells` (one after the other, [tasks] each) is reached from each start.

    Args:
        start: the cells to start from, [starts].

    Returns:
        [tasks, starts, len(cells)] int64.
    """
    arrivals = [steps_between(room, start[None, :], cells[0][:, None])]
    for before, cell in pairwise(cells):
        arrivals.append(arrivals[-1] + steps_between(room, before, cell)[:, None])
    return torch.stack(arrivals, dim=-1)


def random_walk(room: Room, chances: Tensor) -> Tensor:
    """One step of uniformly random moves: chances of being in each cell, [tasks, cells] float64."""
    walked = torch.zeros_like(chances)
    for destination in room.destinations.unbind(1):
        walked.index_add_(1, destination, chances)
    return walked / room.destinations.shape[1]


def random_payments(
    room: Room, chances: Tensor, goal: Tensor, horizon: int, *, every_step: bool
) -> Tensor:
    """What a random walk from `chances` [tasks, cells] earns at goals [tasks] on average, [tasks]
    float64.

    Paid once, the walk is followed only until it arrives, since nothing is earned after that.
    """
    column = goal.long()[:, None]
    earned = torch.zeros(len(goal), dtype=torch.float64)
    for _ in range(horizon):
        chances = random_walk(room, chances)
        earned += chances.gather(1, column)[:, 0]
        if not every_step:
            chances = chances.scatter(1, column, 0.0)
    return earned


def random_payments_with_key(
    room: Room, chances: Tensor, key: Tensor, door: Tensor, horizon: int, *, every_step: bool
) -> Tensor:
    """What it earns at keys [tasks], and then at doors [tasks], on average, [tasks] float64."""
    key_column, door_column = key.long()[:, None], door.long()[:, None]
    without, carrying = chances, torch.zeros_like(chances)
    earned = torch.zeros(len(key), dtype=torch.float64)
    for _ in range(horizon):
        without, carrying = random_walk(room, without), random_walk(room, carrying)
        found = without.gather(1, key_column)
        earned += found[:, 0] + carrying.gather(1, door_column)[:, 0]
        if not every_step:
            carrying = carrying.scatter(1, door_column, 0.0)
        without = without.scatter(1, key_column, 0.0)
        carrying = carrying.scatter_add(1, key_column, found)
    return earned
