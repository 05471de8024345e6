"""Dark Room: find a goal that you cannot see, then remember where it was.

Laskin et al. 2022, "In-context Reinforcement Learning with Algorithm Distillation",
arXiv:2210.14215.
"""

from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.partition import Partition
from icrl.tasks import Tasks
from icrl_envs.drawing import Picture
from icrl_envs.oracle import GoalWalker
from icrl_envs.rooms import MOVES, Room, Start, View, paid
from icrl_envs.rules import check_rules
from icrl_envs.walks import payments, random_payments, shortest_paths


class DarkRoom(NativeFamily, Solved):
    """A room in the dark.

    | what        | space                       | meaning                                 |
    |-------------|-----------------------------|-----------------------------------------|
    | observation | MultiDiscrete([size, size]) | the agent's row and column              |
    | action      | Discrete(5)                 | stay, up, right, down, left             |
    | reward      | 0 or 1                      | 1 for every step that ends on the goal  |
    | episode     | 20 steps, truncated         | the goal does not end it                |
    | task        | goal [2]                    | uniform over the cells, centre included |

    Every episode starts in the centre. 65 goals train, 16 are held out. Who knows the goal earns
    16.54 on average (size 9), a uniform random policy 0.25.

    What the literature varies, as keywords:

    * `size`: 9, or a pair (rows, columns); `horizon`: 20;
    * `start`: `"centre"`, `"corner"` (the first cell), or `"random"` (any cell, anew in each
      episode);
    * `pays_every_step=False`: the goal pays the first step on it only (Dark Room Hard);
    * `terminates=True`: that step also ends the episode;
    * `observation="cell"`: the cell's number, Discrete(rows * columns), in place of row and column;
    * `num_train_tasks` (all that are not held out), `num_test_tasks` (a fifth of all),
      `split_seed`;
    * `trial_episodes`: how long an evaluation is by default.

    Where the goal pays once, the step that it pays is reported as success.
    """

    action_space = spaces.Discrete(len(MOVES))

    def __init__(
        self,
        *,
        size: int | tuple[int, int] = 9,
        horizon: int = 20,
        start: Start = "centre",
        pays_every_step: bool = True,
        terminates: bool = False,
        observation: View = "position",
        num_train_tasks: int | None = None,
        num_test_tasks: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 60,
    ) -> None:
        check_rules(horizon, trial_episodes, start, observation)
        self.room = Room(size)
        self._horizon = self.max_episode_steps = horizon
        self.trial_episodes = trial_episodes
        self.terminates = terminates
        self._pays_every_step = pays_every_step and not terminates
        self._start, self._view = start, observation
        self.reports_success = not self._pays_every_step
        self.observation_space = self.room.observation_space(observation)
        self.task_space = spaces.Dict({"goal": self.room.position_space()})
        self._partition = Partition(
            self.room.num_cells,
            num_train_tasks=num_train_tasks,
            num_test_tasks=num_test_tasks,
            split_seed=split_seed,
        )
        self.num_tasks = self._partition.num_tasks

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Goals [tasks, 2] of a split; splits are disjoint by goal."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        cells = self._partition.draw(num_tasks, split=split, seed=seed)
        goals = self.room.every_position[cells]
        return Tasks(self.id, dict(self.arguments), split, {"goal": goals})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The agent at the start; the goal's cell; whether the goal has paid."""
        state = {
            "cell": self.room.starts(self._start, task["goal"], generator),
            "goal": self.room.cell(task["goal"]),
        }
        if not self._pays_every_step:
            state["paid"] = torch.zeros_like(state["goal"], dtype=torch.bool)
        return state

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Move, and be paid on the goal."""
        cell = self.room.moved(state["cell"], action)
        there = cell == state["goal"]
        if self._pays_every_step:
            return Consequence({"cell": cell, "goal": state["goal"]}, paid(there))
        first = there & ~state["paid"]
        after = {"cell": cell, "goal": state["goal"], "paid": state["paid"] | there}
        return Consequence(after, paid(first), first if self.terminates else None, first)

    def observation(self, state: State, task: Task) -> Tensor:
        """Where the agent is."""
        return self.room.observation(state["cell"], self._view)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The room, the trail, the agent, and the goal, which only the onlooker sees."""
        picture = Picture(self.room)
        picture.goal(task["goal"])
        picture.walk(self.room.positions_of(episode.observation, self._view))
        return picture.pixels()

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The goal is reached on a shortest path, and kept, [tasks] float32."""
        every_cell = torch.arange(self.room.num_cells)
        arrival = shortest_paths(self.room, every_cell, [self._goals(tasks)])[..., 0]
        earned = payments(arrival, self._horizon, every_step=self._pays_every_step)
        return (earned @ self.room.start_chances(self._start)).float().to(self._device(tasks))

    def random_return(self, tasks: Tasks) -> Tensor:
        """The powers of the Markov chain of uniform moves, [tasks] float32."""
        chances = self.room.start_chances(self._start).expand(len(tasks), -1)
        earned = random_payments(
            self.room,
            chances,
            self._goals(tasks),
            self._horizon,
            every_step=self._pays_every_step,
        )
        return earned.float().to(self._device(tasks))

    def oracle(self, tasks: Tasks) -> GoalWalker:
        """Walks straight to the goal and stays."""
        return GoalWalker(self.room, self._view, tasks.arrays["goal"])

    def _goals(self, tasks: Tasks) -> Tensor:
        return self.room.cell(tasks.arrays["goal"]).cpu()

    def _device(self, tasks: Tasks) -> torch.device:
        return tasks.arrays["goal"].device
