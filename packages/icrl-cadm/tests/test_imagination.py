"""What sequences of controls earn, on a world that is worked out by hand.

One number, to which the control is added; a step pays the number that it leads to, and beyond 2 it
terminates (the step there still pays). Member m adds m times the control more.
"""

import pytest
import torch

from icrl_cadm.history import History
from icrl_cadm.imagination import Forecaster, Imagination

ENVS, CANDIDATES, HORIZON = 2, 3, 3
STATE = torch.tensor([[0.0], [1.0]])
CONTROLS = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [3.0, -3.0, 1.0]])


class Adding(Forecaster):
    """Adds the control, member m (m + 1) times."""

    def __init__(self, members, probabilistic=False):
        self.members, self.probabilistic = members, probabilistic

    def told(self, history):
        return history.filled

    def following(self, told, state, control, noise):
        assert told.tolist() == [0, 0]
        assert (noise is not None) == self.probabilistic
        assert state.shape == (self.members, ENVS, CANDIDATES * self.particles, 1)
        return state + control * (1 + torch.arange(self.members).view(-1, 1, 1, 1))

    def outcome(self, told, state, control, following):
        return following[..., 0], following[..., 0] > 2


def returns(members=1, particles=1, stop=True, rewards=None):
    model = Adding(members)
    model.particles = particles
    imagination = Imagination(model, rewards, particles=particles, stop=stop)
    score = imagination.score(History.empty(ENVS, 1, 1, 1, "cpu"), STATE, torch.Generator())
    return score(CONTROLS[None, ..., None].expand(ENVS, -1, -1, -1))


def test_a_sequence_earns_the_sum_of_its_steps_undiscounted():
    assert returns(stop=False).tolist() == [[6, 1, 4], [9, 4, 7]]


def test_nothing_is_earned_after_a_termination():
    """From 0 by 1, 1, 1 the last step leads to 3, and still pays; from 1 it is one step earlier."""
    assert returns().tolist() == [[6, 1, 3], [5, 4, 4]]


def test_a_trajectory_that_diverges_after_its_termination_keeps_what_it_earned():
    def rewards(state, control, following):
        reward = torch.where(state[..., 0] > 2, torch.inf, following[..., 0])
        return reward, following[..., 0] > 2

    assert returns(rewards=rewards).tolist() == [[6, 1, 3], [5, 4, 4]]


@pytest.mark.parametrize("particles", [1, 2])
def test_returns_are_means_over_members_that_keep_their_particles(particles):
    """Member 1 earns twice what member 0 does from 0: trajectories never change their member."""
    found = returns(members=2, particles=particles, stop=False)
    assert found[0].tolist() == [9, 1.5, 6]


def test_the_familys_reward_wins_over_a_learned_one():
    def rewards(state, control, following):
        return -control[..., 0], torch.zeros_like(control[..., 0], dtype=torch.bool)

    assert returns(rewards=rewards).tolist() == [[-3, -1, -1]] * 2
