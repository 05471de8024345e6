"""What a random walk in the plane earns on average, by quadrature.

A step is uniform between -reach and reach along each axis, so that after `t` steps a coordinate has
the density of a sum of uniforms: a B-spline, with a knot every two reaches.
"""

import numpy as np
import torch
from torch import Tensor

MOST_TASKS = 64
"""Goals that are worked on at once, which bounds the memory."""
DEVIATIONS = 8
"""How many standard deviations of a walk are looked at; beyond, its chance is below 1e-15."""
FINENESS = 100
"""Places of a table of densities for each reach."""


def distance_returns(goal: Tensor, reach: float, horizon: int) -> Tensor:
    """The distances to goals [tasks, 2] after each of `horizon` steps, summed, on average, [tasks]
    float64.
    """
    earned = []
    for part in goal.double().split(MOST_TASKS):
        total = torch.zeros(len(part), dtype=torch.float64)
        for steps in range(1, horizon + 1):
            nodes, weights = _nodes_between_knots(reach, steps)
            across, down = (part[:, axis, None] - nodes for axis in range(2))
            distance = torch.hypot(across[:, :, None], down[:, None, :])
            total += torch.einsum("i,tij,j->t", weights, distance, weights)
        earned.append(total)
    return torch.cat(earned)


def disc_returns(goal: Tensor, radius: float, reach: float, horizon: int) -> Tensor:
    """What pays 1 less the distance within `radius` of goals [tasks, 2], and nothing beyond, over
    `horizon` steps on average, [tasks] float64.

    In polar coordinates about the goal, since what is paid jumps at the radius. Densities are read
    off a table, between two of its places linearly.
    """
    spacing = reach / FINENESS
    farthest = min(goal.abs().max().item() + radius, reach * horizon)
    end = int(farthest / spacing) + 2
    grid = spacing * torch.arange(-end, end + 1, dtype=torch.float64)
    densities = torch.stack([walk_density(grid, reach, t) for t in range(1, horizon + 1)])
    distance, weight = (torch.from_numpy(array) for array in np.polynomial.legendre.leggauss(16))
    distance, weight = (distance + 1) * radius / 2, weight * radius / 2
    angle = torch.arange(40, dtype=torch.float64) * (2 * torch.pi / 40)
    around = torch.stack((angle.cos(), angle.sin()))[:, None, None] * distance[:, None]
    paid = weight * distance * (1 - distance) * (2 * torch.pi / len(angle))
    earned = []
    for part in goal.double().split(MOST_TASKS):
        at = (part.T[:, :, None, None] + around) / spacing + end
        below = at.floor().long().clamp(0, 2 * end - 1)
        share = (at - below).clamp(0, 1)
        x, y = (densities[:, below] * (1 - share) + densities[:, below + 1] * share).unbind(1)
        earned.append(torch.einsum("htda,htda,d->t", x, y, paid))
    return torch.cat(earned)


def walk_density(position: Tensor, reach: float, steps: int) -> Tensor:
    """The density of one coordinate of a random walk after `steps`, of positions [...], float64.

    By the recursion of B-splines, of which every term is positive: it is exact for long walks too.
    """
    place = position.double()[..., None] / (2 * reach) + steps / 2
    place = place - torch.arange(steps, dtype=torch.float64)
    value = ((place >= 0) & (place < 1)).double()
    for order in range(2, steps + 1):
        x = place[..., : steps - order + 1]
        value = (x * value[..., :-1] + (order - x) * value[..., 1:]) / (order - 1)
    return value[..., 0] / (2 * reach)


def _nodes_between_knots(reach: float, steps: int) -> tuple[Tensor, Tensor]:
    """Places where a coordinate may be after `steps`, and how much each stands for, [nodes] each.

    Gauss and Legendre's, between neighbouring knots: exact for the density, which is a polynomial
    there.
    """
    inner, share = np.polynomial.legendre.leggauss(max(4, 24 // steps))
    left = 2 * reach * torch.arange(steps, dtype=torch.float64) - reach * steps
    left = left[(left + reach).abs() <= reach * (1 + DEVIATIONS * (steps / 3) ** 0.5)]
    nodes = (left[:, None] + reach * (1 + torch.from_numpy(inner))).flatten()
    weights = (reach * torch.from_numpy(share)).expand(len(left), -1).flatten()
    return nodes, weights * walk_density(nodes, reach, steps)
