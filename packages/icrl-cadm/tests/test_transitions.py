"""Transitions, by hand.

Two environments for five steps; environment 0 plays an episode of three steps and two of the next
one, environment 1 two, then three. States count the steps of an environment: 0, 1, ... and 100,
101, ...

    time            0    1    2    3    4
    environment 0   0    1    2  | 3    4       index 0 .. 4
    environment 1   100  101 | 102  103  104    index 5 .. 9
"""

from dataclasses import replace

import pytest
import torch

from icrl_cadm.history import History
from icrl_cadm.transitions import Transitions

OPENS = torch.tensor([[1, 1], [0, 0], [0, 1], [1, 0], [0, 0]], dtype=torch.bool)


def collected(validation=0.0, opens=OPENS, seed=0):
    time = torch.arange(5.0)[:, None] + torch.tensor([0.0, 100.0])
    state = time[..., None]
    return Transitions.of(
        state=state,
        control=-state,
        following=state + 0.5,
        reward=time,
        terminated=time == 2,
        opens=opens,
        validation=validation,
        generator=torch.Generator().manual_seed(seed),
    )


def test_episodes_lie_one_after_the_other_in_the_order_of_time():
    found = collected()
    assert found.reward.tolist() == [0, 1, 2, 3, 4, 100, 101, 102, 103, 104]
    assert found.age.tolist() == [0, 1, 2, 0, 1, 0, 1, 0, 1, 2]
    assert found.left.tolist() == [2, 1, 0, 1, 0, 1, 0, 2, 1, 0]
    assert found.terminated.nonzero().flatten().tolist() == [2]


def test_a_history_holds_what_came_before_in_the_episode():
    history = collected().history(torch.tensor([2, 3, 9]), past=3)
    assert history.filled.tolist() == [2, 0, 2]
    assert history.state[..., 0].tolist() == [[0, 1, 0], [0, 0, 0], [102, 103, 0]]
    assert history.differences[..., 0].tolist() == [[0.5, 0.5, 0], [0, 0, 0], [0.5, 0.5, 0]]


def test_a_history_is_what_acting_would_hold():
    """Three slots along an episode of seven, step by step."""
    opens = torch.zeros(7, 1, dtype=torch.bool)
    state = torch.randn(7, 1, 2, generator=torch.Generator().manual_seed(0))
    found = Transitions.of(
        state=state,
        control=state[..., :1],
        following=state + 1,
        reward=state[..., 0],
        terminated=opens,
        opens=opens,
        validation=0.0,
        generator=torch.Generator(),
    )
    acting = History.empty(1, 3, 2, 1, "cpu")
    for step in range(7):
        stored = found.history(torch.tensor([step]), past=3)
        for name in ("state", "control", "following", "filled"):
            assert torch.equal(getattr(stored, name), getattr(acting, name))
        acting = acting.after(state[step], state[step][:, :1], state[step] + 1)


def test_an_opening_history_holds_the_episodes_first_transitions():
    openings = replace(collected(), opening=True)
    history = openings.history(torch.tensor([2, 1, 9]), past=1)
    assert history.state[..., 0].tolist() == [[0], [0], [102]]
    assert history.filled.tolist() == [1, 1, 1]


def test_a_context_predicts_the_true_transitions_ahead_of_it_within_its_episode():
    """One step each from true states, not a rollout: the original's M future steps."""
    context, ahead = collected().pairs(2, held_out=False)
    pairs = list(zip(context.tolist(), ahead.tolist(), strict=True))
    assert pairs == [
        *((0, 0), (0, 1), (1, 1), (1, 2), (2, 2)),
        *((3, 3), (3, 4), (4, 4)),
        *((5, 5), (5, 6), (6, 6)),
        *((7, 7), (7, 8), (8, 8), (8, 9), (9, 9)),
    ]


def test_some_contexts_are_always_left_for_training():
    assert not collected(validation=1.0).held_out.any()


@pytest.mark.parametrize("future", [1, 3])
def test_what_is_held_out_is_no_context_of_training(future):
    found = collected(validation=0.5)
    assert 0 < found.held_out.sum() < 10
    seen, _ = found.pairs(future, held_out=False)
    unseen, _ = found.pairs(future, held_out=True)
    assert set(seen.tolist()) == set((~found.held_out).nonzero().flatten().tolist())
    assert set(unseen.tolist()) == set(found.held_out.nonzero().flatten().tolist())


def test_later_transitions_come_after():
    found = collected().and_then(collected(seed=1))
    assert len(found) == 20
    assert found.age[10:].tolist() == found.age[:10].tolist()
    assert found.history(torch.tensor([10]), past=2).filled.tolist() == [0]
