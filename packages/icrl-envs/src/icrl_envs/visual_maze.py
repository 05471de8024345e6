"""Visual Maze: find the target of a maze that is seen in the first person, then run there.

The visual navigation of Duan et al. 2016, "RL²: Fast Reinforcement Learning via Slow Reinforcement
Learning", arXiv:1611.02779, section 3.3.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.tasks import Tasks
from icrl_envs.counts import check_counts
from icrl_envs.grid_maze import GridMaze
from icrl_envs.maze_drawing import maze_picture
from icrl_envs.maze_poses import GOAL, WALL
from icrl_envs.maze_routes import MazeRunner
from icrl_envs.perfect_mazes import STEPS
from icrl_envs.raycaster import Camera, pillar_hit, walls_hit
from icrl_envs.strips import Strips
from icrl_envs.view_drawing import side_by_side
from icrl_envs.wallpapers import FACE_WIDTH, TARGET_MATERIAL, maze_paper

PILLAR = 0.25
"""Radius of the pillar at the target, in cells."""


class VisualMaze(NativeFamily, Solved):
    """A perfect maze in the first person.

    | what        | space                    | meaning                                             |
    |-------------|--------------------------|-----------------------------------------------------|
    | observation | Box(0, 255, (30, 40, 3)) | uint8 pixels, 90 degrees wide                       |
    | action      | Discrete(3)              | turn left, turn right, go forward                   |
    | reward      | -0.041 to 0.96           | each step -0.04; at the target +1, against a wall   |
    |             |                          | -0.001                                              |
    | episode     | 250 steps, truncated     | the target ends it: a success                       |
    | task        | maze [11, 11], start     | the cells, target included; row, column, heading    |

    The mazes, starts, moves and rewards are those of `GridMaze`: `size` x `size` rooms, of which
    one way joins any two; start and target are two of them and stay through a trial. The target is
    a green pillar, seen as soon as no wall hides it. Walls that look north or south are brown,
    others grey, so that it can be told along which of the two a gaze goes.

    In RL²'s ViZDoom mazes an agent glides, by steps and angles that the paper does not give. Here
    it moves by cells and turns by quarters, so that optimum and random return are exact: who knows
    the maze earns 0.23 on average, with every episode a success; a uniform random policy -8.6
    (9 x 9: -1.11 and -36.3).

    Training and test mazes differ in their walls, which are fixed by `split_seed`. Keywords: `size`
    (5 rooms along a side) and `horizon` (250; RL² tests 9 x 9 rooms with 1000 steps); `height` (30)
    and `width` (40) in pixels; `step_cost` (0.04; SNAIL says 0.01); `num_train_tasks` and
    `num_test_tasks` (1000 each, as in RL²); `split_seed`; `trial_episodes` (2, as RL² trains; it
    tests 5 too).
    """

    action_space = spaces.Discrete(3)
    terminates = True
    reports_success = True
    dear_observation = True

    def __init__(
        self,
        *,
        size: int = 5,
        horizon: int = 250,
        height: int = 30,
        width: int = 40,
        step_cost: float = 0.04,
        num_train_tasks: int = 1000,
        num_test_tasks: int = 1000,
        split_seed: int = 0,
        trial_episodes: int = 2,
    ) -> None:
        check_counts(1, height=height, width=width)
        self._grid = GridMaze(
            size=size,
            horizon=horizon,
            step_cost=step_cost,
            num_train_tasks=num_train_tasks,
            num_test_tasks=num_test_tasks,
            split_seed=split_seed,
            trial_episodes=trial_episodes,
        )
        self.max_episode_steps, self.trial_episodes = horizon, trial_episodes
        self.num_tasks, self.task_space = self._grid.num_tasks, self._grid.task_space
        self.observation_space = spaces.Box(0, 255, (height, width, 3), np.uint8)
        self._camera = Camera(height=height, width=width, field_of_view=90, eye=0.5, wall=1)
        self._strips = Strips(
            self._camera,
            maze_paper(),
            floor=(96, 94, 92),
            ceiling=(58, 64, 82),
            nearest=0.2,
            farthest=2 * size + 1,
            half_light=4,
        )
        self._headings = {torch.device("cpu"): torch.tensor(STEPS, dtype=torch.float32)}

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Mazes [tasks, 2 * size + 1, 2 * size + 1] and starts [tasks, 3] of a split; splits are
        disjoint by the walls.
        """
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        drawn = self._grid.sample_tasks(num_tasks, split=split, seed=seed)
        return replace(drawn, family=self.id, arguments=dict(self.arguments))

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The pose at the start; where the target is, (row, column) in cells."""
        maze = task["maze"]
        cell = (maze == GOAL).flatten(1).int().argmax(1)
        target = torch.stack((cell // maze.shape[2], cell % maze.shape[2]), dim=1) + 0.5
        return {"pose": self._grid.initial(task, generator), "target": target}

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Turn, or go forward unless a wall is there."""
        done = self._grid.transition(state["pose"], action, task, generator)
        return done._replace(state={"pose": done.state, "target": state["target"]})

    def observation(self, state: State, task: Task) -> Tensor:
        """Walls, and the target's pillar where none hides it."""
        maze, pose = task["maze"], state["pose"]
        device, cell = maze.device, pose // len(STEPS)
        if device not in self._headings:
            self._headings[device] = self._headings[torch.device("cpu")].to(device)
        position = torch.stack((cell // maze.shape[2], cell % maze.shape[2]), dim=1) + 0.5
        gaze = self._headings[device].index_select(0, pose % len(STEPS))
        slopes = self._camera.slopes(device)
        wall = walls_hit(maze == WALL, position, gaze, slopes)
        pillar = pillar_hit(state["target"], PILLAR, position, gaze, slopes)
        line = (wall.along * FACE_WIDTH).int().clamp(max=FACE_WIDTH - 1)
        line = line + wall.across.int() * FACE_WIDTH
        shown = pillar < wall.distance
        return self._strips.views(
            torch.where(shown, pillar, wall.distance), line.masked_fill(shown, TARGET_MATERIAL)
        )

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The maze from above, with its target, the way so far and the agent, beside its view."""
        above = maze_picture(task["maze"], self._grid.walk(task, episode), np.zeros(0, np.int64))
        return side_by_side(above, episode.observation[-1].cpu().numpy())

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """By breadth-first search over cells and headings, [tasks] float32."""
        return self._grid.optimal_return(tasks)

    def random_return(self, tasks: Tasks) -> Tensor:
        """By the Markov chain of cells and headings, [tasks] float32."""
        return self._grid.random_return(tasks)

    def oracle(self, tasks: Tasks) -> MazeRunner:
        """Runs a shortest way, by its own count of where it is."""
        return self._grid.oracle(tasks)
