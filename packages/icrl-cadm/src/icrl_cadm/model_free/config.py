"""Settings of the model-free agents; their names differ by what is shown beside the state."""

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from icrl.config import Config
from icrl.errors import ConfigError, ContextError
from icrl.sb3_fitting import IMAGES_TAKE, has_images
from icrl_cadm.config import PAST, CaDMConfig

if TYPE_CHECKING:
    from icrl.agent import Interface

STEPS = 500_000
Kind = Literal["none", "stacked", "probabilistic", "cadm", "probed"]
FROM_A_MODEL = ("cadm", "probed")


@dataclass(frozen=True, kw_only=True)
class ModelFreeConfig(Config):
    """Settings of PPO beside a context: those of the context, then PPO's own.

    PPO's defaults are the paper's.
    """

    context: Kind = "cadm"
    """What PPO sees beside the state: `cadm`, the context that a trained CaDM infers (PPO + CaDM);
    `stacked`, the past transitions as they are (Stacked PPO); `probabilistic`, a draw of what an
    encoder infers from them that learns through PPO's loss (PPO + PC); `probed`, an embedding of
    the episode's first transitions, in which actions are random (PPO + EP); `none`, nothing (PPO).
    """
    past: int | None = None
    """Past transitions that the context is made of (the paper's K); by default 10, or as many as an
    episode has before its last step, and for `probed` at most half of an episode; with `pretrained`
    as many as that model knows."""
    context_size: int = 10
    """Numbers of a probabilistic context."""
    encoder: tuple[int, ...] = (256, 128, 64)
    """Hidden units of the encoder of a probabilistic context."""
    kl: float = 1e-4
    """Weight of KL(inferred, unit Gaussian) in the loss, for a probabilistic context. The paper
    does not say. At a hundredth it outweighs PPO's own loss, and the context stays noise."""
    pretrained: str | None = None
    """For `cadm`: the directory of a CaDM that was trained before (a run's, or the `agent` in it),
    or `AGENT:FAMILY` for one that a package ships; unset: it is trained first."""
    dynamics: CaDMConfig = field(default_factory=CaDMConfig)
    """Settings of the model that is trained first, for `cadm` and `probed`; one that was trained
    before has its own."""
    steps: int | None = None
    """PPO's steps, of all environments together: by default half a million, a tenth of that where
    observations are images."""
    num_envs: int = 10
    """Environments in which PPO learns, each episode on a new task."""
    rollout: int = 200
    """Steps of each environment between two updates."""
    epochs: int = 8
    """How often an update goes through the rollout."""
    minibatches: int = 4
    """Into how many parts it goes through it."""
    learning_rate: float = 5e-4
    """Adam's, at the beginning."""
    clip: float = 0.2
    """How far the policy's ratio may move, at the beginning."""
    schedule: Literal["linear", "constant"] = "linear"
    """Whether the learning rate and the clipping fall to nothing by a straight line, or stay."""
    gamma: float = 0.99
    """Discount."""
    gae_lambda: float = 0.95
    """Trade-off of generalised advantage estimation."""
    entropy: float = 0.0
    """Weight of the entropy: the original's README says none, its script's default is .01."""
    value: float = 0.25
    """Weight of the critic's squared error (the original's .5 weighs half of it)."""
    gradient_norm: float = 0.5
    """Largest norm of a gradient."""
    clip_values: bool = True
    """Whether the critic's error is the larger of its own and of that after it has moved by `clip`
    at most, in units of rewards."""
    limits_terminate: bool = True
    """Whether a time limit counts as a termination, as the original has it; else the value of what
    would follow is added (Pardo et al. 2018, arXiv:1712.00378)."""
    normalize_rewards: bool = False
    """Divide rewards by the running deviation of returns (SB3's VecNormalize). Else the critic
    takes millions of steps to follow Pendulum's returns of a thousand and more. Every preset but
    `full` does it, and then clips no values, gives the critic twice the weight, and lets no limit
    terminate."""
    hidden: tuple[int, ...] = (64, 64)
    """Hidden units (tanh) of the actor, and of the critic."""

    def adapted(self, interface: "Interface") -> Self:
        """The settings with what depends on the episode's length and on what is seen filled in.

        Raises:
            ConfigError: for values that are out of range, or do not go together.
            ContextError: for a `past` that is longer than an episode.
        """
        self._check_ranges()
        self._check_together()
        images = has_images(interface.observation_space)
        steps = STEPS // (IMAGES_TAKE if images else 1) if self.steps is None else self.steps
        self._check_updates(steps)
        past, dynamics = self.past, self.dynamics
        if past is not None or self.pretrained is None:  # else it is the pretrained model's
            past = self._fitting_past(interface.max_episode_steps)
        if self.context in FROM_A_MODEL and past is not None:
            dynamics = replace(dynamics, past=past).adapted(interface)
        return replace(self, steps=steps, past=past, dynamics=dynamics)

    @property
    def embeds_openings(self) -> bool:
        """Whether the context is of an episode's first transitions, not of the latest."""
        return self.context == "probed"

    def ppo(self) -> dict[str, Any]:
        """What SB3's PPO calls the settings that it has too, but for the learning rate and the
        clipping, which fall.
        """
        return {
            "n_steps": self.rollout,
            "batch_size": self.rollout * self.num_envs // self.minibatches,
            "n_epochs": self.epochs,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "ent_coef": self.entropy,
            "vf_coef": self.value,
            "max_grad_norm": self.gradient_norm,
        }

    def _fitting_past(self, longest: int | None) -> int:
        """How many transitions are kept; only the user's own number is refused."""
        given = self.past if self.past is not None else self.dynamics.past
        before = PAST if longest is None else longest - 1
        if given is None:
            usual = longest // 2 if longest is not None and self.embeds_openings else PAST
            return max(1, min(PAST, before, usual))
        if longest is not None and given > most_past(longest):
            raise ContextError(
                f"past is {given}, but an episode has {before} transitions before its last. Give "
                f"at most {most_past(longest)}, or leave it out."
            )
        return given

    def _check_together(self) -> None:
        share, rest = divmod(self.rollout * self.num_envs, self.minibatches)
        if rest or share < 2:
            raise ConfigError(
                f"{self.rollout} steps (rollout) of {self.num_envs} environments (num_envs) do not "
                f"make {self.minibatches} equal minibatches of at least two. Choose minibatches "
                "that divide their product."
            )
        if self.pretrained is not None and self.context != "cadm":
            raise ConfigError(
                f"context is {self.context!r} and pretrained is {self.pretrained!r}: only the "
                "context 'cadm' is a trained CaDM's. Leave pretrained out."
            )
        if self.embeds_openings and self.dynamics.tasks_per_iteration is not None:
            raise ConfigError(
                f"dynamics.tasks_per_iteration is {self.dynamics.tasks_per_iteration}, but the "
                "context 'probed' learns from openings on all tasks. Leave it out."
            )
        both = (self.past, self.dynamics.past)
        if None not in both and both[0] != both[1] and self.context in FROM_A_MODEL:
            raise ConfigError(
                f"past is {both[0]} and dynamics.past is {both[1]}: the model infers its context "
                "of the same transitions. Give one of them."
            )
        if self.context in FROM_A_MODEL and self.dynamics.context not in ("encoded", "recurrent"):
            raise ConfigError(
                f"dynamics.context is {self.dynamics.context!r}, and PPO is to see what a model "
                "infers. Give 'encoded' or 'recurrent'."
            )

    def _check_updates(self, steps: int) -> None:
        first = self.rollout * self.num_envs
        if steps <= first and self.schedule == "linear":
            raise ConfigError(
                f"steps is {steps}, but PPO's first update comes after {first} (rollout times "
                "num_envs), where a linear schedule has fallen to nothing: it would learn nothing. "
                "Give more, a smaller rollout, or schedule 'constant'."
            )

    def _check_ranges(self) -> None:
        counts = ("past", "context_size", "steps", "num_envs", "rollout", "epochs", "minibatches")
        for name in counts:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1.")
        for name in ("encoder", "hidden"):
            if any(size < 1 for size in getattr(self, name)):
                raise ConfigError(f"{name} is {getattr(self, name)}; sizes must be at least 1.")
        for name in ("kl", "entropy", "value"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be finite and not negative."
                )
        for name in ("learning_rate", "clip", "gradient_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; it must be finite and positive."
                )
        for name in ("gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be in [0, 1].")


def most_past(longest: int) -> int:
    """How many transitions may be kept in episodes of so many steps: those before the last."""
    return max(1, longest - 1)
