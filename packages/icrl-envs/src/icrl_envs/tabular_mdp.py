"""Tabular MDP: a random world of few states, to be learned and planned in within a few episodes.

Duan et al. 2016, "RL²: Fast Reinforcement Learning via Slow Reinforcement Learning",
arXiv:1611.02779, section 3.2.
"""

from collections.abc import Mapping

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl_envs.counts import check_counts
from icrl_envs.streams import task_stream
from icrl_envs.tabular_drawing import tabular_picture


class TabularMDP(NativeFamily, Solved):
    """States and actions without a meaning.

    | what        | space                                | meaning                                 |
    |-------------|--------------------------------------|-----------------------------------------|
    | observation | Discrete(10)                         | the state                               |
    | action      | Discrete(5)                          |                                         |
    | reward      | a number                             | normal: mean of state and action, sd 1  |
    | episode     | 10 steps, truncated                  | opens in state 0                        |
    | task        | transition [states, actions, states] | each row a flat Dirichlet draw          |
    |             | reward [states, actions]             | means, normal around 1, sd 1            |

    Tasks are continuous: train and test draw from streams seeded apart, by split and `split_seed`.
    Who knows the task earns 21.8 an episode on average (by value iteration over the steps that are
    left), a uniform random policy 10. RL²'s trials have 10, 25, 50, 75 and 100 episodes.

    Keywords: `num_states` (10), `num_actions` (5), `horizon` (10), `trial_episodes` (10),
    `split_seed`.
    """

    terminates = False

    def __init__(
        self,
        *,
        num_states: int = 10,
        num_actions: int = 5,
        horizon: int = 10,
        trial_episodes: int = 10,
        split_seed: int = 0,
    ) -> None:
        check_counts(2, num_states=num_states, num_actions=num_actions)
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes)
        check_counts(0, split_seed=split_seed)
        self.num_states, self.num_actions = num_states, num_actions
        self._horizon = self.max_episode_steps = horizon
        self.trial_episodes = trial_episodes
        self._split_seed = split_seed
        self.observation_space = spaces.Discrete(num_states)
        self.action_space = spaces.Discrete(num_actions)
        means = spaces.Box(-np.inf, np.inf, (num_states, num_actions), np.float32)
        chances = spaces.Box(0, 1, (num_states, num_actions, num_states), np.float32)
        self.task_space = spaces.Dict({"transition": chances, "reward": means})

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Transitions [tasks, states, actions, states] and rewards [tasks, states, actions]."""
        self.check_split(split)
        self.check_num_tasks(num_tasks, split)
        stream = task_stream(self._split_seed, split, seed)
        shape = (num_tasks, self.num_states, self.num_actions)
        # Exponential numbers, divided by their sum, are a flat Dirichlet draw.
        weights = torch.empty(*shape, self.num_states).exponential_(generator=stream)
        arrays = {
            "transition": weights / weights.sum(-1, keepdim=True),
            "reward": 1 + torch.randn(shape, generator=stream),
        }
        return Tasks(self.id, dict(self.arguments), split, arrays)

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """State 0, [envs]."""
        reward = task["reward"]
        return torch.zeros(len(reward), dtype=torch.int64, device=reward.device)

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """Be paid, and go to a state that is drawn by the inverse of the distribution function."""
        rows, device = len(action), action.device
        entry = torch.arange(0, rows * self.num_states, self.num_states, device=device)
        entry = (entry + state) * self.num_actions + action
        mean = task["reward"].flatten().index_select(0, entry)
        chances = task["transition"].flatten(0, 2).index_select(0, entry)
        noise = torch.randn((rows,), generator=generator, device=device)
        draw = torch.rand((rows, 1), generator=generator, device=device)
        # The last sum is left out: what rounding leaves belongs to the last state. Comparing in
        # place, as float32, is faster on a CPU than a search, whose branches it mispredicts.
        passed = chances[:, :-1].cumsum(-1).le_(draw)
        return Consequence(passed.sum(-1).long(), mean + noise)

    def observation(self, state: State, task: Task) -> Tensor:
        """The state."""
        return state.clone()

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """A row for each state, a column for each action: what they pay, where the episode went,
        and what is best now, which only the onlooker sees.
        """
        transition, reward = (
            torch.as_tensor(task[name])[None] for name in ("transition", "reward")
        )
        steps_left = self._horizon - len(episode.reward)
        _, plan = best_values(transition, reward, max(steps_left, 1))
        state = int(episode.observation[-1])
        return tabular_picture(
            np.asarray(task["reward"]),
            np.asarray(episode.observation, np.int64),
            np.asarray(episode.action, np.int64).reshape(-1),
            int(plan[0, 0, state]) if steps_left else None,
        )

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """The value of state 0 with all steps left, [tasks] float32."""
        arrays = tasks.arrays
        return best_values(arrays["transition"], arrays["reward"], self._horizon)[0][:, 0].float()

    def random_return(self, tasks: Tasks) -> Tensor:
        """Its value when all actions are uniform, [tasks] float32."""
        transition = tasks.arrays["transition"].double().mean(2)
        reward = tasks.arrays["reward"].double().mean(2)
        value = torch.zeros_like(reward)
        for _ in range(self._horizon):
            value = reward + (transition @ value.unsqueeze(-1)).squeeze(-1)
        return value[:, 0].float()

    def oracle(self, tasks: Tasks) -> "Planner":
        """Acts by value iteration."""
        arrays = tasks.arrays
        return Planner(best_values(arrays["transition"], arrays["reward"], self._horizon)[1])


class Planner(Policy[Tensor]):
    """Does what a plan says. Context: how many steps of the episode are done, [envs] int64."""

    def __init__(self, plan: Tensor) -> None:
        """`plan`: [tasks, time, states] int64, the action at each step of an episode."""
        self._plan = plan

    def initial_context(self, num_envs: int) -> Tensor:
        """No step is done."""
        return torch.zeros(num_envs, dtype=torch.int64, device=self._plan.device)

    def act(
        self, timestep: TimeStep, context: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Look the action up; an episode that opens begins with step 0."""
        state = timestep.observation
        time = context.to(state.device).masked_fill(timestep.episode_start, 0)
        rows = torch.arange(len(state), device=state.device)
        return self._plan.to(state.device)[rows, time, state], time + 1


def best_values(transition: Tensor, reward: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
    """Value iteration over the steps that are left.

        Q_n(s, a) = r(s, a) + sum over s' of p(s' | s, a) max over a' of Q_{n-1}(s', a')

    Args:
        transition: [tasks, states, actions, states].
        reward: [tasks, states, actions].
        horizon: how many steps are left.

    Returns:
        The values of states with all steps left, [tasks, states] float64, and the best actions from
        the first step on, [tasks, horizon, states] int64.
    """
    transition, reward = transition.double(), reward.double()
    value = torch.zeros_like(reward[:, :, 0])
    plan = []
    for _ in range(horizon):
        value, best = (reward + (transition @ value[:, None, :, None]).squeeze(-1)).max(-1)
        plan.append(best)
    return value, torch.stack(plan[::-1], dim=1)
