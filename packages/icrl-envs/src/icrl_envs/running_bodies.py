"""Running bodies: what CaDM's families on MuJoCo share.

Lee et al. 2020, "Context-aware Dynamics Model for Generalization in Model-Based Reinforcement
Learning", arXiv:2005.06800.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.families import DynamicsView, RewardModel
from icrl.tasks import Tasks
from icrl.trees import Tree
from icrl_envs.listed_tasks import ListedTasks
from icrl_envs.motion import Motion
from icrl_envs.mujoco_tasks import MujocoTasks, Task

PlannerReward = Literal["exact", "cadm-2020"]
"""What planners are told that a step earns: what it does earn, or what CaDM's code tells them."""


class RunningBodies(MujocoTasks, RewardModel):
    """Run forwards with a body that is not what it usually is. Planners may call the reward."""

    listed: ClassVar[ListedTasks]

    def __init__(self, *, planner_reward: PlannerReward, horizon: int, trial_episodes: int) -> None:
        """Take the splits that are listed; see `MujocoTasks`."""
        self.splits, self.num_tasks = self.listed.splits, self.listed.num_tasks
        self._exact = planner_reward == "exact"
        super().__init__(horizon=horizon, trial_episodes=trial_episodes)

    @abstractmethod
    def exact_reward(self, observation: Tensor, action: Tensor, following: Tensor) -> Tensor:
        """What a step earns, [...], by what was seen before and after it; actions in ±1."""

    @abstractmethod
    def original_reward(self, observation: Tensor, action: Tensor) -> Tensor:
        """What CaDM's planner believes that it earns, [...]."""

    def sample_tasks(self, num_tasks: int, *, split: str = "train", seed: int) -> Tasks:
        """Tasks [tasks, ...] of a split."""
        return self.listed.sample(self, num_tasks, split=split, seed=seed)

    def reward_and_termination(
        self, observation: Tree, action: Tree, next_observation: Tree
    ) -> tuple[Tensor, Tensor]:
        """Reward [...] float32 as `planner_reward` has it; nothing terminates."""
        action = action.clamp(-1, 1)
        if self._exact:
            reward = self.exact_reward(observation, action, next_observation)
        else:
            reward = self.original_reward(observation, action)
        return reward.float(), torch.zeros_like(reward, dtype=torch.bool)


class SpeedyBodies(RunningBodies, DynamicsView):
    """Bodies whose speed forwards is observed, before all that Gymnasium shows, and paid.

    Models of their dynamics are not shown that speed, and predict the next one itself, but of all
    other numbers the change. CaDM's planner is paid the speed before a step, not the one after it.
    """

    torque_cost: ClassVar[float]
    """For each unit of squared action."""
    bonus: ClassVar[float] = 0.0
    """Of each step."""

    def spaces(self, simulator: Any) -> tuple[Space, Space]:
        """Gymnasium's, and one number before its observation."""
        numbers = simulator.observation_space.shape[0] + 1
        return spaces.Box(-np.inf, np.inf, (numbers,), np.float64), simulator.action_space

    def observed(self, motion: Motion) -> np.ndarray:
        """The speed over the last step, then Gymnasium's observation."""
        return np.concatenate(((motion.velocity[0],), motion.seen))

    def reward(self, task: Task, motion: Motion) -> float:
        """Speed and a bonus, less the cost of the torques."""
        return motion.velocity[0] + self.bonus - self.torque_cost * motion.effort

    def exact_reward(self, observation: Tensor, action: Tensor, following: Tensor) -> Tensor:
        """The speed after the step is paid."""
        return following[..., 0] + self.bonus - self.torque_cost * action.square().sum(-1)

    def original_reward(self, observation: Tensor, action: Tensor) -> Tensor:
        """The speed before the step is paid."""
        return self.exact_reward(observation, action, observation)

    def model_targets(self, observation: Tensor, next_observation: Tensor) -> Tensor:
        """The next speed, and how the other numbers change."""
        change = next_observation[..., 1:] - observation[..., 1:]
        return torch.cat((next_observation[..., :1], change), dim=-1)

    def predicted_observation(self, observation: Tensor, target: Tensor) -> Tensor:
        """The next speed, and the other numbers changed."""
        return torch.cat((target[..., :1], observation[..., 1:] + target[..., 1:]), dim=-1)
