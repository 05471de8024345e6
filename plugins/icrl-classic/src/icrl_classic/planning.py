"""Planning: finite-horizon value iteration in the MDPs of all environments at once.

The outcomes of an action are the states and, last, the end of the episode by termination, after
which nothing is earned. A plan depends on the step of the episode.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad


def plan(
    transition: Tensor, reward: Tensor, horizon: int, *, bonus_ahead: Tensor | None = None
) -> Tensor:
    """What each action is worth at each step of an episode, if the best follow (Bellman 1957).

    Args:
        transition: [envs, states, actions, outcomes].
        reward: [envs, states, actions], the mean.
        horizon: how many steps there are.
        bonus_ahead: [envs, states, actions], times the steps that remain added to the reward.

    Returns:
        [envs, horizon, states, actions].
    """
    flat = transition.flatten(1, 2)  # [envs, states * actions, outcomes]

    def expected(value: Tensor) -> Tensor:
        return torch.matmul(flat, pad(value, (0, 1)).unsqueeze(-1))

    return _backwards(expected, reward, horizon, bonus_ahead)


def optimistic_plan(transition: Tensor, reward: Tensor, slack: Tensor, horizon: int) -> Tensor:
    """The same in the best MDP whose transitions lie within `slack` [envs, states, actions] of
    these in the L1 norm.

    Extended value iteration (Jaksch, Ortner and Auer 2010, section 3.1.2): half of the slack is
    moved onto the best outcome, away from the worst. Written with the probability to fare no better
    than the i-th worst outcome, F_i, moving it is `F_i <- max(0, F_i - slack / 2)` for all but the
    best; and the mean of sorted values w is `w_last - sum_i F_i (w_{i+1} - w_i)`.

    The episode's end is hoped for in rows alone whose transitions include it at all.
    """
    flat, half = transition.flatten(1, 2), slack.flatten(1).unsqueeze(-1) / 2
    ends = flat[..., -1].amax(1) > 0

    def expected(value: Tensor) -> Tensor:
        value = torch.column_stack([value, value.amin(1).masked_fill(ends, 0.0)])
        ordered = value.sort(-1).values
        no_better = value.unsqueeze(-1) <= ordered.unsqueeze(-2)  # [envs, outcomes, outcomes]
        worse = torch.matmul(flat, no_better.to(flat.dtype)).sub_(half).clamp_(min=0)
        lost = torch.matmul(worse[..., :-1], ordered.diff(dim=-1).unsqueeze(-1))
        return ordered[:, -1:, None] - lost

    return _backwards(expected, reward, horizon)


def _backwards(
    expected: Callable[[Tensor], Tensor],
    reward: Tensor,
    horizon: int,
    bonus_ahead: Tensor | None = None,
) -> Tensor:
    """Bellman backups from the last step to the first.

    `expected` turns the values of states [envs, states] into what each action leads to on average,
    [envs, states * actions, 1].
    """
    values = [reward]
    for remaining in range(1, horizon):
        ahead = expected(values[-1].amax(-1)).view_as(reward)
        if bonus_ahead is not None:
            ahead = torch.add(ahead, bonus_ahead, alpha=remaining)
        values.append(reward + ahead)
    return torch.stack(values[::-1], 1)
