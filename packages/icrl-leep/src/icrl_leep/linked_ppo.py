"""LinkedPPO: PPO of Stable-Baselines3 for many members, with the link in its loss.

Ghosh et al. 2021, arXiv:2107.06277, section 6: each member's PPO loss + α KL(π_i ‖ π_max).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance, obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from icrl.errors import ConfigError
from icrl.trees import map_tree
from icrl_leep.actor_critic import MemberActorCritic
from icrl_leep.links import Link
from icrl_leep.model import Observation

NOT_SERVED = {"batch_size", "clip_range_vf", "target_kl", "use_sde"}
"""Settings of SB3's PPO that our update would pass over."""


@dataclass(frozen=True)
class Batch:
    """Transitions of all members, [members, batch, ...]; observations [members * batch]."""

    observation: Observation
    action: Tensor
    old_log_prob: Tensor
    advantage: Tensor
    returns: Tensor


class LinkedPPO(PPO):
    """PPO of many members, each on its own rows of one environment.

    Rollouts, their buffer, schedules and logging are SB3's. `train` is its own: SB3's has no place
    for a further term of the loss. With one member it does what SB3's PPO does.
    """

    policy: MemberActorCritic  # type: ignore[assignment]

    def __init__(
        self,
        env: VecEnv,
        *,
        members: int,
        link: Link,
        alpha: float,
        final_alpha: float,
        n_steps: int,
        minibatches: int,
        policy_kwargs: dict[str, Any],
        **settings: Any,
    ) -> None:
        """
        Args:
            env: with equally many rows for each member, one member's after the other's.
            members: how many.
            link: how they form one policy.
            alpha, final_alpha: the weight of the divergence, at the beginning and, by a straight
                line, at the end.
            n_steps: steps of each row between two updates.
            minibatches: into how many parts, equal to one row of each member, an epoch goes through
                the rollout; each has two rows of each member at least.
            policy_kwargs: of `MemberActorCritic`, except `members`.
            **settings: PPO's own, except those of `NOT_SERVED`.

        Raises:
            ConfigError: for settings that are not served.
        """
        if unserved := sorted(NOT_SERVED & settings.keys()):
            raise ConfigError(
                f"LinkedPPO does not serve {', '.join(unserved)} of Stable-Baselines3's PPO. Leave "
                "them out; the size of its minibatches follows from `minibatches`."
            )
        self.members = members
        self.alpha, self.final_alpha = alpha, final_alpha
        self.minibatches = minibatches
        self._cut: list[tuple[int, int, Any]] = []
        kwargs = {"members": members, "link": link, **policy_kwargs}
        super().__init__(
            MemberActorCritic,  # type: ignore[arg-type]
            env,
            n_steps=n_steps,
            batch_size=n_steps * env.num_envs,  # SB3 counts transitions, and warns of a remainder
            policy_kwargs=kwargs,
            **settings,
        )

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """SB3's, with truncated episodes bootstrapped afterwards, all at once.

        SB3 values one last observation at a time, from which nobody knows whose it is.
        """
        self._cut.clear()
        whole = super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        if whole and self._cut:
            self._bootstrap(rollout_buffer)
        return whole

    def _update_info_buffer(
        self, infos: list[dict[str, Any]], dones: np.ndarray | None = None
    ) -> None:
        super()._update_info_buffer(infos, dones)
        for row in np.flatnonzero(dones if dones is not None else ()):
            if infos[row].get("TimeLimit.truncated"):
                infos[row]["TimeLimit.truncated"] = False  # so SB3 leaves it to `_bootstrap`
                last = infos[row]["terminal_observation"]
                self._cut.append((self.rollout_buffer.pos, int(row), last))

    @torch.no_grad()
    def _bootstrap(self, buffer: RolloutBuffer) -> None:
        """Add what the critics expect after episodes that were cut, and the returns anew."""
        steps, rows, last = zip(*self._cut, strict=True)
        observation, _ = self.policy.obs_to_tensor(map_tree(lambda *rows: np.stack(rows), *last))
        values = self.policy.networks.critic(
            self.policy.networks.inputs(observation, (len(rows),))
        )[..., 0]
        member = np.array(rows) // (self.n_envs // self.members)
        own = values[torch.from_numpy(member), torch.arange(len(rows))]
        buffer.rewards[list(steps), list(rows)] += self.gamma * own.cpu().numpy()
        assert self._last_obs is not None and self._last_episode_starts is not None
        following = self.policy.predict_values(obs_as_tensor(self._last_obs, self.device))
        buffer.compute_returns_and_advantage(following, self._last_episode_starts)

    def alpha_at(self, remaining: float) -> float:
        """The weight of the divergence where so much of the training remains, from 1 to 0; the last
        rollout may go beyond its end.
        """
        return self.final_alpha + (self.alpha - self.final_alpha) * max(remaining, 0.0)

    def train(self) -> None:
        """Update the members on the rollout."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        remaining = self._current_progress_remaining
        clip = self.clip_range(remaining)  # type: ignore[operator]
        alpha = self.alpha_at(remaining)
        every = self._rollout()
        logged: list[dict[str, Tensor]] = []
        for _ in range(self.n_epochs):
            for batch in self._batches(every):
                terms = self._losses(batch, clip, alpha)
                self._step(terms["loss"])
                logged.append({name: term.detach() for name, term in terms.items()})
            self._n_updates += 1
        self.policy.networks.inputs.observe(every.observation)
        self._log(logged, clip, alpha)

    def _rollout(self) -> Batch:
        """The whole rollout, on the device."""
        buffer = self.rollout_buffer
        next(buffer.get(1))  # lays the arrays out row by row, each row's steps in order
        data = buffer._get_samples(np.arange(buffer.buffer_size * buffer.n_envs))

        def by_member(x: Tensor) -> Tensor:
            return x.reshape(self.members, -1, *x.shape[1:])

        return Batch(
            data.observations,
            by_member(data.actions),
            by_member(data.old_log_prob),
            by_member(data.advantages),
            by_member(data.returns),
        )

    def _batches(self, every: Batch) -> Iterator[Batch]:
        """The rollout in random minibatches, of equally many rows of each member."""
        rows = every.advantage.shape[1]
        order = torch.rand(self.members, rows, device=every.advantage.device).argsort(1)
        offset = torch.arange(self.members, device=order.device)[:, None] * rows
        for chosen in order.tensor_split(self.minibatches, 1):
            flat = (chosen + offset).flatten()

            def of_members(x: Tensor, flat: Tensor = flat) -> Tensor:
                picked = x.flatten(0, 1).index_select(0, flat)
                return picked.reshape(self.members, -1, *x.shape[2:])

            yield Batch(
                map_tree(lambda x, flat=flat: x.index_select(0, flat), every.observation),
                of_members(every.action),
                of_members(every.old_log_prob),
                of_members(every.advantage),
                of_members(every.returns),
            )

    def _losses(self, batch: Batch, clip: float, alpha: float) -> dict[str, Tensor]:
        """The terms of the loss (means over all rows), and `loss`, the sum of the members'."""
        outputs, values = self.policy.networks.own(batch.observation, batch.advantage.numel())
        actions = self.policy.member_actions
        advantage = batch.advantage
        if self.normalize_advantage:
            mean, std = advantage.mean(1, keepdim=True), advantage.std(1, keepdim=True)
            advantage = (advantage - mean) / (std + 1e-8)
        log_ratio = actions.log_prob(outputs, batch.action) - batch.old_log_prob
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - clip, 1 + clip)
        terms = {
            "policy_gradient_loss": -torch.min(advantage * ratio, advantage * clipped).mean(),
            "value_loss": (batch.returns - values).square().mean(),
            "entropy_loss": -actions.entropy(outputs).mean(),
            "link": torch.zeros((), device=values.device),
        }
        if alpha > 0 and self.members > 1:
            terms["link"] = self.policy.divergence(outputs, batch.observation).mean()
        mean_loss = (
            terms["policy_gradient_loss"]
            + self.ent_coef * terms["entropy_loss"]
            + self.vf_coef * terms["value_loss"]
            + alpha * terms["link"]
        )
        with torch.no_grad():
            terms["approx_kl"] = (ratio - 1 - log_ratio).mean()
            terms["clip_fraction"] = ((ratio - 1).abs() > clip).float().mean()
        return terms | {"loss": mean_loss * self.members}

    def _step(self, loss: Tensor) -> None:
        """A step of the optimiser, with each member's gradient clipped by itself."""
        self.policy.optimizer.zero_grad()
        loss.backward()
        gradients = [p.grad for p in self.policy.parameters() if p.grad is not None]
        squares = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0)
        factor = (self.max_grad_norm / (squares.sqrt() + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))
        self.policy.optimizer.step()

    def _log(self, logged: list[dict[str, Tensor]], clip: float, alpha: float) -> None:
        for name in logged[0]:
            mean = float(torch.stack([terms[name] for terms in logged]).mean())
            self.logger.record(f"train/{name}", mean)
        buffer = self.rollout_buffer
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        self.logger.record("train/explained_variance", explained)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/clip_range", clip)
        self.logger.record("train/alpha", alpha)
