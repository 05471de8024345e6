"""Routes: what shortest ways and random ones earn in mazes, from every cell and heading."""

import torch
from torch import Tensor

from icrl.policy import Policy
from icrl.timestep import TimeStep
from icrl_envs.maze_poses import GOAL, WALL, Poses
from icrl_envs.perfect_mazes import STEPS


class Routes:
    """Ways through mazes [tasks, side, side] of floor, walls and goals.

    Values of poses are [tasks, headings, side, side]: turning shifts the headings, going forward
    the cells.
    """

    def __init__(self, maze: Tensor) -> None:
        ahead = self._forward(maze[:, None].expand(-1, len(STEPS), -1, -1))
        self._wall_ahead, self._goal_ahead = ahead == WALL, ahead == GOAL

    def steps_to_goal(self) -> Tensor:
        """Actions until the goal is reached on a shortest way, [tasks, poses] float32.

        Infinite where no way leads there. Breadth first, from all poses at once.
        """
        return _by_pose(self._steps())

    def shortest_action(self) -> Tensor:
        """The first action of a shortest way, [tasks, poses] int64."""
        return _by_pose(torch.stack(self._after(self._steps())).argmin(0))

    def random_returns(
        self, *, at_goal: float, at_wall: float, each_step: float, horizon: int
    ) -> Tensor:
        """What uniformly random actions earn in an episode, [tasks, poses] float64.

        By backward induction over the Markov chain of poses, which ends at the goal.
        """
        found = at_goal * self._goal_ahead.double() + at_wall * self._wall_ahead.double()
        pays = each_step + found / 3
        earned = torch.zeros_like(pays)
        for _ in range(horizon):
            left, right, forward = self._after(earned)
            earned = pays + (left + right + forward) / 3
        return _by_pose(earned)

    def _steps(self) -> Tensor:
        steps = torch.full(self._wall_ahead.shape, torch.inf, device=self._wall_ahead.device)
        while True:
            left, right, forward = self._after(steps)
            nearer = 1 + torch.minimum(torch.minimum(left, right), forward)
            if torch.equal(nearer, steps):
                return steps
            steps = nearer

    def _after(self, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The values of the poses to which turning left, right and going forward lead."""
        onward = torch.where(self._wall_ahead, value, self._forward(value))
        return value.roll(1, 1), value.roll(-1, 1), onward.masked_fill(self._goal_ahead, 0.0)

    @staticmethod
    def _forward(value: Tensor) -> Tensor:
        """What is ahead of each pose: of [tasks, headings, side, side] the neighbouring cell's, at
        the edge the cell's own.
        """
        side = torch.arange(value.shape[-1], device=value.device)
        moved = []
        for heading, (down, right) in enumerate(STEPS):
            axis, by = (1, down) if down else (2, right)
            at = (side + by).clamp(0, len(side) - 1)
            moved.append(value[:, heading].index_select(axis, at))
        return torch.stack(moved, dim=1)


def _by_pose(value: Tensor) -> Tensor:
    """[tasks, headings, side, side] -> [tasks, poses], as `Poses` numbers them."""
    return value.permute(0, 2, 3, 1).flatten(1)


class MazeRunner(Policy[Tensor]):
    """Runs a shortest way to the goal of its row's maze.

    What it sees does not tell where it is: it keeps count of its own steps. Context: the pose in
    which it last acted, [envs] int32.
    """

    def __init__(self, poses: Poses, maze: Tensor, start: Tensor) -> None:
        """`maze`: [tasks, side, side]; `start`: the pose in which episodes open, [tasks]; row `i`
        runs in maze `i`.
        """
        self._poses, self._maze, self._start = poses, maze, start
        self._best = Routes(maze).shortest_action()

    def initial_context(self, num_envs: int) -> Tensor:
        """Where the first episode opens."""
        return self._start.clone()

    def act(
        self, timestep: TimeStep, context: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The next action of the way."""
        device = timestep.episode_start.device
        maze, best, start = (t.to(device) for t in (self._maze, self._best, self._start))
        moved, _ = self._poses.moved(context.to(device), timestep.action, maze)
        pose = torch.where(timestep.episode_start, start, moved)
        return best.gather(1, pose.long()[:, None])[:, 0], pose
