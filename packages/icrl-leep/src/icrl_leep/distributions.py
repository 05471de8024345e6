"""What members' networks give out, as distributions over actions, and their link.

Leading axes are [members, batch] for members, [batch] for the linked policy. Actions lie in the
space that a learner sees (`icrl.sb3.ActionView`): codes from zero, one axis.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np
import torch
from gymnasium import Space, spaces
from jaxtyping import Float
from torch import Tensor

from icrl.errors import SpaceError
from icrl.nn.actions import gumbel_argmax
from icrl_leep.links import Link, divergence, linked_log_densities, linked_log_probs

LOG_STD = (-5.0, 2.0)
"""Bounds of a Gaussian's log standard deviation."""


class MemberActions(ABC):
    """The distributions over actions that the outputs of members' networks stand for."""

    num_outputs: int
    """How many outputs a network has for them."""
    describes: str
    """What is linked, in words."""

    @abstractmethod
    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        """An action of each row, [members, batch, *action]; None: torch's global generator."""

    @abstractmethod
    def log_prob(self, outputs: Tensor, action: Tensor) -> Float[Tensor, "members batch"]:
        """Of actions [members, batch, *action]."""

    @abstractmethod
    def entropy(self, outputs: Tensor) -> Float[Tensor, "members batch"]:
        """In nats."""

    @abstractmethod
    def divergence(
        self, outputs: Tensor, everyone: Tensor, link: Link, generator: torch.Generator | None
    ) -> Float[Tensor, "members batch"]:
        """KL(π_i ‖ π_linked) of each row.

        Args:
            outputs: of each member in its own rows, [members, batch, outputs].
            everyone: of all members in all of these rows, [members, members, batch, outputs]: the
                first axis is who acts, the second whose row it is. No gradient goes through them.
            link: how members form one policy.
            generator: where the link needs samples.
        """

    @abstractmethod
    def linked_sample(
        self, outputs: Tensor, link: Link, generator: torch.Generator | None
    ) -> Tensor:
        """An action of the linked policy in each row, [batch, *action], from [members, batch,
        outputs].
        """

    @abstractmethod
    def linked_mode(self, outputs: Tensor, link: Link) -> Tensor:
        """The linked policy's likeliest action in each row, [batch, *action]."""


def member_actions(space: Space, *, joint_choices: int, link_samples: int) -> MemberActions:
    """The distributions over an action space as learners see it.

    | space         | distribution           | what is linked                                 |
    |---------------|------------------------|------------------------------------------------|
    | Discrete      | categorical            | the action                                     |
    | MultiDiscrete | one for each factor    | the joint action if it has few values, else    |
    |               |                        | each factor                                    |
    | MultiBinary   | the same, of 2 choices | likewise                                       |
    | Box           | Gaussian, diagonal     | the joint density                              |

    Args:
        space: the action space.
        joint_choices: up to how many values a joint action is linked as a whole.
        link_samples: how many samples estimate the divergence of densities.
    """
    match space:
        case spaces.Discrete():
            return Choices((int(space.n),), joint_choices, bare=True)
        case spaces.MultiDiscrete():
            return Choices(tuple(int(n) for n in space.nvec), joint_choices)
        case spaces.MultiBinary():
            return Choices((2,) * int(np.prod(space.shape)), joint_choices)
        case spaces.Box():
            return Gaussians(math.prod(space.shape), link_samples)
    raise SpaceError(f"no member acts in {space}.")


class Choices(MemberActions):
    """Independent choices in a member, one categorical for each factor."""

    def __init__(self, counts: tuple[int, ...], joint_choices: int, *, bare: bool = False) -> None:
        """`bare` actions have no axis of factors."""
        self.counts, self.bare = counts, bare
        self.num_outputs = sum(counts)
        self.joint = math.prod(counts) <= joint_choices
        if bare:
            self.describes = "the action"
        elif self.joint:
            self.describes = f"the joint action of {math.prod(counts)} values"
        else:
            self.describes = (
                f"each of {len(counts)} factors, as the joint action has more than "
                f"{joint_choices} values"
            )

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._action([gumbel_argmax(part, generator) for part in self._factors(outputs)])

    def log_prob(self, outputs: Tensor, action: Tensor) -> Tensor:
        choices = action.long().reshape(*outputs.shape[:-1], len(self.counts)).unbind(-1)
        pairs = zip(self._factors(outputs), choices, strict=True)
        return _sum_of(part.gather(-1, choice[..., None])[..., 0] for part, choice in pairs)

    def entropy(self, outputs: Tensor) -> Tensor:
        return _sum_of(-(part.exp() * part).sum(-1) for part in self._factors(outputs))

    def divergence(
        self, outputs: Tensor, everyone: Tensor, link: Link, generator: torch.Generator | None
    ) -> Tensor:
        pairs = zip(self.tables(outputs), self.tables(everyone), strict=True)
        return _sum_of(divergence(own, linked_log_probs(all_, link)) for own, all_ in pairs)

    def linked_sample(
        self, outputs: Tensor, link: Link, generator: torch.Generator | None
    ) -> Tensor:
        return self._split(
            [gumbel_argmax(table, generator) for table in self.linked(outputs, link)]
        )

    def linked_mode(self, outputs: Tensor, link: Link) -> Tensor:
        return self._split([table.argmax(-1) for table in self.linked(outputs, link)])

    def linked(self, outputs: Tensor, link: Link) -> list[Tensor]:
        """The logarithm of the linked policy: a table [batch, choices] for each linked choice."""
        return [linked_log_probs(table, link) for table in self.tables(outputs)]

    def tables(self, outputs: Tensor) -> list[Tensor]:
        """Log probabilities of what is linked: of the joint action, or of each factor."""
        factors = self._factors(outputs)
        if not self.joint:
            return factors
        table = factors[0]
        for factor in factors[1:]:
            table = (table[..., None] + factor[..., None, :]).flatten(-2)
        return [table]

    def _factors(self, outputs: Tensor) -> list[Tensor]:
        return [part.log_softmax(-1) for part in outputs.split(self.counts, -1)]

    def _action(self, choices: list[Tensor]) -> Tensor:
        return choices[0] if self.bare else torch.stack(choices, -1)

    def _split(self, linked: list[Tensor]) -> Tensor:
        """What was chosen for each linked choice, as an action."""
        if not self.joint:
            return self._action(linked)
        code, choices = linked[0], []
        for count in reversed(self.counts):
            choices.append(code % count)
            code = code // count
        return self._action(choices[::-1])


