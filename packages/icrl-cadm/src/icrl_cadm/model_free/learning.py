"""ModelFreeAgent: SB3's PPO on states beside what the episode's transitions tell."""

from dataclasses import replace
from pathlib import Path
from typing import Self

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.common.utils import FloatSchedule, LinearSchedule
from stable_baselines3.common.vec_env import VecNormalize

from icrl.agent import Interface, OnlineAgent
from icrl.checkpoints import load_saved, save_module, saved_settings
from icrl.families import TaskFamily
from icrl.nn import initial_weights
from icrl.run import Run
from icrl.sb3 import TaskVecEnv, learn, own_globals
from icrl.training_view import training_pool
from icrl_cadm.controls import Controls
from icrl_cadm.learning import CaDMAgent, known_family, view_of
from icrl_cadm.model_free.clues import Clues, ModelClues, NoClues, SampledClues, StackedClues
from icrl_cadm.model_free.config import FROM_A_MODEL, ModelFreeConfig
from icrl_cadm.model_free.critic import ClippedCriticPPO
from icrl_cadm.model_free.environment import RememberingEnv, learner_actions
from icrl_cadm.model_free.memory import Memory
from icrl_cadm.model_free.networks import Actor, architecture, standardised
from icrl_cadm.model_free.policy import RememberingPolicy
from icrl_cadm.model_free.pretrained import DYNAMICS, given_dynamics, with_dynamics
from icrl_cadm.model_free.probing import learn_to_embed
from icrl_cadm.states import States

PURPOSE = "weights of icrl-cadm's model-free agents"
HOST = torch.device("cpu")
"""Where PPO learns: its networks are small."""


