"""LinkedPolicy: the ensemble acts as one, without memory."""

import copy
from typing import Literal

import torch
from gymnasium import Space, spaces
from torch import Tensor

from icrl.policy import Policy
from icrl.sb3 import ActionView, ObservationView
from icrl.timestep import TimeStep
from icrl.trees import Tree
from icrl_leep.actor_critic import MemberActorCritic
from icrl_leep.inputs import images_first
from icrl_leep.links import Link


class LinkedPolicy(Policy[None]):
    """Draws from the policy that frozen members form together (Ghosh et al. 2021, section 6), or
    takes its likeliest action.
    """

    def __init__(
        self,
        members: MemberActorCritic,
        observation_space: Space,
        action_space: Space,
        link: Link,
        decoding: Literal["sample", "argmax"],
    ) -> None:
        """Keep a frozen copy of the members; the spaces are the environment's own."""
        self.members = copy.deepcopy(members).requires_grad_(False).eval()
        self.link, self.decoding = link, decoding
        self._view = ObservationView(observation_space, members.device)
        self._act = ActionView(action_space, members.device)
        self._images = _channels_last(self._view.space)

    def initial_context(self, num_envs: int) -> None:
        """Nothing."""

    @torch.no_grad()
    def act(
        self, timestep: TimeStep, context: None, generator: torch.Generator
    ) -> tuple[Tree, None]:
        """An action of the linked policy for each environment."""
        outputs = self.outputs(timestep.observation)
        actions = self.members.member_actions
        if self.decoding == "argmax":
            chosen = actions.linked_mode(outputs, self.link)
        else:
            chosen = actions.linked_sample(outputs, self.link, generator)
        return self._act.tensors(chosen), None

    @torch.no_grad()
    def outputs(self, observation: Tree) -> Tensor:
        """What each member gives out for observations [envs, ...]: [members, envs, outputs]."""
        seen = self._view.tensors(observation)
        if isinstance(seen, dict):
            seen = {name: _first(x) if name in self._images else x for name, x in seen.items()}
        elif self._images:
            seen = _first(seen)
        return self.members.linked_outputs(seen)


def _channels_last(space: Space) -> set[str]:
    """Which parts are images whose channels SB3 brings to the front."""
    parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
    return {name for name, part in parts.items() if images_first(part) is not part}


def _first(image: Tensor) -> Tensor:
    """[envs, height, width, channels] -> [envs, channels, height, width]."""
    return image.permute(0, 3, 1, 2)