class Gaussians(MemberActions):
    """A diagonal Gaussian for each member; members' densities are linked as a whole.

    π_max(a|s) ∝ max_j π_j(a|s) has no closed form, but it is exact to draw from: an action of a
    member chosen evenly is kept if that member finds it likeliest of all. KL(π_i ‖ π_max) is the
    mean of log π_i − log max_j π_j over samples of π_i, through which alone the gradient goes
    (Roeder et al. 2017, arXiv:1703.09194): where members agree it is zero in every sample, and not
    only on average. The norm of π_max is a constant to it.
    """

    describes = "the joint density"
    TRIALS = 9
    """Draws for each member, of which the first that is kept counts. One draw of n members is kept
    with a probability of 1/n at least, so that all are refused in fewer than one row of 8,000, and
    there the best of them stands.
    """

    def __init__(self, size: int, samples: int) -> None:
        self.size, self.samples = size, samples
        self.num_outputs = 2 * size

    def sample(self, outputs: Tensor, generator: torch.Generator | None) -> Tensor:
        mean, log_std = self._moments(outputs)
        return mean + log_std.exp() * _noise(mean, generator)

    def log_prob(self, outputs: Tensor, action: Tensor) -> Tensor:
        return _log_density(*self._moments(outputs), action)

    def entropy(self, outputs: Tensor) -> Tensor:
        return (self._moments(outputs)[1] + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)

    def divergence(
        self, outputs: Tensor, everyone: Tensor, link: Link, generator: torch.Generator | None
    ) -> Tensor:
        mean, log_std = self._moments(outputs)
        everyone = everyone.detach()
        noise = _noise(mean.expand(self.samples, *mean.shape), generator)
        action = mean + log_std.exp() * noise  # [samples, members, batch, size]
        theirs = _log_density(*self._moments(everyone[:, None]), action)
        own = _log_density(mean.detach(), log_std.detach(), action)
        apart = own - linked_log_densities(theirs, link)
        return apart.mean(0) + self._log_norm(everyone, link, generator)

    def linked_sample(
        self, outputs: Tensor, link: Link, generator: torch.Generator | None
    ) -> Tensor:
        mean, log_std = self._moments(outputs)
        members, batch = mean.shape[:2]
        chosen = _evenly((self.TRIALS * members, batch), members, generator, mean.device)
        row = torch.arange(batch, device=mean.device)
        own = mean[chosen, row], log_std[chosen, row]  # [trials, batch, size]
        action = own[0] + own[1].exp() * _noise(own[0], generator)
        if link == "average":
            return action[0]
        theirs = _log_density(mean[:, None], log_std[:, None], action)
        likeliest, owner = theirs.max(0)  # one owner, so that equal members count once
        short = likeliest - theirs.gather(0, chosen[None])[0]
        best = torch.where(chosen == owner, -1.0, short).argmin(0)  # the first of equals
        return action[best, row]

    def linked_mode(self, outputs: Tensor, link: Link) -> Tensor:
        """The likeliest of the members' means: exact for max, near it for average."""
        mean, log_std = self._moments(outputs)
        at_means = _log_density(mean[:, None], log_std[:, None], mean)  # [who acts, whose mean, ..]
        best = linked_log_densities(at_means, link).argmax(0)
        return mean[best, torch.arange(len(best), device=mean.device)]

    def _log_norm(self, everyone: Tensor, link: Link, generator: torch.Generator | None) -> Tensor:
        """log ∫ max_j π_j, by samples of the members' mixture; zero for the average."""
        mean, log_std = self._moments(everyone)
        if link == "average":
            return mean.new_zeros(mean.shape[1:-1])
        noise = _noise(mean.expand(self.samples, *mean.shape), generator)
        action = mean + log_std.exp() * noise  # [samples, who drew, whose row, batch, size]
        theirs = _log_density(mean[:, None, None], log_std[:, None, None], action)
        over_mixture = linked_log_densities(theirs, "max") - linked_log_densities(theirs, "average")
        return over_mixture.exp().mean((0, 1)).log()

    def _moments(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = outputs.chunk(2, -1)
        return mean, log_std.clamp(*LOG_STD)


def _sum_of(tensors: Iterable[Tensor]) -> Tensor:
    """The sum of some tensors of one shape."""
    return torch.stack(list(tensors)).sum(0)


def _log_density(mean: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
    z = (action - mean) * (-log_std).exp()
    return (-0.5 * z.square() - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)


def _noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device)


def _evenly(
    shape: tuple[int, ...], count: int, generator: torch.Generator | None, device: torch.device
) -> Tensor:
    return torch.randint(count, shape, generator=generator, device=device)