class ModelFreeAgent(OnlineAgent):
    """PPO on states beside a context of the episode's transitions."""

    config: ModelFreeConfig

    def __init__(
        self,
        config: ModelFreeConfig,
        interface: Interface,
        device: torch.device,
        *,
        dynamics: CaDMAgent | None = None,
    ) -> None:
        """Keep the adapted settings, and make an untrained actor.

        Args:
            config: settings; `pretrained` names a model that was trained before.
            interface: what the pairing fixes.
            device: where a model is trained, and where policies act; PPO learns on the host.
            dynamics: a trained model, in place of the one that `pretrained` names; it is not
                trained again.

        Raises:
            ConfigError, ContextError, SpaceError: before anything is trained.
        """
        if dynamics is None:
            dynamics = given_dynamics(config, interface, device)
        if dynamics is not None:
            config = with_dynamics(config, dynamics)
        super().__init__(config, interface, device)
        self.dynamics = dynamics
        """The agent whose model infers the context, if one does."""
        self._given = dynamics is not None
        if dynamics is None and self.config.context in FROM_A_MODEL:
            self.dynamics = CaDMAgent(self.config.dynamics, interface, device)
        self._view = view_of(known_family(interface))
        self._num_states = States(interface.observation_space, HOST, self._view).size
        self._controls = Controls(interface.action_space, HOST)
        with initial_weights(torch.Generator().manual_seed(0)):
            self.actor = self._new_actor()

    def learn(self, family: TaskFamily, run: Run) -> None:
        """Train, first the model where a context needs one that was not given, then PPO; a killed
        run goes on in either from its last checkpoint.

        Raises:
            SpaceError: for observations that are not finite, naming environment and step.
            ConfigError: if there is a checkpoint of other settings, tasks or another seed.
        """
        if self.dynamics is not None and not self._given:
            first = replace(run, directory=run.directory / DYNAMICS)
            self._learn_dynamics(self.dynamics, family, first)
        env = self.environment(family, seed=run.seed)
        settings = self.config.to_dict() | {"num_tasks": run.num_tasks, "seed": run.seed}
        assert self.config.steps is not None  # `adapted` has filled it
        try:
            with own_globals():
                seed = int(torch.randint(2**31 - 1, (), generator=run.generator("learner")))
                model = self.model(env, seed=seed)
                learn(model, run, steps=self.config.steps, settings=settings)
        finally:
            env.close()
        assert isinstance(model.policy, MultiInputActorCriticPolicy)
        self.actor.take(model.policy, env)

    def policy(self, *, argmax: bool = False) -> RememberingPolicy:
        """The policy as learned so far.

        Args:
            argmax: take the likeliest action, and the mean of an inferred context.
        """
        return RememberingPolicy(
            self.actor,
            self._memory(self.device),
            Controls(self.interface.action_space, self.device),
            device=self.device,
            argmax=argmax,
        )

    def save(self, directory: Path) -> None:
        """Write `config.toml`, `interface.json` and `weights.safetensors`; and in `dynamics/` the
        same of the model that infers the context.
        """
        directory = Path(directory)
        if self.dynamics is not None:
            self.dynamics.save(directory / DYNAMICS)
        save_module(directory, self, self.actor, purpose=PURPOSE)

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigError, DamagedFileError: naming the file.
        """
        directory = Path(directory)
        config, interface = saved_settings(directory, ModelFreeConfig)
        dynamics = None
        if config.context in FROM_A_MODEL:
            dynamics = CaDMAgent.load(directory / DYNAMICS, device)
        agent = cls(config, interface, device, dynamics=dynamics)
        load_saved(directory, agent.actor)
        return agent

    def environment(self, family: TaskFamily, *, seed: int) -> VecNormalize:
        """Where PPO learns; each episode is on a new task.

        Args:
            family: in whose view `train` is the only split.
            seed: draws the tasks, where there are endlessly many.
        """
        config, memory = self.config, self._memory(HOST)
        pool = training_pool(family, seed=seed)
        env = family.vector_env(pool, num_envs=config.num_envs, episodes_per_task=1)
        remembering = RememberingEnv(
            env, memory, self._controls, limits_terminate=config.limits_terminate
        )
        return VecNormalize(
            TaskVecEnv(remembering),
            norm_obs_keys=list(standardised(memory.clues)),
            norm_reward=config.normalize_rewards,
            gamma=config.gamma,
        )

    def model(self, env: VecNormalize, *, seed: int) -> PPO:
        """The learner itself, for who wants SB3's `learn` and callbacks."""
        config = self.config
        learner = ClippedCriticPPO if config.clip_values else PPO
        return learner(
            "MultiInputPolicy",
            env,
            learning_rate=self._schedule(config.learning_rate),
            clip_range=self._schedule(config.clip),
            policy_kwargs=architecture(config, self._clues(HOST)),
            **config.ppo(),
            seed=seed,
            device=HOST,
        )

    def _schedule(self, begin: float) -> FloatSchedule | LinearSchedule:
        """What a setting is, by the share of `steps` that is left."""
        if self.config.schedule == "constant":
            return FloatSchedule(begin)
        return LinearSchedule(begin, 0.0, 1.0)

    def _learn_dynamics(self, dynamics: CaDMAgent, family: TaskFamily, run: Run) -> None:
        if self.config.embeds_openings:
            learn_to_embed(dynamics, family, run)
        else:
            dynamics.learn(family, run)

    def _new_actor(self) -> Actor:
        memory = self._memory(self.device)
        actions = learner_actions(self._controls)
        return Actor(self.config, memory.space, actions, memory.clues).to(self.device)

    def _memory(self, device: torch.device) -> Memory:
        assert self.config.past is not None  # `adapted` has filled it
        longest = self.interface.max_episode_steps or self.config.past + 1
        probes = min(self.config.past, longest - 1) if self.config.embeds_openings else 0
        return Memory(
            self._clues(device),
            States(self.interface.observation_space, device, self._view),
            past=self.config.past,
            num_controls=self._controls.width,
            num_probes=probes,
        )

    def _clues(self, device: torch.device) -> Clues:
        config = self.config
        assert config.past is not None  # `adapted` has filled it
        sizes = (config.past, self._num_states, self._controls.width)
        match config.context:
            case "stacked":
                return StackedClues(*sizes)
            case "probabilistic":
                return SampledClues(*sizes, config.context_size)
            case "none":
                return NoClues()
        assert self.dynamics is not None
        return ModelClues(self.dynamics.model, device, whole=config.embeds_openings)
