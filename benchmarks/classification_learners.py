"""Learners that are told nothing but rewards: PPO, ensembles of it, LEEP, DQN, and elimination.

Each is looked at on the test images while it learns, which changes nothing about its learning.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from classification_returns import returns
from stable_baselines3 import DQN
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from torch import Tensor

from icrl.agent import Interface
from icrl.families import TaskFamily
from icrl.run import Run
from icrl.sb3 import TaskVecEnv, own_globals
from icrl.training_view import training_pool, training_view
from icrl_leep.config import LEEPConfig
from icrl_leep.elimination_config import EliminationConfig
from icrl_leep.elimination_learning import EliminationAgent
from icrl_leep.learning import LEEPAgent

CPU = torch.device("cpu")
LOOKS = 25
"""How often a learner is looked at."""
PPO = {"hidden": (256,), "num_envs": 256, "rollout": 20, "epochs": 4, "minibatches": 8}
ENSEMBLES: Mapping[str, Mapping[str, Any]] = {
    "ppo": {"members": 1, "alpha": 0.0},
    "plain-ensemble": {"members": 4, "alpha": 0.0},
    "leep": {"members": 4, "alpha": 1.0},
}
"""All with the same number of steps in all: a member of four has a quarter of them."""
DQN_SETTINGS: Mapping[str, Any] = {
    "learning_rate": 1e-3,
    "buffer_size": 50_000,
    "learning_starts": 2_000,
    "batch_size": 256,
    "gamma": 0.99,
    "train_freq": 1,
    "gradient_steps": 2,
    "target_update_interval": 2_000,
    "exploration_fraction": 0.3,
    "exploration_final_eps": 0.05,
    "policy_kwargs": {"net_arch": [256]},
}
DQN_ENVS = 64


@dataclass
class Watched:
    """How a learner fares on the test images while it learns."""

    image: Tensor
    """[images, pixels]."""
    label: Tensor
    """[images]."""
    curve: dict[int, dict[str, float]] = field(default_factory=dict)
    """By step: the mean return by each way to guess (`classification_returns.WAYS`)."""

    def look(self, step: int, scores: Callable[[Tensor], Tensor]) -> None:
        """Look, unless this step was looked at."""
        if step not in self.curve:
            with torch.no_grad():
                earned = returns(scores(self.image), self.label)
            self.curve[step] = {name: round(float(each.mean()), 4) for name, each in earned.items()}


def learned(
    name: str, family: TaskFamily, steps: int, watched: Watched, run: Run
) -> Callable[[Tensor], Tensor]:
    """Let a learner learn; what it thinks in the end, [images, pixels] -> [members, images,
    labels].
    """
    view = training_view(family, None, seed=run.seed)
    if name == "dqn":
        return _dqn(view, steps, watched, run)
    if name == "elimination":
        return _elimination(view, steps, watched, run)
    return _ensemble(ENSEMBLES[name], view, steps, watched, run)


def _ensemble(
    settings: Mapping[str, Any], view: TaskFamily, steps: int, watched: Watched, run: Run
) -> Callable[[Tensor], Tensor]:
    config = LEEPConfig(steps=steps, **PPO, **settings)
    agent = LEEPAgent(config, Interface.of(view), CPU)
    env = agent.environment(view, seed=run.seed)
    with own_globals():
        model = agent.model(env, seed=run.seed)
        policy = model.policy

        def thought(image: Tensor) -> Tensor:
            return policy.linked_outputs(image).log_softmax(-1)

        model.learn(steps, callback=_Looking(watched, thought, steps), log_interval=None)
    watched.look(model.num_timesteps, thought)
    env.close()
    return torch.no_grad()(thought)


def _dqn(view: TaskFamily, steps: int, watched: Watched, run: Run) -> Callable[[Tensor], Tensor]:
    pool = training_pool(view, seed=run.seed)
    env = TaskVecEnv(view.vector_env(pool, num_envs=DQN_ENVS, episodes_per_task=1))
    with own_globals():
        model = DQN("MlpPolicy", env, seed=run.seed, device="cpu", **DQN_SETTINGS)

        def values(image: Tensor) -> Tensor:
            return model.q_net(image)[None]

        model.learn(steps, callback=_Looking(watched, values, steps), log_interval=None)
    watched.look(model.num_timesteps, values)
    env.close()
    return torch.no_grad()(values)


def _elimination(
    view: TaskFamily, steps: int, watched: Watched, run: Run
) -> Callable[[Tensor], Tensor]:
    config = EliminationConfig(steps=steps)
    agent = EliminationAgent(config, Interface.of(view), CPU)

    def thought(image: Tensor) -> Tensor:
        return agent.guesser(image)[None]

    class Looking(Run):
        """A run that looks where it logs."""

        def log(self, step: int, scalars: Mapping[str, float]) -> None:
            super().log(step, scalars)
            if step % 4 == 0 or step * config.num_envs >= steps:
                watched.look(step * config.num_envs, thought)

    agent.learn(view, Looking(Path(run.directory), seed=run.seed, quiet=run.quiet))
    watched.look(-(-steps // config.num_envs) * config.num_envs, thought)
    return torch.no_grad()(thought)


class _Looking(BaseCallback):
    """Looks at evenly spaced steps, between two rollouts."""

    def __init__(self, watched: Watched, scores: Callable[[Tensor], Tensor], steps: int) -> None:
        super().__init__()
        self._watched, self._scores, self._every = watched, scores, steps // LOOKS
        self.model: BaseAlgorithm

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= len(self._watched.curve) * self._every:
            self._watched.look(self.num_timesteps, self._scores)

    def _on_step(self) -> bool:
        return True
