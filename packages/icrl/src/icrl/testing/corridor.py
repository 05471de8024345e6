"""Corridor: a small native family with all there is (noise, random starts, early ends, success),
for tests.
"""

from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.partition import Partition
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep

CELLS, HORIZON, SLIP = 7, 11, 0.25


class Corridor(NativeFamily, Solved):
    """Seven cells in a row, one of which pays and ends the episode.

        [0] - [1] - [2] - [3] - [4] - [5] - [6]      episodes open in any of them

    | what        | space         | meaning                                              |
    |-------------|---------------|------------------------------------------------------|
    | observation | Discrete(7)   | the cell                                             |
    | action      | Discrete(2)   | left, right; one time in four it slips the other way |
    | reward      | 0 or the gain | the sum of the gain for the step onto the goal       |
    | episode     | 11 steps      | the goal ends it                                     |
    | task        | goal, gain [3]| goal 0 to 6, gain between 1 and 2                    |
    """

    id = "icrl-tests/Corridor-v0"
    observation_space = spaces.Discrete(CELLS)
    action_space = spaces.Discrete(2)
    task_space = spaces.Dict({"goal": spaces.Discrete(CELLS), "gain": spaces.Box(1, 4, (3,))})
    max_episode_steps = HORIZON
    trial_episodes = 3
    terminates = True
    reports_success = True

    def __init__(self) -> None:
        self.partition = Partition(
            11 * CELLS, num_train_tasks=None, num_test_tasks=None, split_seed=0
        )
        self.num_tasks = self.partition.num_tasks

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Goals and gains."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        drawn = self.partition.draw(num_tasks, split=split, seed=seed)
        gain = (1 + drawn // CELLS / 11).float()[:, None].expand(-1, 3).clone()
        return Tasks(self.id, dict(self.arguments), split, {"goal": drawn % CELLS, "gain": gain})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """Anywhere."""
        goal = task["goal"]
        cell = torch.randint(CELLS, goal.shape, generator=generator, device=goal.device)
        return {"cell": cell, "steps": torch.zeros_like(cell)}

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Move, or slip."""
        chance = torch.rand(action.shape, generator=generator, device=action.device)
        right = (action == 1) ^ (chance < SLIP)
        cell = (state["cell"] + torch.where(right, 1, -1)).clamp(0, CELLS - 1)
        there = cell == task["goal"]
        after = {"cell": cell, "steps": state["steps"] + 1}
        return Consequence(after, there * task["gain"].sum(1), there, there)

    def observation(self, state: State, task: Task) -> Tensor:
        """The cell."""
        return state["cell"].clone()

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """Two rows of pixels: the goal, and where the agent is."""
        picture = np.zeros((2, CELLS, 3), np.uint8)
        picture[0, np.ravel(task["goal"])] = 255
        picture[1, int(episode.observation[-1])] = 40 + len(episode.reward)
        return picture

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """Always towards the goal."""
        return self._earned(tasks, 1 - SLIP)

    def random_return(self, tasks: Tasks) -> Tensor:
        """Either way, equally often."""
        return self._earned(tasks, 0.5)

    def _earned(self, tasks: Tasks, towards: float) -> Tensor:
        """By the chances of being in each cell of a walk that goes towards the goal with that
        chance.
        """
        goal, cells = tasks.arrays["goal"][:, None], torch.arange(CELLS)
        right = torch.where(cells < goal, towards, torch.where(cells > goal, 1 - towards, 0.5))
        chances = torch.full((len(tasks), CELLS), 1 / CELLS)
        earned = torch.zeros(len(tasks))
        for _ in range(HORIZON):
            going_right, going_left = chances * right, chances * (1 - right)
            chances = torch.zeros_like(chances)
            chances[:, 1:] += going_right[:, :-1]
            chances[:, -1] += going_right[:, -1]
            chances[:, :-1] += going_left[:, 1:]
            chances[:, 0] += going_left[:, 0]
            earned += chances.gather(1, goal)[:, 0]
            chances = chances.scatter(1, goal, 0.0)
        return earned * tasks.arrays["gain"].sum(1)

    def oracle(self, tasks: Tasks) -> "CorridorOracle":
        """Knows the goal."""
        return CorridorOracle(tasks.arrays["goal"])


class CorridorOracle(Policy[None]):
    """Goes towards the goal, and either way where it stands on it."""

    def __init__(self, goal: Tensor) -> None:
        self.goal = goal

    def initial_context(self, num_envs: int) -> None:
        """Nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """One step."""
        either = torch.randint(2, self.goal.shape, generator=generator)
        towards = (timestep.observation < self.goal).long()
        return torch.where(timestep.observation == self.goal, either, towards), context
