"""PPO whose critic's error is the larger of the clipped and the plain one, as CaDM's original has
it (OpenAI baselines' PPO2).

SB3's `clip_range_vf` takes the clipped error alone: beyond the clip it has no slope either way,
where the larger error still draws a value back that has moved away from its target.
"""

from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import DictRolloutBuffer
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.common.type_aliases import DictRolloutBufferSamples
from torch import Tensor


class ClippedCriticPPO(PPO):
    """SB3's PPO, whose critic follows the clipped error; with observations that are dictionaries.

    Values move as the policy does: by no more than `clip_range` from the old ones while that brings
    them nearer to their targets.
    """

    def __init__(self, env: Any, **settings: Any) -> None:
        """
        Args:
            env: where it learns.
            settings: SB3's.
        """
        super().__init__(
            _HoldingPolicy,
            env,
            rollout_buffer_class=_RecallingBuffer,
            clip_range_vf=None,
            **settings,
        )

    def train(self) -> None:
        """Update by the rollout that was gathered."""
        assert isinstance(self.policy, _HoldingPolicy)
        assert isinstance(self.rollout_buffer, _RecallingBuffer) and callable(self.clip_range)
        self.policy.learned_from = self.rollout_buffer
        self.policy.reach = self.clip_range(self._current_progress_remaining)
        super().train()


class _RecallingBuffer(DictRolloutBuffer):
    """A rollout that knows which of its minibatches is learned from."""

    minibatch: DictRolloutBufferSamples

    def _get_samples(self, *args: Any, **kwargs: Any) -> DictRolloutBufferSamples:  # type: ignore[override]
        self.minibatch = super()._get_samples(*args, **kwargs)
        return self.minibatch


class _HoldingPolicy(MultiInputActorCriticPolicy):
    """A policy whose values, where it is learned, pass a slope on only where they may move."""

    learned_from: _RecallingBuffer
    reach: float

    def evaluate_actions(self, obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Values [rows, 1], log-likelihoods of the actions, entropies."""
        values, log_prob, entropy = super().evaluate_actions(obs, actions)
        batch = self.learned_from.minibatch
        held = beyond(values.flatten(), batch.old_values, batch.returns, self.reach)
        return torch.where(held[:, None], values.detach(), values), log_prob, entropy


def beyond(values: Tensor, old: Tensor, targets: Tensor, reach: float) -> Tensor:
    """Where a clipped value's squared error is the larger one: there
    max((value - target)², (clipped - target)²) has no slope.

    Args:
        values: [rows].
        old: those before the update, [rows].
        targets: [rows].
        reach: how far values may move.

    Returns:
        [rows], bool.
    """
    moved = values - old
    clipped = old + moved.clamp(-reach, reach)
    further = (clipped - targets).abs() > (values - targets).abs()
    return further & (moved.abs() > reach)  # within reach both are one, but for rounding
