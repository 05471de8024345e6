"""Grid Maze: explore a maze of which only the cells around are seen, then run to the goal.

The grid stand-in of the visual navigation of Duan et al. 2016, "RL²: Fast Reinforcement Learning
via Slow Reinforcement Learning", arXiv:1611.02779, section 3.3.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.errors import ConfigError
from icrl.families import Episode, LearnerView, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.tasks import Tasks
from icrl.vector import TaskVectorEnv
from icrl_envs.counts import check_counts
from icrl_envs.maze_drawing import maze_picture
from icrl_envs.maze_poses import GOAL, Poses
from icrl_envs.maze_routes import MazeRunner, Routes
from icrl_envs.perfect_mazes import distinct_mazes, rooms
from icrl_envs.played import played
from icrl_envs.streams import task_stream

AT_GOAL, AT_WALL = 1.0, -0.001
"""What the goal pays, and what running against a wall costs."""
CHUNK = 128
"""Mazes that are solved at once, which bounds the memory."""


class GridMaze(NativeFamily, Solved, LearnerView):
    """A perfect maze, seen through a small window.

    | what        | space                 | meaning                                               |
    |-------------|-----------------------|-------------------------------------------------------|
    | observation | Box(0, 2, [5, 5])     | cells around: 0 floor, 1 wall, 2 goal; ahead is up    |
    | action      | Discrete(3)           | turn left, turn right, go forward                     |
    | reward      | -0.041 to 0.96        | each step -0.04; at the goal +1, against a wall -0.001|
    | episode     | 250 steps             | the goal ends it: a success                           |
    | task        | maze [11, 11], start  | the cells, goal included; row, column, heading        |

    A maze of `size` x `size` rooms has a way of one cell in width between any two of them, and just
    one. Start and goal are two of its rooms, drawn uniformly, and stay through a trial, as does the
    heading at the start. The window has the agent in its middle, turns with it, and shows what lies
    behind walls too. Who knows the maze earns 0.23 on average, with every episode a success; a
    uniform random policy -8.6 (9 x 9: -1.11 and -36.3).

    Training and test mazes differ in their walls, which are fixed by `split_seed`. Keywords: `size`
    (5 rooms along a side) and `horizon` (250; RL² tests 9 x 9 rooms with 1000 steps); `view` (5,
    odd); `step_cost` (0.04; SNAIL says 0.01); `num_train_tasks` and `num_test_tasks` (1000 each, as
    in RL²); `split_seed`; `trial_episodes` (2, as RL² trains; it tests 5 too).

    A source's learner may see the pose (cell and heading), with which a table can be learned.
    """

    action_space = spaces.Discrete(3)
    terminates = reports_success = True

    def __init__(
        self,
        *,
        size: int = 5,
        horizon: int = 250,
        view: int = 5,
        step_cost: float = 0.04,
        num_train_tasks: int = 1000,
        num_test_tasks: int = 1000,
        split_seed: int = 0,
        trial_episodes: int = 2,
    ) -> None:
        check_counts(2, size=size)
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes, view=view)
        check_counts(1, num_train_tasks=num_train_tasks, num_test_tasks=num_test_tasks)
        check_counts(0, split_seed=split_seed)
        if view % 2 == 0:
            raise ConfigError(
                f"view={view}: expected an odd number, as the agent is in its middle."
            )
        if not 0 <= step_cost < math.inf:
            raise ConfigError(f"step_cost={step_cost}: expected 0 or more, and finite.")
        self._horizon = self.max_episode_steps = horizon
        self._step_cost = step_cost
        self.trial_episodes = trial_episodes
        self._poses = Poses(2 * size + 1, view)
        self._size, self._split_seed = size, split_seed
        self.num_tasks = counts = {"test": num_test_tasks, "train": num_train_tasks}
        self._of_split = self._draw(counts)
        self._pays: dict[torch.device, Tensor] = {}
        side = self._poses.side
        self.observation_space = spaces.Box(0, GOAL, (view, view), np.uint8)
        self.learner_observation_space = spaces.Discrete(self._poses.count)
        self.task_space = spaces.Dict(
            {
                "maze": spaces.Box(0, GOAL, (side, side), np.uint8),
                "start": spaces.MultiDiscrete([side, side, 4]),
            }
        )

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Mazes [tasks, 2 * size + 1, 2 * size + 1] and starts [tasks, 3] of a split; splits are
        disjoint by the walls.
        """
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        every, generator = self._of_split[split], torch.Generator().manual_seed(seed)
        drawn = torch.randperm(len(every["start"]), generator=generator)[:num_tasks]
        arrays = {name: array[drawn] for name, array in every.items()}
        return Tasks(self.id, dict(self.arguments), split, arrays)

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The pose at the start."""
        return self._poses.number(*task["start"].unbind(1)).int()

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Turn, or go forward unless a wall is there."""
        pose, found = self._poses.moved(state, action, task["maze"])
        there = found == GOAL
        return Consequence(pose, self._paid(found), there, there)

    def observation(self, state: State, task: Task) -> Tensor:
        """The cells around, turned so that up is ahead."""
        seen = task["maze"].flatten(1).gather(1, self._poses.cells_seen(state))
        return seen.view(-1, self._poses.view, self._poses.view)

    def learner_observation(self, env: TaskVectorEnv) -> Tensor:
        """The pose, [envs] int64.

        Raises:
            UsageError: for another family's environment, and before the first reset.
        """
        return _pose(played(env).state)

    def learner_outcome(self, env: TaskVectorEnv) -> Tensor:
        """The same of what the last action led to."""
        return _pose(played(env).outcome_state)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The maze with its goal, the way so far, the agent, and the window that it sees."""
        walk = self.walk(task, episode)
        return maze_picture(task["maze"], walk, self._poses.cells_in_window(int(walk[-1])))

    def walk(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The poses of an episode, [time + 1]."""
        return self._poses.walk(task["start"], episode.action, task["maze"]).numpy()

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """By breadth-first search over cells and headings, [tasks] float32.

        Who cannot reach the goal in time turns on the spot until the end.
        """
        steps = [
            ways.steps_to_goal().gather(1, start[:, None])[:, 0]
            for ways, start in self._parts(tasks)
        ]
        needed = torch.cat(steps).double()
        in_time = needed <= self._horizon
        spent = needed.clamp(max=self._horizon)
        return (AT_GOAL * in_time - self._step_cost * spent).float()

    def random_return(self, tasks: Tasks) -> Tensor:
        """By the Markov chain of cells and headings, [tasks] float32."""
        earned = [
            ways.random_returns(
                at_goal=AT_GOAL,
                at_wall=AT_WALL,
                each_step=-self._step_cost,
                horizon=self._horizon,
            ).gather(1, start[:, None])[:, 0]
            for ways, start in self._parts(tasks)
        ]
        return torch.cat(earned).float()

    def oracle(self, tasks: Tasks) -> MazeRunner:
        """Runs a shortest way, by its own count of where it is."""
        start = self.initial(tasks.arrays, torch.Generator())
        return MazeRunner(self._poses, tasks.arrays["maze"], start)

    def _parts(self, tasks: Tasks) -> list[tuple[Routes, Tensor]]:
        """The routes of some tasks after the other, and the poses at their starts."""
        start = self.initial(tasks.arrays, torch.Generator()).long()
        parts = zip(tasks.arrays["maze"].split(CHUNK), start.split(CHUNK), strict=True)
        return [(Routes(maze), pose) for maze, pose in parts]

    def _paid(self, found: Tensor) -> Tensor:
        """The reward of a step onto floor, against a wall or onto the goal, float32."""
        if found.device not in self._pays:
            pays = torch.tensor((0.0, AT_WALL, AT_GOAL)) - self._step_cost
            self._pays[found.device] = pays.to(found.device)
        return self._pays[found.device].index_select(0, found.int())

    def _draw(self, counts: dict[str, int]) -> dict[str, dict[str, Tensor]]:
        """All tasks of each split; those that come first do not depend on how many follow."""
        stream = task_stream(self._split_seed, "mazes", 0)
        walls = distinct_mazes(sum(counts.values()), self._size, stream)
        parts = zip(counts, walls.split(list(counts.values())), strict=True)
        return {
            split: self._placed(part, task_stream(self._split_seed, split, 0))
            for split, part in parts
        }

    def _placed(self, walls: Tensor, stream: torch.Generator) -> dict[str, Tensor]:
        """Mazes with a goal in them, and starts: the tasks' arrays."""
        count, places = len(walls), rooms(self._size)
        uniform = torch.rand(count, 3, generator=stream)
        start = (uniform[:, 0] * len(places)).long().clamp(max=len(places) - 1)
        goal = (uniform[:, 1] * (len(places) - 1)).long().clamp(max=len(places) - 2)
        goal = goal + (goal >= start)
        heading = (uniform[:, 2] * 4).long().clamp(max=3)
        maze = walls.to(torch.uint8)
        maze[torch.arange(count), places[goal, 0], places[goal, 1]] = GOAL
        return {"maze": maze, "start": torch.cat((places[start], heading[:, None]), dim=1)}


def _pose(state: State) -> Tensor:
    assert isinstance(state, Tensor)
    return state.long()
