"""The members as one policy of Stable-Baselines3: what its rollouts ask of a policy."""

from typing import Any

import torch
from gymnasium import Space
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor

from icrl_leep.distributions import MemberActions, member_actions
from icrl_leep.links import Link
from icrl_leep.model import MemberNetworks


class MemberActorCritic(BasePolicy):
    """All members in one policy: with `rows` environments, member i acts in rows i * rows / members
    and on.
    """

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        lr_schedule: Schedule,
        *,
        use_sde: bool = False,
        members: int,
        link: Link,
        hidden: tuple[int, ...],
        channels: tuple[int, ...],
        joint_choices: int,
        link_samples: int,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.link: Link = link
        self.member_actions: MemberActions = member_actions(
            action_space, joint_choices=joint_choices, link_samples=link_samples
        )
        self.networks = MemberNetworks(
            members, observation_space, self.member_actions, hidden=hidden, channels=channels
        )
        # SB3's epsilon for PPO; Adam works element by element, so members do not mix in it.
        self.optimizer = torch.optim.Adam(self.parameters(), lr=lr_schedule(1), eps=1e-5)

    def forward(self, observation: PyTorchObs) -> tuple[Tensor, Tensor, Tensor]:
        """Actions [rows, *action], values [rows, 1] and log probabilities [rows]."""
        rows = num_rows(observation)
        outputs, values = self.networks.own(observation, rows)
        actions = self.member_actions.sample(outputs, None)
        log_probs = self.member_actions.log_prob(outputs, actions)
        return actions.flatten(0, 1), values.reshape(rows, 1), log_probs.flatten()

    def predict_values(self, observation: PyTorchObs) -> Tensor:
        """Values [rows, 1]; rows as in `forward`."""
        rows = num_rows(observation)
        return self.networks.own_values(observation, rows).reshape(rows, 1)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        """What `predict` of SB3 gives, for its callbacks: an action of the linked policy in each
        row, drawn or the likeliest, [rows, *action].
        """
        outputs = self.linked_outputs(observation)
        if deterministic:
            return self.member_actions.linked_mode(outputs, self.link)
        return self.member_actions.linked_sample(outputs, self.link, None)

    def linked_outputs(self, observation: PyTorchObs) -> Tensor:
        """What every member gives out in every row, [members, rows, outputs]."""
        return self.networks.everyone(observation, num_rows(observation))

    def divergence(self, outputs: Tensor, observation: PyTorchObs) -> Tensor:
        """KL(π_i ‖ π_linked) in rows of member i, [members, batch].

        The linked policy is what the members' networks say now, and no gradient goes through it.
        """
        with torch.no_grad():
            everyone = self.linked_outputs(observation).unflatten(1, outputs.shape[:2])
        return self.member_actions.divergence(outputs, everyone, self.link, None)


def num_rows(observation: Any) -> int:
    """How many rows observations have."""
    leaf = next(iter(observation.values())) if isinstance(observation, dict) else observation
    return len(leaf)
