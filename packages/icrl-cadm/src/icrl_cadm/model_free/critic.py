"""PPO whose critic's error is the larger of the clipped and the plain one, as CaDM's original has
it (OpenAI baselines' PPO2).

SB3's `clip_range_vf` takes the clipped error alone: beyond the clip it has no slope either way,
where the larger error still draws a value back that has moved away from its target.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from stable_baselines3 import PPO
from torch import Tensor


class ClippedCriticPPO(PPO):
    """SB3's PPO, whose values move as its policy does: by no more than `clip_range` from the old
    ones while that brings them nearer to their targets. Leave `clip_range_vf` out.
    """

    def train(self) -> None:
        """Update by the rollout that was gathered."""
        assert callable(self.clip_range)
        reach = self.clip_range(self._current_progress_remaining)
        get, evaluate = self.rollout_buffer.get, self.policy.evaluate_actions
        minibatch: Any = None

        def minibatches(batch_size: int | None = None) -> Iterator[Any]:
            nonlocal minibatch
            for each in get(batch_size):
                minibatch = each
                yield each

        def evaluated(obs: Any, actions: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
            values, log_prob, entropy = evaluate(obs, actions)
            held = beyond(values.flatten(), minibatch.old_values, minibatch.returns, reach)
            return torch.where(held[:, None], values.detach(), values), log_prob, entropy

        with (
            _replaced(self.rollout_buffer, "get", minibatches),
            _replaced(self.policy, "evaluate_actions", evaluated),
        ):
            super().train()


@contextmanager
def _replaced(owner: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Put another in place of an object's method."""
    setattr(owner, name, method)
    try:
        yield
    finally:
        delattr(owner, name)


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
