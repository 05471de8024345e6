"""Learning: members on bootstraps of the training tasks, linked in their loss."""

from pathlib import Path
from typing import Any, Self

import torch
from stable_baselines3.common.utils import FloatSchedule, LinearSchedule
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from icrl.agent import Interface, OnlineAgent
from icrl.checkpoints import load_saved, save_module, saved_settings
from icrl.errors import TaskError
from icrl.families import TaskFamily
from icrl.nn import initial_weights
from icrl.run import Run
from icrl.sb3 import ActionView, ObservationView, TaskVecEnv, learn, own_globals
from icrl.tasks import Tasks
from icrl.training_view import training_pool
from icrl_leep.actor_critic import MemberActorCritic
from icrl_leep.config import LEEPConfig
from icrl_leep.environments import MemberVecEnv
from icrl_leep.inputs import images_first
from icrl_leep.linked_ppo import LinkedPPO
from icrl_leep.policy import LinkedPolicy

PURPOSE = "weights of icrl-leep"


class LEEPAgent(OnlineAgent):
    """PPO learners on bootstraps of the training tasks, linked by a penalty."""

    config: LEEPConfig

    def __init__(self, config: LEEPConfig, interface: Interface, device: torch.device) -> None:
        super().__init__(config, interface, device)
        self._seen = images_first(ObservationView(interface.observation_space).space)
        self._acts = ActionView(interface.action_space).space
        with initial_weights(torch.Generator().manual_seed(0)):
            self.members = self._new_members()

    @property
    def links(self) -> str:
        """What is linked: the action, a joint action, each factor, or a density."""
        return self.members.member_actions.describes

    def learn(self, family: TaskFamily, run: Run) -> None:
        """Train the members; a killed run goes on from its last checkpoint with fresh episodes.

        Raises:
            TaskError: if there are fewer training tasks than members.
            ConfigError: if there is a checkpoint of other settings, tasks or another seed.
        """
        steps = self.config.steps
        assert steps is not None  # `adapted` has filled it
        env = self.environment(family, seed=run.seed)
        settings = self.config.to_dict() | {"num_tasks": run.num_tasks, "seed": run.seed}
        try:
            with own_globals(self.interface.observation_space):
                seed = int(torch.randint(2**31 - 1, (), generator=run.generator("learner")))
                model = self.model(env, seed=seed)
                about = f"learning, linking {self.links}"
                learn(model, run, steps=steps, settings=settings, description=about)
        finally:
            env.close()
        self.members = model.policy

    def policy(self, *, argmax: bool = False) -> LinkedPolicy:
        """The linked policy as learned so far.

        Args:
            argmax: take its likeliest action instead of drawing one. That loses what the ensemble
                is for: where the members disagree, a draw tries what each of them would do, while
                the likeliest action, where it is wrong, is repeated to the episode's end.
        """
        decoding = "argmax" if argmax else self.config.decoding
        interface = self.interface
        return LinkedPolicy(
            self.members,
            interface.observation_space,
            interface.action_space,
            self.config.link,
            decoding,
        )

    def save(self, directory: Path) -> None:
        """Write `config.toml`, `interface.json` and `weights.safetensors`."""
        save_module(Path(directory), self, self.members.networks, purpose=PURPOSE)

    @classmethod
    def load(cls, directory: Path, device: torch.device) -> Self:
        """Read what `save` wrote.

        Raises:
            ConfigError, DamagedFileError: naming the file.
        """
        agent = cls(*saved_settings(Path(directory), LEEPConfig), device)
        load_saved(Path(directory), agent.members.networks)
        return agent

    def environment(self, family: TaskFamily, *, seed: int) -> VecEnv:
        """Where the members learn; each episode is on a new task of the member's own.

        Args:
            family: in whose view `train` is the only split.
            seed: draws the bootstraps.

        Raises:
            TaskError: if there are fewer training tasks than members.
        """
        pool, members = training_pool(family, seed=seed), self.config.members
        sets = [pool] * members
        if self.config.bootstrap:
            sets = bootstraps(pool, members, torch.Generator().manual_seed(seed))
        assert self.config.num_envs is not None  # `adapted` has filled it
        share = self.config.num_envs // members
        parts = [family.vector_env(tasks, num_envs=share, episodes_per_task=1) for tasks in sets]
        env: VecEnv = MemberVecEnv([TaskVecEnv(part) for part in parts])
        if self.config.normalize_rewards:
            env = VecNormalize(env, norm_obs=False, gamma=self.config.gamma)
        return env

    def model(self, env: VecEnv, *, seed: int) -> LinkedPPO:
        """The learner itself, for who wants SB3's `learn` and callbacks."""
        config = self.config
        assert config.rollout is not None  # `adapted` has filled it
        rate = config.learning_rate
        return LinkedPPO(
            env,
            members=config.members,
            link=config.link,
            alpha=config.alpha,
            final_alpha=config.alpha if config.final_alpha is None else config.final_alpha,
            policy_kwargs=self._architecture(),
            learning_rate=rate if config.schedule == "constant" else LinearSchedule(rate, 0.0, 1.0),
            minibatches=config.minibatches,
            **config.ppo(),
            seed=seed,
            device=self.device,
        )

    def _architecture(self) -> dict[str, Any]:
        config = self.config
        return {
            "hidden": config.hidden,
            "channels": config.channels,
            "joint_choices": config.joint_choices,
            "link_samples": config.link_samples,
        }

    def _new_members(self) -> MemberActorCritic:
        members = MemberActorCritic(
            self._seen,
            self._acts,
            FloatSchedule(self.config.learning_rate),
            members=self.config.members,
            link=self.config.link,
            **self._architecture(),
        )
        return members.to(self.device)


def bootstraps(pool: Tasks, members: int, generator: torch.Generator) -> list[Tasks]:
    """As many tasks for each member as there are, drawn with replacement (Efron 1979); one member
    has them all.

    Raises:
        TaskError: if there are fewer tasks than members.
    """
    if len(pool) < members:
        raise TaskError(
            f"{len(pool)} training tasks of {pool.family} for {members} members: each needs "
            f"tasks that the others may not have. Give --num-tasks {members} or more, or fewer "
            "--agent.members."
        )
    if members == 1:
        return [pool]
    drawn = torch.randint(len(pool), (members, len(pool)), generator=generator)
    return [pool[row] for row in drawn]
