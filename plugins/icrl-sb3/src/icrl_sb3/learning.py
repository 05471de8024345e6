"""Learning: a learner of Stable-Baselines3, trained on all training tasks at once."""

from copy import copy
from pathlib import Path
from typing import Any, Self

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from icrl.agent import Interface, OnlineAgent
from icrl.errors import DamagedFileError, SpaceError
from icrl.families import TaskFamily
from icrl.files import read_toml
from icrl.run import Run
from icrl.sb3 import (
    ActionView,
    BlankVecEnv,
    ObservationView,
    SB3Policy,
    TaskVecEnv,
    algorithm,
    learn,
    make_model,
    normalized,
    own_globals,
    policy_name,
)
from icrl.sb3_fitting import has_images
from icrl.training_view import training_pool
from icrl_sb3.config import SB3AgentConfig

SETTINGS = ("algorithm", "steps", "num_envs", "settings", "normalize")
"""What `config.toml` always says once settings are adapted."""


class SB3Agent(OnlineAgent):
    """A learner that plays a training task, drawn anew, in each episode, and does not see which.

    It keeps nothing from one episode to the next (an LSTM's state lasts within one), and so cannot
    get better at a task in its context.
    """

    config: SB3AgentConfig

    def __init__(self, config: SB3AgentConfig, interface: Interface, device: torch.device) -> None:
        """Keep the adapted settings, and make an untrained learner with them.

        Raises:
            ConfigError: for settings that the learner does not take.
            SpaceError: for spaces that it cannot serve.
        """
        super().__init__(config, interface, device)
        seen = ObservationView(interface.observation_space).space
        blank = BlankVecEnv(seen, ActionView(interface.action_space).space, self._num_envs)
        # A learner reserves its replay buffer when it is made; this one only acts.
        room = {"buffer_size": 1} if "buffer_size" in self.config.settings else {}
        with own_globals():
            self._trained = self._policy_of(self._model(blank, seed=0, **room))

    def learn(self, family: TaskFamily, run: Run) -> None:
        """Train; a killed run goes on from its last checkpoint with fresh episodes.

        Raises:
            ConfigError: if the checkpoint is of other settings, tasks or another seed.
        """
        pool = training_pool(family, seed=run.seed)
        env = family.vector_env(pool, num_envs=self._num_envs, episodes_per_task=1)
        settings = self.config.to_dict() | {"training_tasks": len(pool), "seed": run.seed}
        assert self.config.steps is not None  # `adapted` has filled it
        try:
            with own_globals(self.interface.observation_space):
                seed = int(torch.randint(2**31 - 1, (), generator=run.generator("learner")))
                model = self._model(TaskVecEnv(env), seed=seed)
                learn(model, run, steps=self.config.steps, settings=settings)
        finally:
            env.close()
        self._trained = self._policy_of(model)

    def policy(self, *, argmax: bool = False) -> SB3Policy:
        """The policy as learned so far.

        Args:
            argmax: take the mode of what it would draw from; DQN, QRDQN, TD3 and DDPG draw nothing,
                and always act so.
        """
        policy = copy(self._trained)
        policy.deterministic = argmax
        return policy

    def save(self, directory: Path) -> None:
        """Write `config.toml`, `interface.json` and `policy.safetensors`."""
        directory = Path(directory)
        self.config.save(directory / "config.toml")
        self.interface.save(directory / "interface.json")
        self._trained.save(directory)

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigError, DamagedFileError: naming the file.
        """
        directory = Path(directory)
        settings = read_toml(directory / "config.toml")
        missing = [name for name in SETTINGS if name not in settings]
        if missing:  # a file cut off at the end of a line is still TOML
            raise DamagedFileError(f"{directory / 'config.toml'} lacks {', '.join(missing)}.")
        config = SB3AgentConfig.from_dict(settings, where=str(directory / "config.toml"))
        agent = cls(config, Interface.load(directory / "interface.json"), device)
        agent._trained = SB3Policy.load(directory, agent._networks_on)
        return agent

    @property
    def _num_envs(self) -> int:
        assert self.config.num_envs is not None  # `adapted` has filled it
        return self.config.num_envs

    @property
    def _networks_on(self) -> torch.device:
        """Where the networks are: small ones are faster on the CPU, as SB3 itself says."""
        images = has_images(self.interface.observation_space)
        return self.device if images else torch.device("cpu")

    def _model(self, env: VecEnv, *, seed: int, **settings: Any) -> BaseAlgorithm:
        config = self.config
        if config.normalize:
            env = normalized(env, gamma=config.settings.get("gamma", 0.99))
        learner = algorithm(config.algorithm)
        try:
            policy = config.policy or policy_name(learner, env.observation_space)
        except SpaceError as error:
            raise SpaceError(f"{error} The agent ppo sees every observation.") from error
        return make_model(
            learner,
            env,
            seed=seed,
            policy=policy,
            settings=config.settings | settings,
            device=self._networks_on,
        )

    def _policy_of(self, model: BaseAlgorithm) -> SB3Policy:
        return SB3Policy(model, self.interface.observation_space, self.interface.action_space)
