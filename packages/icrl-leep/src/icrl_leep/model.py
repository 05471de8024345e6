"""The members' networks: actors and critics of all members, each call one batch."""

import torch
from gymnasium import Space
from jaxtyping import Float
from torch import Tensor, nn

from icrl_leep.distributions import Gaussians, MemberActions
from icrl_leep.inputs import MemberInputs
from icrl_leep.layers import MemberPerceptron

Observation = Tensor | dict[str, Tensor]


class MemberNetworks(nn.Module):
    """An actor and a critic for each member.

    They are perceptrons of their own; where images are seen, linear layers on a shared trunk.
    """

    def __init__(
        self,
        members: int,
        observation_space: Space,
        actions: MemberActions,
        *,
        hidden: tuple[int, ...],
        channels: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.members = members
        self.inputs = MemberInputs(members, observation_space, channels)
        hidden = () if self.inputs.has_images else hidden
        size = actions.num_outputs
        self.log_std: nn.Parameter | None = None
        if isinstance(actions, Gaussians):  # as in SB3, it does not depend on what is seen
            size = actions.size
            self.log_std = nn.Parameter(torch.zeros(members, 1, size))
        features = self.inputs.num_features
        self.actor = MemberPerceptron(members, features, hidden, size, gain=0.01)
        self.critic = MemberPerceptron(members, features, hidden, 1, gain=1.0)

    def own(
        self, observation: Observation, num_rows: int
    ) -> tuple[Float[Tensor, "members batch outputs"], Float[Tensor, "members batch"]]:
        """What each member's actor gives out in its own rows, and the values of these."""
        features = self._own_features(observation, num_rows)
        return self._outputs(features), self.critic(features)[..., 0]

    def own_values(self, observation: Observation, num_rows: int) -> Tensor:
        """The critics' values of each member's own rows, [members, batch]."""
        return self.critic(self._own_features(observation, num_rows))[..., 0]

    def everyone(
        self, observation: Observation, num_rows: int
    ) -> Float[Tensor, "members batch outputs"]:
        """What every member's actor gives out in every row."""
        return self._outputs(self.inputs(observation, (num_rows,)))

    def _own_features(self, observation: Observation, num_rows: int) -> Tensor:
        return self.inputs(observation, (self.members, num_rows // self.members))

    def _outputs(self, features: Tensor) -> Tensor:
        outputs = self.actor(features)
        if self.log_std is None:
            return outputs
        return torch.cat((outputs, self.log_std.expand_as(outputs)), -1)
