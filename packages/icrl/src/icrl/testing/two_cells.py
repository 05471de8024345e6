"""TwoCells: the smallest family there is, for tests of whatever plays families."""

from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import TaskFamily
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl.vector import TaskVectorEnv

STAY, CROSS, LEAVE = 0, 1, 2
LENGTHS = {"train": (2, 4), "test": (3, 5)}


class TwoCells(TaskFamily):
    """Two cells, of which one pays.

        [0] - [1]      every episode starts in cell 0

    | what        | space       | meaning                                                   |
    |-------------|-------------|-----------------------------------------------------------|
    | observation | Discrete(2) | the cell                                                  |
    | action      | Discrete(3) | stay, cross, leave (which ends the episode, where it is)  |
    | reward      | 0 or 1      | 1 for every step that ends on the goal                    |
    | episode     | 2 to 5 steps| truncated after the task's own length                     |
    | task        | goal, length| goal 0 or 1; lengths 2 and 4 in train, 3 and 5 in test    |

    Who knows the goal earns the length.
    """

    id = "icrl.testing/TwoCells-v0"
    observation_space = spaces.Discrete(2)
    action_space = spaces.Discrete(3)
    max_episode_steps = 5
    trial_episodes = 7
    num_tasks = {"train": 4, "test": 4}  # noqa: RUF012 (as the contract has it)

    def __init__(self, *, reports_success: bool = True) -> None:
        self.reports_success = reports_success

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Distinct tasks of a split."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        every = [(goal, length) for length in LENGTHS[split] for goal in (0, 1)]
        order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))[:num_tasks]
        goal, length = torch.tensor(every)[order].unbind(1)
        return Tasks(self.id, dict(self.arguments), split, {"goal": goal, "length": length})

    def vector_env(
        self,
        tasks: Tasks,
        *,
        num_envs: int | None = None,
        episodes_per_task: int | None = None,
        device: torch.device | str = "cpu",
    ) -> "TwoCellsEnv":
        """Environments of fixed tasks."""
        self.check_tasks(tasks)
        if episodes_per_task is not None:
            raise NotImplementedError("TwoCells plays fixed tasks only")
        num_envs = num_envs or len(tasks)
        rows = tasks[torch.arange(num_envs) % len(tasks)]
        return TwoCellsEnv(self, rows.to(device), num_envs, torch.device(device))

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The length: there is a way to end every step on the goal."""
        return tasks.arrays["length"].float()

    def random_return(self, tasks: Tasks) -> Tensor:
        """By following the chances of being in each cell, and still there, step by step."""
        goal, length = tasks.arrays["goal"], tasks.arrays["length"]
        chance = torch.tensor([1.0, 0.0]).expand(len(tasks), 2)
        total = torch.zeros(len(tasks))
        for step in range(self.max_episode_steps):
            stay, cross, leave = chance / 3, chance.flip(1) / 3, chance / 3
            after = stay + cross + leave
            total += torch.where(step < length, after.gather(1, goal[:, None])[:, 0], 0.0)
            chance = stay + cross
        return total


class TwoCellsEnv(TaskVectorEnv):
    """Rows of two cells."""

    def __init__(self, family: TwoCells, tasks: Tasks, num_envs: int, device: torch.device) -> None:
        super().__init__(family, tasks, num_envs, device)
        self._cell = self._age = torch.zeros(num_envs, dtype=torch.int64, device=device)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tree, dict[str, Any]]:
        """Back to cell 0."""
        self._cell = self._age = torch.zeros_like(self._cell)
        none = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        return self._cell, self._info(self._cell, none, none)

    def step(self, actions: Tree) -> tuple[Tree, Tensor, Tensor, Tensor, dict[str, Any]]:
        """One step of every row."""
        actions = torch.as_tensor(actions, device=self.device)
        cell = torch.where(actions == CROSS, 1 - self._cell, self._cell)
        age = self._age + 1
        paid = cell == self.tasks.arrays["goal"]
        terminated = actions == LEAVE
        truncated = ~terminated & (age >= self.tasks.arrays["length"])
        ended = terminated | truncated
        self._cell = torch.where(ended, 0, cell)
        self._age = torch.where(ended, 0, age)
        return self._cell, paid.float(), terminated, truncated, self._info(cell, ended, paid)

    def _info(self, final: Tensor, ended: Tensor, paid: Tensor) -> dict[str, Any]:
        info = {"final_obs": final, "_final_obs": ended}
        return info | {"success": paid} if self.family.reports_success else info
