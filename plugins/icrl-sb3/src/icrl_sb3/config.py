"""Settings of Stable-Baselines3's learners."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from gymnasium import spaces

from icrl.config import Config
from icrl.errors import ConfigError
from icrl.sb3_fitting import IMAGES_TAKE, LONGEST_ROLLOUT, fitted, has_images, parts
from icrl_sb3.learners import Learner, check_actions, learner_of

if TYPE_CHECKING:
    from icrl.agent import Interface

NUM_ENVS = {"on-policy": 16, "recurrent": 16, "off-policy": 8}
MINIBATCH = {"on-policy": (64, 256), "recurrent": (512, 1024), "off-policy": (64, 256)}
"""An LSTM takes one step after the other, for two sequences no faster than for eight."""
Q_LEARNERS = ("dqn", "qr-dqn")
NOISY = ("td3", "ddpg")
"""Learners whose policy draws nothing: they explore by noise that is added to their actions."""


@dataclass(frozen=True, kw_only=True)
class SB3AgentConfig(Config):
    """Which learner is trained, for how long, with which settings."""

    algorithm: str = "PPO"
    """The learner, which the agent's name says: PPO, A2C, TRPO, RecurrentPPO, DQN, QRDQN, SAC, TD3,
    DDPG, TQC or CrossQ.
    """
    steps: int | None = None
    """Steps of all environments together, in training. By default what takes minutes: a million for
    PPO, A2C and TRPO, 200,000 for DQN, 50,000 for TQC, 20,000 for CrossQ, 100,000 for the others;
    a tenth of that where observations are images.
    """
    num_envs: int | None = None
    """Environments in which it learns at once; each episode plays a training task drawn anew. By
    default 16, and 8 for learners with a replay buffer.
    """
    policy: str | None = None
    """The name of SB3's policy; unset: MlpPolicy, CnnPolicy or MultiInputPolicy (those with an LSTM
    for RecurrentPPO), as the observations are.
    """
    settings: dict[str, Any] = field(default_factory=dict)
    """The algorithm's own keywords: learning_rate, gamma, policy_kwargs, ... Those that are absent
    have SB3's own defaults, except for rollouts of 128 steps (A2C: SB3's five) in equal minibatches
    of 64 to 256 transitions, 512 to 1024 for RecurrentPPO; four epochs of RecurrentPPO, and of PPO
    on images; replay buffers of as many steps as there are, within 1 GiB; 1000 steps, at most a
    tenth, before learning starts; for DQN and QRDQN an update for every four steps of any
    environment and a new target network every 1000 steps; for TD3 and DDPG `action_noise` of
    deviation 0.1, where 1 is half the range of an action. SAC, TD3, DDPG, TQC and CrossQ update
    once for a step of all environments together; `gradient_steps` says how often.
    """
    normalize: bool | None = None
    """Learn behind VecNormalize: observations and rewards by their running mean and deviation. By
    default for learners without a replay buffer, where an observation is a vector without bounds.
    """

    def adapted(self, interface: "Interface") -> Self:
        """The settings with all that depends on the learner and on what it sees.

        Raises:
            ConfigError: for a learner that there is not, or nothing to learn.
            SpaceError: if it does not act in this action space.
        """
        learner = learner_of(self.algorithm)
        check_actions(learner, interface.action_space, interface.family)
        images = has_images(interface.observation_space)
        usually = learner.steps // (IMAGES_TAKE if images else 1)
        steps = usually if self.steps is None else self.steps
        num_envs = NUM_ENVS[learner.kind] if self.num_envs is None else self.num_envs
        if steps < 1 or num_envs < 1:
            raise ConfigError(f"steps={steps} and num_envs={num_envs} must both be at least 1.")
        boxes = [p for p in parts(interface.observation_space) if isinstance(p, spaces.Box)]
        unbounded = not all(box.is_bounded() for box in boxes)
        normalize = learner.kind != "off-policy" and unbounded
        return replace(
            self,
            algorithm=learner.algorithm,
            steps=steps,
            num_envs=num_envs,
            normalize=normalize if self.normalize is None else self.normalize,
            settings=fitted(
                learner.algorithm,
                usual(learner, steps, num_envs, images) | self.settings,
                interface.observation_space,
                rollout=LONGEST_ROLLOUT,
                steps=-(-steps // num_envs),
                num_envs=num_envs,
                batch=MINIBATCH[learner.kind],
            ),
        )


def usual(learner: Learner, steps: int, num_envs: int, images: bool) -> dict[str, Any]:
    """What a learner is given in place of SB3's defaults, which are for a million steps of one
    environment.
    """
    found: dict[str, Any] = {}
    if learner.name == "recurrent-ppo" or (learner.name == "ppo" and images):
        found |= {"n_epochs": 4}
    if learner.kind == "off-policy":
        found |= {"learning_starts": min(1000, steps // 10)}
    if learner.name in Q_LEARNERS:
        found |= {"train_freq": 4, "gradient_steps": num_envs, "target_update_interval": 1000}
    if learner.name in NOISY:
        found |= {"action_noise": 0.1}
    return found
