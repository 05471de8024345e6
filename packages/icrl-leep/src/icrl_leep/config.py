"""Settings of LEEP; its controls differ in `alpha`, `link` and `members`."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from icrl.config import Config
from icrl.errors import ConfigError
from icrl.sb3_fitting import IMAGES_TAKE, LONGEST_ROLLOUT, has_images

if TYPE_CHECKING:
    from icrl.agent import Interface

STEPS, NUM_ENVS = 1_000_000, 64
"""Of all members together, where the user does not say: steps, and about so many environments."""


@dataclass(frozen=True, kw_only=True)
class LEEPConfig(Config):
    """Settings of LEEP: those of the ensemble, then PPO's."""

    members: int = 4
    """Members of the ensemble; one is plain PPO."""
    bootstrap: bool = True
    """Whether each member has as many tasks as there are, drawn with replacement; else every member
    has them all, and members differ in their weights and episodes alone."""
    link: Literal["max", "average"] = "max"
    """How members form one policy: the largest of their probabilities, made to sum to one, or their
    average (the paper's control)."""
    alpha: float = 0.3
    """Weight of KL(member, linked policy) in each member's loss; 0 is a plain ensemble. The default
    was chosen among .1, .3 and 1, on mazes of Grid Maze that neither trained nor tested."""
    final_alpha: float | None = None
    """Its weight at the end of training, reached by a straight line; unset: it stays."""
    decoding: Literal["sample", "argmax"] = "sample"
    """The linked policy is drawn from, as it is meant to be. Its likeliest action gives up what the
    ensemble is for: where it is wrong, it is wrong for the rest of the episode."""
    steps: int | None = None
    """Steps in the environments, of all members together: by default a million, a tenth of that
    where observations are images."""
    num_envs: int | None = None
    """Environments, of all members together: a multiple of `members`; by default 64, or the next
    multiple."""
    rollout: int | None = None
    """Steps of each environment between two updates; by default an episode's, at most 128."""
    epochs: int = 4
    """How often an update goes through the rollout."""
    minibatches: int = 8
    """Into how many parts it goes through it."""
    learning_rate: float = 5e-4
    """Adam's."""
    schedule: Literal["constant", "linear"] = "constant"
    """Whether the learning rate stays or falls to nothing by a straight line."""
    gamma: float = 0.99
    """Discount."""
    gae_lambda: float = 0.95
    """Trade-off of generalised advantage estimation."""
    clip: float = 0.2
    """How far a policy's ratio may move."""
    entropy: float = 0.01
    """Weight of the entropy."""
    value: float = 0.5
    """Weight of the critics' loss."""
    gradient_norm: float = 0.5
    """Largest norm of a member's gradient."""
    normalize_rewards: bool = False
    """Divide rewards by the running deviation of returns (SB3's VecNormalize)."""
    hidden: tuple[int, ...] = (64, 64)
    """Hidden units of actors and critics, for observations without images."""
    channels: tuple[int, ...] = (16, 32, 32)
    """Channels of the stages of IMPALA's residual convolutions, for images."""
    joint_choices: int = 256
    """Up to how many values the joint action of a MultiDiscrete is linked as a whole; beyond, each
    of its factors is linked by itself."""
    link_samples: int = 8
    """Actions that estimate the divergence of Gaussian members in a row."""

    def adapted(self, interface: "Interface") -> Self:
        """The settings with the steps filled for what is seen, and the rollout for the horizon.

        Raises:
            ConfigError: for values that are out of range, or do not go together.
        """
        self._check_ranges()
        num_envs = self.num_envs or math.ceil(NUM_ENVS / self.members) * self.members
        if num_envs % self.members:
            raise ConfigError(
                f"num_envs is {num_envs} and members is {self.members}: each member needs "
                f"equally many environments. Give num_envs a multiple of {self.members}."
            )
        images = has_images(interface.observation_space)
        steps = STEPS // (IMAGES_TAKE if images else 1) if self.steps is None else self.steps
        rollout = self.rollout
        if rollout is None:
            rollout = max(2, min(interface.max_episode_steps or LONGEST_ROLLOUT, LONGEST_ROLLOUT))
        share = rollout * num_envs // self.members
        if share < 2 * self.minibatches:
            raise ConfigError(
                f"each member has {share} transitions in a rollout, too few for "
                f"{self.minibatches} minibatches of at least two. Give more num_envs or rollout, "
                "or fewer minibatches."
            )
        return replace(self, steps=steps, num_envs=num_envs, rollout=rollout)

    def ppo(self) -> dict[str, Any]:
        """What SB3's PPO calls the settings that it has too, but for rate and minibatches."""
        return {
            "n_steps": self.rollout,
            "n_epochs": self.epochs,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "clip_range": self.clip,
            "ent_coef": self.entropy,
            "vf_coef": self.value,
            "max_grad_norm": self.gradient_norm,
        }

    def _check_ranges(self) -> None:
        counts = ("members", "steps", "num_envs", "epochs", "minibatches", "link_samples")
        for name in (*counts, "rollout", "joint_choices"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1.")
        for name in ("hidden", "channels"):
            if any(size < 1 for size in getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)}; sizes must be at least 1.")
        if not self.channels:
            raise ConfigError("channels is empty; images need at least one stage.")
        for name in ("alpha", "final_alpha", "entropy", "value"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ConfigError(f"{name} is {value}; it must be finite and not negative.")
        for name in ("learning_rate", "clip", "gradient_norm"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be positive.")
        for name in ("gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1].")
