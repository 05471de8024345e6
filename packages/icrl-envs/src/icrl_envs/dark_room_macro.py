"""Dark Room with macro actions: three moves make one action, and new actions come with the test.

Sinii et al. 2024, "In-Context Reinforcement Learning for Variable Action Spaces" (Headless-AD),
arXiv:2312.13327.
"""

from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.errors import ConfigError
from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.partition import Partition
from icrl.tasks import Tasks
from icrl_envs.counts import check_counts
from icrl_envs.drawing import Picture
from icrl_envs.keypad_drawing import with_keypad
from icrl_envs.macros import MacroRoutes, Macros, MacroWalker
from icrl_envs.rooms import Room, View, paid
from icrl_envs.rules import check_rules
from icrl_envs.streams import task_stream

CHUNK = 128
"""Tasks that are solved at once, which bounds the memory."""
LONGEST = 5
"""Moves in a macro at most: there are 3125 such macros."""


class DarkRoomMacro(NativeFamily, Solved):
    """A room in the dark in which every action is a macro of three moves.

    | what        | space                 | meaning                                             |
    |-------------|-----------------------|-----------------------------------------------------|
    | observation | Discrete(size * size) | the agent's cell after the macro                    |
    | action      | Discrete(50)          | one of the task's macros                            |
    | reward      | 0 or 1                | 1 if the macro passes the goal                      |
    | episode     | 20 steps              | passing the goal ends it: a success                 |
    | task        | goal [2], macros [50] | a cell; the macro of each action, of the 125 in all |

    Every episode starts in the centre. 50 of the 125 macros train, and 85 % of the goals. Splits:

    | split      | macros                          | goals    |
    |------------|---------------------------------|----------|
    | `train`    | those that train                | training |
    | `test`     | 50 others                       | held out |
    | `goals`    | those that train                | held out |
    | `permuted` | those that train, in new order  | held out |

    All tasks of a split have the same macros, in the same order, as in the paper. (Its agents,
    whose number of actions may change, are also tested on all 75 other macros, and on all 125.) Who
    knows the task earns 1, a uniform random policy 0.27 (of `test` 0.23).

    Keywords: `size` (9, or a pair of rows and columns), `horizon` (20), `macro_length` (3 moves, at
    most 5), `num_actions` (50, at most half of the macros), `observation` (`"cell"` or
    `"position"`), `num_train_tasks` (68 goals) and `num_test_tasks` (13), `split_seed`,
    `trial_episodes` (200; the paper plays 1000).
    """

    splits = ("train", "test", "goals", "permuted")
    terminates = reports_success = True

    def __init__(
        self,
        *,
        size: int | tuple[int, int] = 9,
        horizon: int = 20,
        macro_length: int = 3,
        num_actions: int = 50,
        observation: View = "cell",
        num_train_tasks: int | None = None,
        num_test_tasks: int | None = None,
        split_seed: int = 0,
        trial_episodes: int = 200,
    ) -> None:
        check_rules(horizon, trial_episodes, "centre", observation)
        check_counts(1, macro_length=macro_length)
        check_counts(2, num_actions=num_actions)
        if macro_length > LONGEST:
            raise ConfigError(f"macro_length={macro_length}: expected at most {LONGEST}.")
        self.room = Room(size)
        self._macros = Macros(self.room, macro_length)
        self._check_actions(num_actions)
        self._horizon = self.max_episode_steps = horizon
        self.trial_episodes, self._view = trial_episodes, observation
        cells = self.room.num_cells
        self._partition = Partition(
            cells,
            num_train_tasks=num_train_tasks,
            num_test_tasks=-(-cells * 15 // 100) if num_test_tasks is None else num_test_tasks,
            split_seed=split_seed,
        )
        counts = self._partition.num_tasks
        self.num_tasks = {s: counts["train" if s == "train" else "test"] for s in self.splits}
        self._macros_of = self._deal(num_actions, split_seed)
        self.observation_space = self.room.observation_space(observation)
        self.action_space = spaces.Discrete(num_actions)
        of_action = spaces.MultiDiscrete([len(self._macros.moves)] * num_actions)
        self.task_space = spaces.Dict({"goal": self.room.position_space(), "macros": of_action})

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Goals [tasks, 2] and macros [tasks, actions] of a split; splits are disjoint by the pair
        of both.
        """
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        goals = "train" if split == "train" else "test"
        cells = self._partition.draw(num_tasks, split=goals, seed=seed)
        macros = self._macros_of[split].repeat(num_tasks, 1)
        arrays = {"goal": self.room.every_position[cells], "macros": macros}
        return Tasks(self.id, dict(self.arguments), split, arrays)

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """The agent in the centre; the goal's cell."""
        return {
            "cell": self.room.starts("centre", task["goal"], generator),
            "goal": self.room.cell(task["goal"]),
        }

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Make all moves of the action's macro; the goal pays on the way too."""
        macro = task["macros"].gather(1, action[:, None])[:, 0]
        passed = self._macros.played(state["cell"], macro)
        there = (passed == state["goal"][:, None]).any(1)
        after = {"cell": passed[:, -1], "goal": state["goal"]}
        return Consequence(after, paid(there), there, there)

    def observation(self, state: State, task: Task) -> Tensor:
        """Where the agent is."""
        return self.room.observation(state["cell"], self._view)

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The room, the goal, every move of the trail, the agent, and a key for each macro."""
        seen = self.room.positions_of(episode.observation, self._view)
        macros = torch.as_tensor(task["macros"])
        actions = torch.as_tensor(episode.action, dtype=torch.int64).flatten()
        passed = self._macros.played(self.room.cell(seen[:-1]), macros[actions])
        picture = Picture(self.room)
        picture.goal(task["goal"])
        picture.walk(torch.cat((seen[:1], self.room.every_position[passed.flatten().long()])))
        return with_keypad(picture, self._macros.moves[macros], actions)

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """1 where a shortest way passes the goal in time, [tasks] float32."""
        steps = torch.cat([ways.steps_to_goal() for ways in self._parts(tasks)])
        return (self._at_start(steps) <= self._horizon).float().to(tasks.arrays["goal"].device)

    def random_return(self, tasks: Tasks) -> Tensor:
        """By the Markov chain of cells, [tasks] float32."""
        success = torch.cat([ways.random_success(self._horizon) for ways in self._parts(tasks)])
        return self._at_start(success).float().to(tasks.arrays["goal"].device)

    def oracle(self, tasks: Tasks) -> MacroWalker:
        """Passes the goal with the fewest macros."""
        best = torch.cat([ways.shortest_action() for ways in self._parts(tasks)])
        return MacroWalker(self.room, self._view, best)

    def _parts(self, tasks: Tasks) -> list[MacroRoutes]:
        macros, cells = tasks.arrays["macros"], self.room.cell(tasks.arrays["goal"])
        parts = zip(macros.split(CHUNK), cells.split(CHUNK), strict=True)
        return [self._macros.routes(macro, cell) for macro, cell in parts]

    def _at_start(self, value: Tensor) -> Tensor:
        """The values in the centre, of [tasks, cells]."""
        return value.double() @ self.room.start_chances("centre")

    def _deal(self, num_actions: int, split_seed: int) -> dict[str, Tensor]:
        """The macros of each split's tasks, [actions] each."""
        stream = task_stream(split_seed, "macros", 0)
        order = torch.randperm(len(self._macros.moves), generator=stream)
        train, others = order[:num_actions], order[num_actions : 2 * num_actions]
        permuted = train
        while torch.equal(permuted, train):  # few actions may be dealt in their own order
            permuted = train[torch.randperm(num_actions, generator=stream)]
        return {"train": train, "test": others, "goals": train, "permuted": permuted}

    def _check_actions(self, num_actions: int) -> None:
        most = len(self._macros.moves) // 2
        if num_actions > most:
            raise ConfigError(
                f"num_actions={num_actions}: expected at most {most}, half of the "
                f"{len(self._macros.moves)} macros, so that as many others are left for the test."
            )
