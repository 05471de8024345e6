"""CartPole: balance a pole of untold length on a cart that is pushed with an untold force.

Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based Reinforcement
Learning" (CaDM), arXiv:2005.06800; on Gymnasium's CartPole-v1.
"""

from collections.abc import Mapping
from math import radians
from typing import Literal

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from icrl.families import Episode, RewardModel, Solved
from icrl.native import Consequence, NativeFamily, State, Task
from icrl.policy import Policy
from icrl.tasks import Tasks
from icrl.timestep import TimeStep
from icrl_envs.classic_drawing import cart_pole_picture
from icrl_envs.counts import check_counts
from icrl_envs.listed_tasks import ListedTasks
from icrl_envs.random_rollouts import simulated_random_return

GRAVITY, SECONDS = 9.8, 0.02
POLE_MASS, MASS = 0.1, 1.1
"""Of the pole, and of the pole and the cart, in kg."""
MOST_AWAY, MOST_TILT = 2.4, radians(12)
"""Beyond which an episode has failed, in metres and radians."""
OPENING = 0.05
"""How large each number of an opening may be."""
BALANCE = (0.03, 0.1, 1.0, 0.3)
"""A rule that keeps the pole up: push to where the observation, weighed so, lies above zero."""


class CartPole(NativeFamily, RewardModel, Solved):
    """A pole that stands on a cart.

    | what        | space                | meaning                                              |
    |-------------|----------------------|------------------------------------------------------|
    | observation | Box [4]              | the cart's place and speed, the pole's tilt and its  |
    |             |                      | speed, in metres and radians, and these a second     |
    | action      | Discrete(2)          | push to the left, push to the right                  |
    | reward      | 1                    | each step, also the one that fails                   |
    | episode     | 200 steps            | ends where the cart is 2.4 m away or the pole tilts  |
    |             |                      | by 12°                                               |
    | task        | force, length        | of a push in N; of half the pole in m                |

    Every number of an opening is uniform between -0.05 and 0.05.

    | split    | force               | length                  | tasks |
    |----------|---------------------|-------------------------|-------|
    | train    | 5 6 ... 15          | .40 .45 .50 .55 .60     | 55    |
    | moderate | 3 3.5 / 16.5 17     | .25 .30 / .70 .75       | 8     |
    | extreme  | 2 2.5 / 17.5 18     | .15 .20 / .80 .85       | 8     |
    | test     | moderate, extreme   |                         | 16    |

    A held-out cart is pushed weakly under a short pole, or strongly under a long one.

    Keywords: `horizon`; `trial_episodes`: how long an evaluation is by default; `planner_reward`
    ("exact"; "cadm-2020": planners go on after a failure, and are paid 1 a step less 1 for each of
    the two bounds that is violated then).

    One linear rule (`BALANCE`), which knows no task, earns 200 in all of them; a uniform random
    policy 22.6 in train, 22.8 in moderate and 21.7 in extreme.
    """

    action_space = spaces.Discrete(2)
    terminates = True
    listed = ListedTasks(
        train=[{"force": range(5, 16), "length": (0.4, 0.45, 0.5, 0.55, 0.6)}],
        moderate=[
            {"force": (3.0, 3.5), "length": (0.25, 0.3)},
            {"force": (16.5, 17.0), "length": (0.7, 0.75)},
        ],
        extreme=[
            {"force": (2.0, 2.5), "length": (0.15, 0.2)},
            {"force": (17.5, 18.0), "length": (0.8, 0.85)},
        ],
    )
    splits, num_tasks = listed.splits, listed.num_tasks
    task_space = spaces.Dict(
        {"force": spaces.Box(2.0, 18.0, ()), "length": spaces.Box(0.15, 0.85, ())}
    )

    def __init__(
        self,
        *,
        planner_reward: Literal["exact", "cadm-2020"] = "exact",
        horizon: int = 200,
        trial_episodes: int = 1,
    ) -> None:
        check_counts(1, horizon=horizon, trial_episodes=trial_episodes)
        self._exact = planner_reward == "exact"
        self._horizon = self.max_episode_steps = horizon
        self.trial_episodes = trial_episodes
        # Twice as far as an episode goes on, as Gymnasium has it: failures lie inside.
        high = np.array([2 * MOST_AWAY, np.inf, 2 * MOST_TILT, np.inf], np.float32)
        self.observation_space = spaces.Box(-high, high, dtype=np.float32)

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Forces and lengths [tasks] of a split."""
        return self.listed.sample(self, num_tasks, split=split, seed=seed)

    def initial(self, task: Task, generator: torch.Generator) -> State:
        """Nearly upright, nearly still: [envs, 4], as it is observed."""
        force = task["force"]
        drawn = torch.rand((*force.shape, 4), generator=generator, device=force.device)
        return OPENING * (2 * drawn - 1)

    def transition(
        self, state: State, action: Tensor, task: Task, generator: torch.Generator
    ) -> Consequence:
        """An Euler step: the old speeds move cart and pole."""
        place, speed, tilt, turning = state.unbind(1)
        length = task["length"]
        force = task["force"] * (2 * action - 1)
        cosine, sine = tilt.cos(), tilt.sin()
        lever = POLE_MASS * length / MASS
        push = force / MASS + lever * turning.square() * sine
        rise = length * (4 / 3 - POLE_MASS / MASS * cosine.square())
        turned = (GRAVITY * sine - cosine * push) / rise
        gained = push - lever * turned * cosine
        after = state + SECONDS * torch.stack((speed, gained, turning, turned), dim=1)
        return Consequence(after, torch.ones_like(place), failed(after))

    def observation(self, state: State, task: Task) -> Tensor:
        """All of the state."""
        return state.clone()

    def reward_and_termination(
        self, observation: Tensor, action: Tensor, next_observation: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `planner_reward` has it; the environment pays 1 for each step, until one fails."""
        away, tilted = beyond(next_observation)
        paid = torch.ones_like(next_observation[..., 0])
        if self._exact:
            return paid, away | tilted
        return paid - away.float() - tilted.float(), torch.zeros_like(away)

    def optimal_return(self, tasks: Tasks) -> Tensor:
        """As much as there are steps, [tasks] float32: the pole can always be kept up."""
        return torch.full_like(tasks.arrays["force"], float(self._horizon))

    def random_return(self, tasks: Tasks) -> Tensor:
        """By simulation, [tasks] float32; the standard error is about 0.3 of 22."""
        return simulated_random_return(self, tasks)

    def oracle(self, tasks: Tasks) -> "Balancing":
        """One rule for all tasks."""
        return Balancing()

    def render(self, task: Mapping[str, np.ndarray], episode: Episode) -> np.ndarray:
        """The pole as long and the push as strong as they are."""
        return cart_pole_picture(task, episode)


class Balancing(Policy[None]):
    """Pushes the cart under the pole, by `BALANCE`."""

    def initial_context(self, num_envs: int) -> None:
        """It remembers nothing."""

    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tensor, None]:
        """Which way to push, [envs]."""
        place, speed, tilt, turning = timestep.observation.unbind(1)
        of_place, of_speed, of_tilt, of_turning = BALANCE
        leans = of_place * place + of_speed * speed + of_tilt * tilt + of_turning * turning
        return (leans > 0).long(), None


def failed(observation: Tensor) -> Tensor:
    """Whether cart or pole are beyond the bounds, [...] bool of [..., 4]."""
    away, tilted = beyond(observation)
    return away | tilted


def beyond(observation: Tensor) -> tuple[Tensor, Tensor]:
    """Whether the cart is, and whether the pole is; what is no number, as a model that diverges
    imagines it, is not within them.
    """
    away = ~(observation[..., 0].abs() <= MOST_AWAY)
    return away, ~(observation[..., 2].abs() <= MOST_TILT)
