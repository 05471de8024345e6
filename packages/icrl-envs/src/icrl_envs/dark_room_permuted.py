"""Dark Room with permuted actions: the goal is known, but not what the actions do.

Son et al. 2025, "Distilling Reinforcement Learning Algorithms for In-Context Model-Based Planning"
(DICP), arXiv:2502.19009.
"""

from collections.abc import Mapping
from itertools import permutations

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.partition import Partition
from icrl.tasks import Tasks
from icrl_envs.drawing import Picture
from icrl_envs.keypad_drawing import with_keypad
from icrl_envs.oracle import PermutedWalker
from icrl_envs.rooms import MOVES, Room, View, paid
from icrl_envs.rules import check_rules
from icrl_envs.walks import payments, random_payments, steps_between


class DarkRoomPermuted(NativeFamily, Solved):
    """A room in the dark, with a remote control whose labels are gone.

    | what        | space                       | meaning                                 |
    |-------------|-----------------------------|-----------------------------------------|
    | observation | MultiDiscrete([size, size]) | the agent's row and column              |
    | action      | Discrete(5)                 | one of the moves, the task says which   |
    | reward      | 0 or 1                      | 1 for every step that ends on the goal  |
    | episode     | 50 steps, truncated         | the goal does not end it                |
    | task        | moves [5]                   | the move (stay, up, right, down, left)  |
    |             |                             | that each action makes: a permutation   |

    Every episode starts in the first corner; the goal is always the opposite one. Of the 120
    permutations 108 train and 12 are held out. Who knows the permutation earns 35 (size 9), a
    uniform random policy 0.024, whatever the permutation.

    Keywords: `size` (9, or a pair of rows and columns), `horizon` (50), `observation` (`"position"`
    or `"cell"`), `num_train_tasks` (all that are not held out), `num_test_tasks` (12),
    `split_seed`, `trial_episodes` (50).
    """

    action_space = spaces.Discrete(len(MOVES))
    terminates = False

    def __init__(
        self,
        *,
        size: int | tuple[int, int] = 9,
        horizon: int = 50,
        observation: View = "position",
        num_train_tasks: int | None = None,
        num_test_tasks: int = 12,
        split_seed: int = 0,
        trial_episodes: int = 50,
    ) -> None:
        check_rules(horizon, trial_episodes, "corner", observation)
        self.room = Room(size)
        self._goal = self.room.num_cells - 1
        self._horizon = self.max_episode_steps = horizon
        self.trial_episodes, self._view = trial_episodes, observation
        self.observation_space = self.room.observation_space(observation)
        self.task_space = spaces.Dict({"moves": spaces.MultiDiscrete([len(MOVES)] * len(MOVES))})
        self._permutations = torch.tensor(list(permutations(range(len(MOVES)))))
        self._partition = Partition(
            len(self._permutations),
            num_train_tasks=num_train_tasks,
            num_test_tasks=num_test_tasks,
            split_seed=split_seed,
        )
        self.num_tasks = self._partition.num_tasks

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Permutations [tasks, 5] of a split; splits are disjoint by permutation."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        moves = self._permutations[self._partition.draw(num_tasks, split=split, seed=seed)]
        return Tasks(self.id, dict(self.arguments), split, {"moves": moves})

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The agent's cell: the first corner."""
        return self.room.starts("corner", task["moves"], generator)

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Make the action's move, and be paid on the goal."""
        cell = self.room.moved(state, task["moves"].gather(1, action[:, None])[:, 0])
        return Consequence(cell, paid(cell == self._goal))

    def observation(self, state: State, task: Task) -> Tensor:
        """Where the agent is."""
        return self.room.observation(state, self._view)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The room, the goal, the trail and the agent; a key for each action, with its move."""
        picture = Picture(self.room)
        picture.goal(self.room.every_position[self._goal].numpy())
        picture.walk(self.room.positions_of(episode.observation, self._view))
        return with_keypad(picture, torch.as_tensor(task["moves"])[:, None], episode.action)

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The goal is reached on a shortest path, and kept, [tasks] float32."""
        arrival = steps_between(self.room, torch.tensor([0]), torch.tensor([self._goal]))
        return self._of_each(payments(arrival, self._horizon, every_step=True), tasks)

    def random_return(self, tasks: Tasks) -> Tensor:
        """The powers of the Markov chain of uniform moves, which a permutation does not change,
        [tasks] float32.
        """
        chances, goal = self.room.start_chances("corner")[None], torch.tensor([self._goal])
        earned = random_payments(self.room, chances, goal, self._horizon, every_step=True)
        return self._of_each(earned, tasks)

    def oracle(self, tasks: Tasks) -> PermutedWalker:
        """Walks straight to the goal, with the actions that make the moves it wants."""
        goal = self.room.every_position[self._goal]
        return PermutedWalker(self.room, self._view, goal, tasks.arrays["moves"])

    def _of_each(self, earned: Tensor, tasks: Tasks) -> Tensor:
        """What all tasks earn alike, [1], as [tasks] float32 on their device."""
        return earned.float().repeat(len(tasks)).to(tasks.arrays["moves"].device)
