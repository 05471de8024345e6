"""The history, by hand: slots fill from the left, then shift; an episode's end clears it.

Two environments, three slots, states of two numbers, controls of one. Environment 0 goes through
the states 1, 2, 3, ... (doubled in the second number) by controls -1, -2, ...; environment 1 ends
its episode after its second transition.
"""

import torch

from icrl_cadm.history import History


def state(*firsts):
    return torch.tensor([[float(first), 2.0 * first] for first in firsts])


def stepped(history, before, after):
    return history.after(state(*before), -state(*before)[:, :1], state(*after))


def begun():
    return History.empty(2, 3, 2, 1, "cpu")


def test_nothing_has_happened_at_first():
    history = begun()
    assert history.filled.tolist() == [0, 0]
    assert not history.differences.any()


def test_slots_fill_from_the_left():
    history = stepped(stepped(begun(), (1, 5), (2, 7)), (2, 7), (3, 11))
    assert history.filled.tolist() == [2, 2]
    assert history.state[0, :, 0].tolist() == [1, 2, 0]
    assert history.control[0, :, 0].tolist() == [-1, -2, 0]
    assert history.differences[1].tolist() == [[2, 4], [4, 8], [0, 0]]


def test_full_slots_shift():
    history = begun()
    for step in range(1, 6):
        history = stepped(history, (step, 0), (step + 1, 0))
    assert history.filled.tolist() == [3, 3]
    assert history.state[0, :, 0].tolist() == [3, 4, 5]
    assert history.following[0, :, 0].tolist() == [4, 5, 6]


def test_an_end_clears_only_the_row_that_ended():
    history = stepped(stepped(begun(), (1, 5), (2, 7)), (2, 7), (3, 11))
    history = history.cleared(torch.tensor([False, True]))
    assert history.filled.tolist() == [2, 0]
    assert history.state[0, :, 0].tolist() == [1, 2, 0]
    assert not history.state[1].any()
    assert not history.control[1].any()


def test_differences_are_not_normalised():
    """The original keeps their mean at 0 and their deviation at 1."""
    history = History.empty(1, 1, 2, 1, "cpu").after(state(3), state(3)[:, :1], state(1000))
    assert history.differences[0, 0].tolist() == [997, 1994]
