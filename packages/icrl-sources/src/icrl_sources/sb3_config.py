"""Settings of the source `sb3`."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from icrl.config import Config
from icrl.errors import ConfigError
from icrl.sb3_fitting import LONGEST_ROLLOUT, fitted

if TYPE_CHECKING:
    from icrl.agent import Interface


@dataclass(frozen=True, kw_only=True)
class SB3Config(Config):
    """Which learner is recorded, for how long, with which settings."""

    algorithm: str = "PPO"
    """Any algorithm of stable-baselines3 or sb3-contrib, by its name: PPO, A2C, DQN, TRPO, QR-DQN,
    SAC, TD3, TQC, RecurrentPPO, ...
    """
    steps: int = 10_000
    """Steps in each learning history."""
    num_envs: int = 8
    """Environments of one task that the learner learns in at once: each gives one history."""
    policy: str | None = None
    """The name of SB3's policy; unset: MlpPolicy, CnnPolicy or MultiInputPolicy, as the
    observations are.
    """
    settings: dict[str, Any] = field(default_factory=dict)
    """The algorithm's own keywords: learning_rate, gamma, policy_kwargs, ... Those that are absent
    have SB3's own defaults, except that a rollout is one episode long (at most 128 steps) in equal
    minibatches of 32 to 64 transitions, or the next larger that divide it, and that a replay buffer
    has room for the history.
    """
    normalize: bool = False
    """Learn behind VecNormalize; recorded are the environment's own observations and rewards."""
    learner_view: bool = True
    """Let the learner see what the family's `LearnerView` shows (it is never recorded)."""

    def adapted(self, interface: "Interface") -> Self:
        """The settings with the rollout and the replay buffer fitted to the history.

        Raises:
            ConfigError: if there is nothing to record, or the algorithm needs action masks.
        """
        if self.steps < 1 or self.num_envs < 1:
            raise ConfigError(
                f"steps={self.steps} and num_envs={self.num_envs} must both be at least 1."
            )
        settings = fitted(
            self.algorithm,
            self.settings,
            interface.observation_space,
            rollout=min(interface.max_episode_steps or LONGEST_ROLLOUT, LONGEST_ROLLOUT),
            steps=self.steps,
            num_envs=self.num_envs,
        )
        return replace(self, settings=settings)
