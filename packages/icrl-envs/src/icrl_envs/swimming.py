"""Swimming: how a body moves and turns in a round pool, and the swimmer who knows where to go."""

import math
from functools import cached_property

import torch
from torch import Tensor

from icrl.policy import Policy
from icrl.timestep import TimeStep

ACTIONS = (  # strokes ahead, strokes to the right, turns to the left
    (1, 0, 0),  # forward
    (-1, 0, 0),  # back
    (0, -1, 0),  # left
    (0, 1, 0),  # right
    (0, 0, 1),  # rotate left
    (0, 0, -1),  # rotate right
    (1, 0, 1),  # rotate left and forward
    (1, 0, -1),  # rotate right and forward
)


SWIMS = 8192
"""Random episodes, each counted with its mirror image, from which chances are taken."""


class Pool:
    """A round pool around (0, 0), in which a body has a place (x, y) and one of several headings.

    Heading 0 looks along x, the following ones counter-clockwise of it.
    """

    def __init__(self, *, radius: float, speed: float, num_headings: int) -> None:
        """`radius`: how far a body's middle comes from (0, 0); `speed`: of one stroke."""
        self.radius, self.speed, self.num_headings = radius, speed, num_headings
        angle = torch.arange(num_headings, dtype=torch.float64) / num_headings * math.tau
        self._directions = {
            torch.device("cpu"): torch.stack((angle.cos(), angle.sin()), dim=1).float()
        }
        self._actions = {torch.device("cpu"): torch.tensor(ACTIONS)}

    def direction(self, heading: Tensor) -> Tensor:
        """Where headings [envs] look, [envs, 2] float32."""
        return _on(self._directions, heading.device).index_select(0, heading)

    def moved(self, position: Tensor, heading: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Places [envs, 2] and headings [envs] after actions [envs]; a body turns, then swims.

        Who swims against the wall is pushed back to the nearest place within it.
        """
        chosen = _on(self._actions, action.device).index_select(0, action)
        heading = (heading + chosen[:, 2]) % self.num_headings
        ahead = self.direction(heading)
        right = torch.stack((ahead[:, 1], -ahead[:, 0]), dim=1)
        stroke = chosen[:, :1] * ahead + chosen[:, 1:2] * right
        position = position + self.speed * stroke
        distance = position.square().sum(1, keepdim=True).sqrt()
        return position * (self.radius / distance.clamp(min=self.radius)), heading

    def most_steps(self, distance: float, reach: float) -> int | None:
        """Steps in which `Swimmer` certainly comes within `reach` of a place that far away.

        Some stroke leads within an eighth of a turn of the right way, so `d` becomes at most
        sqrt(d² + s² - √2 d s), which grows with `d` from s / √2 on. None where `reach` is less
        than that: then strokes may lead past the place.
        """
        if reach <= self.speed / math.sqrt(2):
            return None
        steps = 0
        while distance > reach:
            distance = math.sqrt(distance**2 + self.speed**2 - math.sqrt(2) * distance * self.speed)
            steps += 1
        return steps


class RandomSwims:
    """Episodes of random actions, always the same ones, and what they reach."""

    def __init__(self, pool: Pool, steps: int) -> None:
        """`steps`: of an episode, which opens in the middle."""
        self._pool, self._steps = pool, steps

    def chances(self, goal: Tensor, reach: float) -> Tensor:
        """The share of episodes that end a step within `reach` of goals [tasks, 2], [tasks]
        float32.
        """
        x, y = self._swims.unbind(-1)
        chances = []
        for goal_x, goal_y in goal.tolist():
            across = (x - goal_x).square()
            found = [
                (across + (y - side).square()).amin(0) <= reach**2 for side in (goal_y, -goal_y)
            ]
            chances.append(torch.stack(found).float().mean())
        return torch.stack(chances).to(goal.device)

    @cached_property
    def _swims(self) -> Tensor:
        """The place after each step, [steps, swims, 2]."""
        generator = torch.Generator().manual_seed(0)
        position = torch.zeros((SWIMS, 2))
        heading = torch.zeros(SWIMS, dtype=torch.int64)
        places = []
        for _ in range(self._steps):
            action = torch.randint(len(ACTIONS), (SWIMS,), generator=generator)
            position, heading = self._pool.moved(position, heading, action)
            places.append(position)
        return torch.stack(places)


class Swimmer(Policy[tuple[Tensor, Tensor]]):
    """Knows where to go, and takes whatever action leads nearest to it.

    It sees nothing: where it is follows from where episodes open, (0, 0) with heading 0, and from
    what it did since. Context: its places [envs, 2] and headings [envs] before the last action.
    """

    def __init__(self, pool: Pool, goal: Tensor) -> None:
        """`goal`: [tasks, 2]; row `i` swims to goal `i`."""
        self._pool, self._goal = pool, goal

    def initial_context(self, num_envs: int) -> tuple[Tensor, Tensor]:
        """In the middle."""
        device = self._goal.device
        return torch.zeros((num_envs, 2), device=device), torch.zeros(
            num_envs, dtype=torch.int64, device=device
        )

    def act(
        self, timestep: TimeStep, context: tuple[Tensor, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The action that leads nearest to the goal, the first one of several."""
        start, device = timestep.episode_start, timestep.action.device
        position, heading = self._pool.moved(
            context[0].to(device), context[1].to(device), timestep.action
        )
        position = position.masked_fill(start[:, None], 0.0)
        heading = heading.masked_fill(start, 0)
        every, envs = len(ACTIONS), len(heading)
        tried, _ = self._pool.moved(
            position.repeat_interleave(every, 0),
            heading.repeat_interleave(every),
            torch.arange(every, device=device).repeat(envs),
        )
        goal = self._goal.to(device).repeat_interleave(every, 0)
        away = (tried - goal).square().sum(1).view(envs, every)
        return away.argmin(1), (position, heading)


def _on(tables: dict[torch.device, Tensor], device: torch.device) -> Tensor:
    if device not in tables:
        tables[device] = tables[torch.device("cpu")].to(device)
    return tables[device]
