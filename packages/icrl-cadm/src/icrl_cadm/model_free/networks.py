"""Networks: what PPO learns on states beside clues, as SB3 makes it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import Space, spaces
from gymnasium.spaces.utils import flatdim
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    create_mlp,
)
from stable_baselines3.common.utils import FloatSchedule
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor, nn

from icrl.sb3 import Normalization
from icrl_cadm.model_free.clues import NOISE, TRANSITIONS, Clues, SampledClues
from icrl_cadm.model_free.config import ModelFreeConfig

CLIP, EPSILON = 10.0, 1e-8
"""Of `VecNormalize`: what standardised numbers are cut at, and what is added to a variance."""
LOG_DEVIATION = (-5.0, 2.0)
"""Between which the log-deviation of an inferred context is kept."""


class Standardised(nn.Module):
    """Numbers by the running mean and variance of `VecNormalize`, as PPO was shown them."""

    mean: Tensor
    variance: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(size, dtype=torch.float64))

    def take(self, mean: np.ndarray, variance: np.ndarray) -> None:
        """Take statistics."""
        self.mean.copy_(torch.from_numpy(mean))
        self.variance.copy_(torch.from_numpy(variance))

    def forward(self, x: Tensor) -> Tensor:
        """[..., size] -> [..., size]."""
        centred = (x - self.mean) / (self.variance + EPSILON).sqrt()
        return centred.clamp(-CLIP, CLIP).float()


class Actor(nn.Module):
    """The actor that PPO learned, and what standardises its inputs."""

    def __init__(
        self, config: ModelFreeConfig, space: spaces.Dict, actions: Space, clues: Clues
    ) -> None:
        """Make an untrained one.

        Args:
            config: settings.
            space: what a memory shows.
            actions: what the learner acts in.
            clues: those of the memory.
        """
        super().__init__()
        policy = MultiInputActorCriticPolicy(
            space, actions, FloatSchedule(config.learning_rate), **architecture(config, clues)
        )
        self.parts = nn.ModuleList(_parts(policy))
        self.log_std = policy.log_std if isinstance(actions, spaces.Box) else None
        """Of each number of a Box, whatever is seen."""
        self.standardised = nn.ModuleDict(
            {name: Standardised(flatdim(space[name])) for name in standardised(clues)}
        )

    def take(self, policy: MultiInputActorCriticPolicy, env: VecNormalize) -> None:
        """Take what PPO learned."""
        for part, learned in zip(self.parts, _parts(policy), strict=True):
            part.load_state_dict(learned.state_dict())
        if self.log_std is not None:
            self.log_std.data.copy_(policy.log_std)
        known = Normalization.of(env)
        for name, each in self.standardised.items():
            assert isinstance(each, Standardised)
            each.take(known.mean[name], known.variance[name])

    def forward(self, shown: Mapping[str, Tensor]) -> Tensor:
        """What actions are drawn from, [rows, outputs]: logits, or means in a Box.

        Args:
            shown: states and clues as a memory shows them.
        """
        x: Any = {
            name: self.standardised[name](x) if name in self.standardised else x
            for name, x in shown.items()
        }
        for part in self.parts:
            x = part(x)
        return x


def _parts(policy: MultiInputActorCriticPolicy) -> tuple[nn.Module, ...]:
    """What observations go through on their way to an action."""
    return (
        policy.pi_features_extractor,
        policy.mlp_extractor.policy_net,
        policy.action_net,
    )


def standardised(clues: Clues) -> tuple[str, ...]:
    """What of states and clues PPO is shown by running means and deviations."""
    return ("state", *clues.standardised)


def architecture(config: ModelFreeConfig, clues: Clues) -> dict[str, Any]:
    """What SB3's policy is made with: an actor and a critic that share no layer but those that
    infer a context.
    """
    hidden = list(config.hidden)
    made: dict[str, Any] = {"net_arch": {"pi": hidden, "vf": hidden}}
    if isinstance(clues, SampledClues):
        settings = {"hidden": config.encoder, "size": config.context_size, "weight": config.kl}
        return made | {
            "features_extractor_class": InferringExtractor,
            "features_extractor_kwargs": settings,
        }
    return made | {"features_extractor_class": CombinedExtractor}


class InferringExtractor(BaseFeaturesExtractor):
    """Infers a Gaussian over contexts from the past transitions, and shows a draw from it.

    As PEARL's (Rakelly et al. 2019, arXiv:1903.08254) it learns through the learner's own loss, and
    pays for what it tells beyond a unit Gaussian. The noise of the draw comes with the observation,
    so that PPO updates on the very contexts that it acted on.
    """

    def __init__(
        self, observation_space: spaces.Dict, *, hidden: tuple[int, ...], size: int, weight: float
    ) -> None:
        """
        Args:
            observation_space: `state`, `transitions` and `noise`.
            hidden: units of the encoder's layers.
            size: numbers of a context.
            weight: of KL(inferred, unit Gaussian) in the loss.
        """
        (state,), (slots,) = (
            observation_space[name].shape or () for name in ("state", TRANSITIONS)
        )
        super().__init__(observation_space, state + size)
        self.encoder = nn.Sequential(*create_mlp(slots, 2 * size, list(hidden)))
        self._weight = weight

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """The state, and the context drawn for it, [rows, state + size]."""
        mean, log_deviation = self.inferred(observations[TRANSITIONS])
        mean, log_deviation = TowardsUnitGaussian.apply(mean, log_deviation, self._weight)
        context = mean + log_deviation.exp() * observations[NOISE]
        return torch.cat((observations["state"], context), 1)

    def inferred(self, transitions: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation of the context, [rows, size] each."""
        mean, log_deviation = self.encoder(transitions).chunk(2, -1)
        return mean, log_deviation.clamp(*LOG_DEVIATION)


class TowardsUnitGaussian(torch.autograd.Function):
    """Passes a Gaussian on, and adds weight * KL(Gaussian, unit Gaussian) to whatever loss comes
    after, as a mean over rows: its gradient is added on the way back.

    SB3's PPO has no place for a further term of the loss.
    """

    @staticmethod
    def forward(
        ctx: Any, mean: Tensor, log_deviation: Tensor, weight: float
    ) -> tuple[Tensor, Tensor]:
        """The Gaussian itself."""
        ctx.save_for_backward(mean, log_deviation)
        ctx.weight = weight
        return mean.clone(), log_deviation.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """KL = (mean² + deviation² - 1) / 2 - log deviation, summed over the context's numbers."""
        mean, log_deviation = ctx.saved_tensors
        share = ctx.weight / len(mean)
        of_mean, of_log_deviation = gradients
        return (
            of_mean + share * mean,
            of_log_deviation + share * ((2 * log_deviation).exp() - 1),
            None,
        )
