"""Transitions: all that was collected, with what came before and after each in its episode."""

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from icrl_cadm.history import History


@dataclass(frozen=True)
class Transitions:
    """Transitions of many episodes, one episode after the other, each in the order of time."""

    state: Tensor
    """[transitions, state numbers]."""
    control: Tensor
    """[transitions, control numbers]."""
    following: Tensor
    """[transitions, state numbers]: what the control led to, also where it ended the episode."""
    reward: Tensor
    """[transitions] float32."""
    terminated: Tensor
    """[transitions] bool."""
    age: Tensor
    """[transitions] int64: how many came before it in its episode."""
    left: Tensor
    """[transitions] int64: how many come after it in its episode."""
    held_out: Tensor
    """[transitions] bool: whether training leaves out the context before it."""
    opening: bool = False
    """Whether histories are of an episode's first transitions in place of the last ones."""

    @classmethod
    def of(
        cls,
        *,
        state: Tensor,
        control: Tensor,
        following: Tensor,
        reward: Tensor,
        terminated: Tensor,
        opens: Tensor,
        validation: float,
        generator: torch.Generator,
    ) -> Self:
        """Of what rows of environments went through, [time, envs, ...] each.

        Args:
            opens: [time, envs] bool, whether a transition is its episode's first; those of the
                first time are taken as such.
            validation: share of the contexts to hold out; never all.
            generator: draws which.
        """
        time, envs = opens.shape
        place = torch.arange(time, device=opens.device)[:, None].expand(time, envs)
        first = torch.where(opens, place, 0).cummax(0).values
        # The opening after each transition, counted from the end as the one before it from the
        # start; a transition is the last of its episode if the next one opens.
        last = torch.ones_like(opens)
        last[:-1] = opens[1:]
        end = torch.where(last, place, time).flip(0).cummin(0).values.flip(0)
        of_device = torch.rand(envs * time, generator=generator, device=generator.device)
        held_out = of_device < validation
        held_out &= ~held_out.all()  # few transitions may all be drawn, and none would be left

        def in_order(x: Tensor) -> Tensor:
            return x.transpose(0, 1).flatten(0, 1)

        return cls(
            in_order(state),
            in_order(control),
            in_order(following),
            in_order(reward).float(),
            in_order(terminated),
            in_order(place - first),
            in_order(end - place),
            held_out.to(opens.device),
        )

    def __len__(self) -> int:
        return len(self.reward)

    def and_then(self, later: Self) -> Self:
        """These, then the later ones."""
        ours, theirs = self.tensors(), later.tensors()
        joined: dict[str, Any] = {name: torch.cat((ours[name], theirs[name])) for name in ours}
        return replace(self, **joined)

    def tensors(self) -> dict[str, Tensor]:
        """The columns by name, in order."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def history(self, index: Tensor, past: int) -> History:
        """What had happened before each of the transitions `index` [...], as acting would hold it.

        Args:
            index: of transitions.
            past: slots.
        """
        source, there = self._before(index, past)
        return History(
            self.state[source] * there,
            self.control[source] * there,
            self.following[source] * there,
            self.age[index].clamp(max=past),
        )

    def past_controls(self, past: int) -> Tensor:
        """The controls of every transition's history, [transitions, past, control numbers]."""
        every = torch.arange(len(self), device=self.age.device)
        source, there = self._before(every, past)
        return self.control[source] * there

    def _before(self, index: Tensor, past: int) -> tuple[Tensor, Tensor]:
        """The transition in each slot of histories, [..., past], and whether there is one, [...,
        past, 1].
        """
        slot = torch.arange(past, device=index.device)
        age = self.age[index]
        filled = age.clamp(max=past)
        begin = index - (age if self.opening else filled)
        there = slot < filled[..., None]
        return torch.where(there, begin[..., None] + slot, 0), there[..., None]

    def pairs(self, future: int, *, held_out: bool) -> tuple[Tensor, Tensor]:
        """Every context with each of the transitions that it has to predict: indices of the first
        [rows], whose history is the context, and of the second [rows].

        That is the loss of equation 3 of Lee et al. 2020 as the original computes it: not an
        open-loop rollout, but true transitions, one step each, all under the context that was known
        `future - 1` steps ago or less. Steps beyond the episode are left out.

        Args:
            future: how many each context predicts.
            held_out: those held out for validation, or the others.
        """
        known = torch.arange(len(self), device=self.age.device)[self.held_out == held_out]
        count = (self.left[known] + 1).clamp(max=future)
        context = known.repeat_interleave(count)
        begin = count.cumsum(0) - count
        ahead = torch.arange(len(context), device=known.device) - begin.repeat_interleave(count)
        return context, context + ahead
