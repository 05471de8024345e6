"""The members' networks: actors and critics of all members, each call one batch."""

from collections.abc import Iterator

import torch
from gymnasium import Space
from jaxtyping import Float
from torch import Tensor, nn

from icrl_leep.distributions import Gaussians, MemberActions
from icrl_leep.inputs import MemberInputs
from icrl_leep.layers import MemberPerceptron

Observation = Tensor | dict[str, Tensor]

IMAGES_AT_ONCE = 16
"""Images that all members look at together on a CPU: what its caches hold."""


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
        at_once = num_rows
        if self.inputs.has_images and self.actor.last.weight.device.type == "cpu":
            at_once = IMAGES_AT_ONCE
        parts = _in_parts(observation, at_once)
        return torch.cat([self._outputs(self.inputs(part, (-1,))) for part in parts], 1)

    def _own_features(self, observation: Observation, num_rows: int) -> Tensor:
        return self.inputs(observation, (self.members, num_rows // self.members))

    def _outputs(self, features: Tensor) -> Tensor:
        outputs = self.actor(features)
        if self.log_std is None:
            return outputs
        return torch.cat((outputs, self.log_std.expand_as(outputs)), -1)


def _in_parts(observation: Observation, at_once: int) -> Iterator[Observation]:
    """Observations [rows, ...] by so many rows."""
    if isinstance(observation, Tensor):
        yield from observation.split(at_once)
        return
    for part in zip(*(leaf.split(at_once) for leaf in observation.values()), strict=True):
        yield dict(zip(observation, part, strict=True))
