"""Links: hand-computed policies and divergences, and mutants that the same checks refuse.

Two members, three actions:

    action      |   0      1      2
    member 0    |  0.5    0.3    0.2
    member 1    |  0.1    0.3    0.6
    max         |  0.5    0.3    0.6     sums to 1.4
    average     |  0.3    0.3    0.4
"""

from collections.abc import Callable
from math import log

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from icrl_leep.distributions import Choices, Gaussians, MemberActions, member_actions
from icrl_leep.links import divergence, linked_log_densities, linked_log_probs

MEMBERS = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
LINKED = {"max": [0.5 / 1.4, 0.3 / 1.4, 0.6 / 1.4], "average": [0.3, 0.3, 0.4]}
APART = {
    "max": [
        0.5 * log(1.4) + 0.3 * log(1.4) + 0.2 * log(0.2 * 1.4 / 0.6),
        0.1 * log(0.1 * 1.4 / 0.5) + 0.3 * log(1.4) + 0.6 * log(1.4),
    ],
    "average": [
        0.5 * log(0.5 / 0.3) + 0.2 * log(0.2 / 0.4),
        0.1 * log(0.1 / 0.3) + 0.6 * log(0.6 / 0.4),
    ],
}
Divergence = Callable[[Tensor, Tensor], Tensor]


def reversed_divergence(log_probs: Tensor, linked: Tensor) -> Tensor:
    """A mutant: KL(π_linked ‖ π_i)."""
    return (linked.detach().exp() * (linked.detach() - log_probs)).sum(-1)


def undetached_divergence(log_probs: Tensor, linked: Tensor) -> Tensor:
    """A mutant: the gradient goes through the linked policy too."""
    return (log_probs.exp() * (log_probs - linked)).sum(-1)


def check_direction(apart: Divergence) -> None:
    """KL(π_i ‖ π_linked) of both members, to six digits."""
    for link, expected in APART.items():
        found = apart(MEMBERS.log(), linked_log_probs(MEMBERS.log(), link).expand(2, -1))
        torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)


def check_gradient(apart: Divergence) -> None:
    """Of a softmax's logits: ∂KL/∂z_a = π(a) (log π(a)/π_linked(a) - KL), and nothing at all of
    those of the other member.
    """
    for link in ("max", "average"):
        logits = MEMBERS.log().requires_grad_()
        log_probs = logits.log_softmax(-1)
        kl = apart(log_probs, linked_log_probs(log_probs, link).expand(2, -1))[0]
        kl.backward()
        ratio = MEMBERS[0].log() - torch.tensor(LINKED[link]).log()
        expected = torch.stack((MEMBERS[0] * (ratio - kl.detach()), torch.zeros(3)))
        torch.testing.assert_close(logits.grad, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("link", ["max", "average"])
def test_the_linked_policy_is_the_hand_computed_one(link):
    linked = linked_log_probs(MEMBERS.log(), link).exp()
    torch.testing.assert_close(linked, torch.tensor(LINKED[link]))
    assert float(linked.sum()) == pytest.approx(1)


@pytest.mark.parametrize("link", ["max", "average"])
def test_a_linked_policy_of_many_rows_sums_to_one_in_each(link):
    log_probs = torch.randn(5, 7, 11, 3, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    linked = linked_log_probs(log_probs, link)
    assert linked.shape == (7, 11, 3)
    torch.testing.assert_close(linked.exp().sum(-1), torch.ones(7, 11))


def test_densities_are_linked_without_being_normalised():
    log_densities = torch.tensor([[0.5, 2.0], [1.5, 1.0]]).log()
    found = [linked_log_densities(log_densities, link).exp() for link in ("max", "average")]
    torch.testing.assert_close(found[0], torch.tensor([1.5, 2.0]))
    torch.testing.assert_close(found[1], torch.tensor([1.0, 1.5]))


def test_a_divergence_is_that_of_the_member_from_the_linked_policy():
    check_direction(divergence)


def test_a_reversed_divergence_is_noticed():
    with pytest.raises(AssertionError):
        check_direction(reversed_divergence)


def test_no_gradient_goes_through_the_linked_policy():
    check_gradient(divergence)


def test_a_gradient_through_the_linked_policy_is_noticed():
    check_direction(undetached_divergence)  # its value is right
    with pytest.raises(AssertionError):
        check_gradient(undetached_divergence)


# Proposition 6.2: what identical members form is the member.

SPACES = [
    (spaces.Discrete(3), 3),
    (spaces.MultiDiscrete([2, 3]), 6),
    (spaces.MultiDiscrete([2, 3]), 5),
    (spaces.MultiBinary(3), 8),
    (spaces.Box(-1.0, 1.0, (2,)), 1),
]


def identical(actions: MemberActions) -> Tensor:
    """Outputs [members, batch, outputs] of five equal members."""
    row = torch.randn(1, 7, actions.num_outputs, generator=torch.Generator().manual_seed(3))
    return row.expand(5, -1, -1)


@pytest.mark.parametrize("link", ["max", "average"])
@pytest.mark.parametrize(("space", "joint_choices"), SPACES)
def test_identical_members_do_not_differ_from_what_they_form(space, joint_choices, link):
    actions = member_actions(space, joint_choices=joint_choices, link_samples=11)
    outputs = identical(actions)
    everyone = outputs[:, None].expand(-1, 5, -1, -1)
    apart = actions.divergence(outputs, everyone, link, torch.Generator().manual_seed(0))
    assert apart.shape == (5, 7)
    torch.testing.assert_close(apart, torch.zeros(5, 7), rtol=0, atol=1e-5)


@pytest.mark.parametrize("link", ["max", "average"])
@pytest.mark.parametrize(("space", "joint_choices"), SPACES)
def test_a_link_does_not_move_identical_members(space, joint_choices, link):
    """Not even by the noise of samples."""
    actions = member_actions(space, joint_choices=joint_choices, link_samples=3)
    outputs = identical(actions).clone().requires_grad_()
    everyone = outputs.detach()[:, None].expand(-1, 5, -1, -1)
    actions.divergence(outputs, everyone, link, torch.Generator().manual_seed(0)).sum().backward()
    torch.testing.assert_close(outputs.grad, torch.zeros_like(outputs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("link", ["max", "average"])
@pytest.mark.parametrize(("space", "joint_choices"), SPACES[:-1])
def test_identical_members_form_the_member(space, joint_choices, link):
    actions = member_actions(space, joint_choices=joint_choices, link_samples=1)
    assert isinstance(actions, Choices)
    outputs = identical(actions)
    pairs = zip(actions.linked(outputs, link), actions.tables(outputs[0]), strict=True)
    for linked, member in pairs:
        torch.testing.assert_close(linked, member)


@pytest.mark.parametrize("link", ["max", "average"])
def test_identical_gaussians_draw_as_the_member(link):
    """Their mean and covariance, within five standard errors."""
    outputs = torch.tensor([0.3, -0.2, -1.0, 0.5]).expand(3, 10_007, -1)
    actions = Gaussians(2, 1)
    drawn = actions.linked_sample(outputs, link, torch.Generator().manual_seed(0))
    noise = (drawn - outputs[0, 0, :2]) / outputs[0, 0, 2:].exp()
    assert np.allclose(noise.mean(0), 0, atol=5 / 100)
    assert np.allclose(np.cov(noise.T), np.eye(2), atol=5 * 2**0.5 / 100)
    assert torch.equal(actions.linked_mode(outputs, link), outputs[0, :, :2])
