"""Dark Key-to-Door: find a key that you cannot see, then a door that only the key opens.

Laskin et al. 2022, "In-context Reinforcement Learning with Algorithm Distillation",
arXiv:2210.14215.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, LearnerView, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.partition import Partition
from icrl.tasks import Tasks
from icrl.vector import TaskVectorEnv
from icrl_envs.drawing import Picture
from icrl_envs.oracle import KeyAndDoorWalker
from icrl_envs.played import played
from icrl_envs.rooms import MOVES, Room, Start, View, paid
from icrl_envs.rules import check_rules
from icrl_envs.walks import payments, random_payments_with_key, shortest_paths


class DarkKeyToDoor(NativeFamily, Solved, LearnerView):
    """A dark room with a key and a door.

    | what        | space                       | meaning                                          |
    |-------------|-----------------------------|--------------------------------------------------|
    | observation | MultiDiscrete([size, size]) | the agent's row and column; nothing of the key   |
    | action      | Discrete(5)                 | stay, up, right, down, left                      |
    | reward      | 0 or 1                      | 1 for the first step on the key, then 1 for the  |
    |             |                             | first step on the door with the key in hand      |
    | episode     | 50 steps, truncated         | the door does not end it                         |
    | task        | key [2], door [2]           | uniform over all pairs of cells, also equal ones |

    Every episode starts in a random cell, without the key. Where key and door share a cell, the key
    is found by one step and the door opened by another. 1000 of the 6561 tasks train, 200 others
    are held out. Opening the door is reported as success. Who knows the task earns 2 (size 9), a
    uniform random policy 0.25.

    What the literature varies, as keywords:

    * `size`: 9, or a pair (rows, columns); `horizon`: 50;
    * `start`: `"random"`, `"random-off-key"` (any cell but the key's), `"centre"`, or `"corner"`
      (the first cell);
    * `pays_every_step=True`: the door pays every step that ends on it with the key in hand;
    * `terminates=True`: the door pays once and ends the episode;
    * `observation="cell"`: the cell's number, Discrete(rows * columns), in place of row and column;
    * `num_train_tasks` (1000, or all that are not held out), `num_test_tasks` (200, or a fifth of
      all), `split_seed`;
    * `trial_episodes`: how long an evaluation is by default.

    A source's learner sees whether the key is in hand, without which tabular learning cannot work.
    """

    action_space = spaces.Discrete(len(MOVES))

    def __init__(
        self,
        *,
        size: int | tuple[int, int] = 9,
        horizon: int = 50,
        start: Start | Literal["random-off-key"] = "random",
        pays_every_step: bool = False,
        terminates: bool = False,
        observation: View = "position",
        num_train_tasks: int | None = None,
        num_test_tasks: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 100,
    ) -> None:
        check_rules(horizon, trial_episodes, start, observation, "random-off-key")
        self.room = Room(size)
        self._horizon = self.max_episode_steps = horizon
        self.trial_episodes = trial_episodes
        self.terminates, self.reports_success = terminates, True
        self._pays_every_step = pays_every_step and not terminates
        self._start, self._view = start, observation
        self.observation_space = self.room.observation_space(observation)
        seen = (
            [self.room.rows, self.room.columns]
            if observation == "position"
            else [self.room.num_cells]
        )
        self.learner_observation_space = spaces.MultiDiscrete([*seen, 2])
        place = self.room.position_space()
        self.task_space = spaces.Dict({"key": place, "door": place})
        total = self.room.num_cells**2
        held_out = min(200, round(total / 5)) if num_test_tasks is None else num_test_tasks
        train = min(1000, total - held_out) if num_train_tasks is None else num_train_tasks
        self._partition = Partition(
            total, num_train_tasks=train, num_test_tasks=held_out, split_seed=split_seed
        )
        self.num_tasks = self._partition.num_tasks

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Keys and doors [tasks, 2] of a split; splits are disjoint by the pair of both."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        pairs = self._partition.draw(num_tasks, split=split, seed=seed)
        places = self.room.every_position
        key, door = places[pairs // self.room.num_cells], places[pairs % self.room.num_cells]
        return Tasks(self.id, dict(self.arguments), split, {"key": key, "door": door})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The agent at the start; the cells of key and door; whether the key is held, and the door
        open.
        """
        key, door = self.room.cell(task["key"]), self.room.cell(task["door"])
        cell = (
            self.room.starts_off(key, generator)
            if self._start == "random-off-key"
            else self.room.starts(self._start, key, generator)
        )
        no = torch.zeros_like(key, dtype=torch.bool)
        return {"cell": cell, "key": key, "door": door, "has_key": no, "opened": no}

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Move; take the key, or open the door with it."""
        cell = self.room.moved(state["cell"], action)
        takes = (cell == state["key"]) & ~state["has_key"]
        at_door = (cell == state["door"]) & state["has_key"]
        opens = at_door & ~state["opened"]
        pays = takes | (at_door if self._pays_every_step else opens)
        after = {
            "cell": cell,
            "key": state["key"],
            "door": state["door"],
            "has_key": state["has_key"] | takes,
            "opened": state["opened"] | at_door,
        }
        return Consequence(after, paid(pays), opens if self.terminates else None, opens)

    def observation(self, state: State, task: Task) -> Tensor:
        """Where the agent is, and nothing of the key."""
        return self.room.observation(state["cell"], self._view)

    def learner_observation(self, env: TaskVectorEnv) -> Tensor:
        """The observation, and whether the key is held, [envs, ...] int64.

        Raises:
            UsageError: for another family's environment, and before the first reset.
        """
        return self._with_key(played(env).state)

    def learner_outcome(self, env: TaskVectorEnv) -> Tensor:
        """The same of what the last action led to."""
        return self._with_key(played(env).outcome_state)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The room, the trail and the agent, and for the onlooker the door, and the key until it is
        taken.
        """
        walk = self.room.positions_of(episode.observation, self._view)
        found = (walk[1:] == torch.as_tensor(task["key"])).all(-1).nonzero()[:, 0]
        key_time = int(found[0]) + 1 if len(found) else None
        opened = key_time is not None and bool(
            (walk[key_time + 1 :] == torch.as_tensor(task["door"])).all(-1).any()
        )
        picture = Picture(self.room)
        picture.door(task["door"], opened=opened)
        picture.key(task["key"], taken=key_time is not None)
        picture.walk(walk, key_time=key_time)
        return picture.pixels()

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The key and then the door are reached on shortest paths, [tasks] float32."""
        key, door = self._cells(tasks)
        every_cell = torch.arange(self.room.num_cells)
        arrival = shortest_paths(self.room, every_cell, [key, door])
        earned = payments(arrival[..., 0], self._horizon, every_step=False)
        earned += payments(arrival[..., 1], self._horizon, every_step=self._pays_every_step)
        return (earned * self._start_chances(key)).sum(1).float().to(tasks.arrays["key"].device)

    def random_return(self, tasks: Tasks) -> Tensor:
        """By the chances of being in each cell, with and without the key, step by step, [tasks]
        float32.
        """
        key, door = self._cells(tasks)
        earned = random_payments_with_key(
            self.room,
            self._start_chances(key),
            key,
            door,
            self._horizon,
            every_step=self._pays_every_step,
        )
        return earned.float().to(tasks.arrays["key"].device)

    def oracle(self, tasks: Tasks) -> KeyAndDoorWalker:
        """Walks straight to the key, then to the door."""
        return KeyAndDoorWalker(self.room, self._view, tasks.arrays["key"], tasks.arrays["door"])

    def _cells(self, tasks: Tasks) -> tuple[Tensor, Tensor]:
        return self.room.cell(tasks.arrays["key"]).cpu(), self.room.cell(tasks.arrays["door"]).cpu()

    def _start_chances(self, key: Tensor) -> Tensor:
        """How likely an episode opens in each cell, [tasks, cells] float64."""
        if self._start == "random-off-key":
            return self.room.start_chances_off(key)
        return self.room.start_chances(self._start).expand(len(key), -1)

    def _with_key(self, state: State) -> Tensor:
        seen = self.room.observation(state["cell"], self._view).view(len(state["cell"]), -1)
        return torch.cat((seen, state["has_key"].long()[:, None]), dim=1)
