"""Members' actions: densities beside torch's, the linked policy beside enumeration and closed
forms.
"""

from collections.abc import Callable
from itertools import product
from math import log, prod
from statistics import NormalDist

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, distributions

from icrl.errors import SpaceError
from icrl_leep.distributions import Choices, Gaussians, member_actions

MEMBERS, BATCH = 2, 5


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def outputs_of(actions: Choices | Gaussians, members: int = MEMBERS) -> Tensor:
    """Random outputs [members, batch, outputs]."""
    return torch.randn(members, BATCH, actions.num_outputs, generator=generator(3))


def check_frequencies(drawn: Tensor, probabilities: Tensor) -> None:
    """Each value of [0, choices) is drawn as often as its probability [choices] says, within five
    standard errors of a binomial.
    """
    frequencies = torch.bincount(drawn, minlength=len(probabilities)) / len(drawn)
    error = (probabilities * (1 - probabilities) / len(drawn)).sqrt()
    assert len(frequencies) == len(probabilities)
    assert ((frequencies - probabilities).abs() <= 5 * error).all(), (frequencies, probabilities)


def check_distribution(drawn: Tensor, cdf: Callable[[Tensor], Tensor]) -> None:
    """Kolmogorov's and Smirnov's test: √n times the largest gap between two distribution functions
    is above 2.3 once in 20,000 times.
    """
    n = len(drawn)
    expected, steps = cdf(drawn.double().sort().values), torch.arange(n + 1) / n
    gap = torch.maximum((steps[1:] - expected).abs(), (expected - steps[:-1]).abs()).max()
    assert float(gap) * n**0.5 < 2.3


# Choices: one action.

TWO = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
MAX = torch.tensor([0.5, 0.3, 0.6]) / 1.4


def rows_of(log_probs: Tensor, count: int = 20_011) -> Tensor:
    """The same outputs in every row, [members, rows, outputs]."""
    return log_probs[:, None].expand(-1, count, -1)


def test_draws_of_the_linked_policy_have_its_frequencies():
    actions = Choices((3,), 3, bare=True)
    check_frequencies(actions.linked_sample(rows_of(TWO.log()), "max", generator()), MAX)
    average = actions.linked_sample(rows_of(TWO.log()), "average", generator())
    check_frequencies(average, TWO.mean(0))


def test_probabilities_taken_for_logits_are_noticed():
    mutant = distributions.Categorical(logits=MAX).sample((20_011,))
    with pytest.raises(AssertionError):
        check_frequencies(mutant, MAX)


def test_draws_of_a_member_have_its_frequencies():
    drawn = Choices((3,), 3, bare=True).sample(rows_of(TWO.log()), generator())
    assert drawn.shape == (2, 20_011)
    for own, probabilities in zip(drawn, TWO, strict=True):
        check_frequencies(own, probabilities)


def test_the_likeliest_action_is_that_of_the_linked_policy():
    actions = Choices((3,), 3, bare=True)
    assert actions.linked_mode(rows_of(TWO.log(), 7), "max").tolist() == [2] * 7
    third = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.4, 0.5]])  # the average: .35 .35 .3
    third[:, 1] += torch.tensor([0.01, 0.0])
    assert actions.linked_mode(rows_of(third.log(), 1), "max").item() == 0
    assert actions.linked_mode(rows_of(third.log(), 1), "average").item() == 1


# Choices: several factors.


def by_enumeration(outputs: Tensor, counts: tuple[int, ...]) -> dict[tuple[int, ...], float]:
    """π_max of joint actions, from outputs [members, outputs], with loops."""
    likely = {}
    for action in product(*map(range, counts)):
        chances = []
        for member in outputs:
            parts = [part.softmax(0) for part in member.split(counts)]
            chances.append(prod(float(p[a]) for p, a in zip(parts, action, strict=True)))
        likely[action] = max(chances)
    return {action: chance / sum(likely.values()) for action, chance in likely.items()}


def test_a_joint_action_is_linked_as_enumeration_has_it():
    counts = (2, 3, 5)
    actions = Choices(counts, joint_choices=30)
    outputs = outputs_of(actions)
    (table,) = actions.linked(outputs, "max")
    for row in range(BATCH):
        expected = by_enumeration(outputs[:, row], counts)
        assert table[row].exp().tolist() == pytest.approx(list(expected.values()), rel=1e-4)


def test_draws_of_a_joint_action_are_its_factors():
    counts = (2, 3)
    actions = Choices(counts, joint_choices=6)
    outputs = outputs_of(actions)[:, 0]
    drawn = actions.linked_sample(rows_of(outputs), "max", generator())
    assert drawn.shape == (20_011, 2)
    expected = by_enumeration(outputs, counts)
    check_frequencies(drawn[:, 0] * 3 + drawn[:, 1], torch.tensor(list(expected.values())))
    best = max(expected, key=lambda action: expected[action])
    assert actions.linked_mode(rows_of(outputs, 1), "max").tolist() == [list(best)]


def test_factors_are_linked_each_by_itself_where_the_joint_action_is_large():
    actions, bare = Choices((2, 3), joint_choices=5), Choices((3,), 3, bare=True)
    outputs = outputs_of(actions)
    tables = actions.linked(outputs, "max")
    assert [table.shape for table in tables] == [(BATCH, 2), (BATCH, 3)]
    (second,) = bare.linked(outputs[..., 2:], "max")
    torch.testing.assert_close(tables[1], second)
    drawn = actions.linked_sample(rows_of(outputs[:, 0]), "max", generator())
    check_frequencies(drawn[:, 1], second[0].exp())
    mode = [int(table[0].argmax()) for table in tables]
    assert actions.linked_mode(outputs, "max")[0].tolist() == mode


@pytest.mark.parametrize("joint_choices", [5, 6])
def test_divergences_of_factors_are_those_of_their_tables(joint_choices):
    actions = Choices((2, 3), joint_choices)
    own = outputs_of(actions)
    everyone = torch.randn(MEMBERS, MEMBERS, BATCH, 5, generator=generator(7))
    found = actions.divergence(own, everyone, "max", None)
    expected = torch.zeros(MEMBERS, BATCH)
    for member, row in product(range(MEMBERS), range(BATCH)):
        mine = actions.tables(own[member, row])
        linked = actions.linked(everyone[:, member, row][:, None], "max")
        for table, together in zip(mine, linked, strict=True):
            terms = (distributions.Categorical(logits=t) for t in (table, together[0]))
            expected[member, row] += distributions.kl_divergence(*terms)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("counts", [(3,), (2, 3), (2, 2, 2)])
def test_densities_and_entropies_of_choices_are_torchs(counts):
    actions = Choices(counts, 6)
    outputs = outputs_of(actions)
    drawn = actions.sample(outputs, generator())
    assert drawn.shape == (MEMBERS, BATCH, len(counts))
    log_prob, entropy = torch.zeros(MEMBERS, BATCH), torch.zeros(MEMBERS, BATCH)
    for factor, part in enumerate(outputs.split(counts, -1)):
        theirs = distributions.Categorical(logits=part)
        log_prob += theirs.log_prob(drawn[..., factor])
        entropy += theirs.entropy()
    torch.testing.assert_close(actions.log_prob(outputs, drawn.float()), log_prob)
    torch.testing.assert_close(actions.entropy(outputs), entropy)


@pytest.mark.parametrize(
    ("space", "describes"),
    [
        (spaces.Discrete(3), "the action"),
        (spaces.MultiDiscrete([2, 3]), "the joint action of 6 values"),
        (
            spaces.MultiDiscrete([2, 3, 5]),
            "each of 3 factors, as the joint action has more than 7 values",
        ),
        (spaces.MultiBinary(2), "the joint action of 4 values"),
        (
            spaces.MultiBinary(3),
            "each of 3 factors, as the joint action has more than 7 values",
        ),
        (spaces.Box(-1, 1, (2,)), "the joint density"),
    ],
)
def test_what_is_linked_is_said(space, describes):
    assert member_actions(space, joint_choices=7, link_samples=1).describes == describes


def test_a_space_without_a_link_is_refused():
    with pytest.raises(SpaceError, match="no member acts in Text"):
        member_actions(spaces.Text(5), joint_choices=7, link_samples=1)


# Gaussians: members at -m and m with deviation 1, of which closed forms are known.
#
#   π_max(x) = max(φ(x - m), φ(x + m)) / 2Φ(m), for each half of the line has the mass Φ(m)
#   KL(N(m, 1) ‖ π_max) = log 2Φ(m) + E[2mx; x < 0] = log 2Φ(m) - 2m (φ(m) - m (1 - Φ(m)))

M = 0.7
PAIR = torch.tensor([[[M, 0.0]], [[-M, 0.0]]])  # [members, batch, mean and log deviation]


PHI = NormalDist().cdf


def max_cdf(x: Tensor, m: float = M) -> Tensor:
    """Of the density above: both halves by themselves."""
    left, right = torch.special.ndtr(x + m), torch.special.ndtr(m - x)
    return torch.where(x < 0, left, 2 * PHI(m) - right) / (2 * PHI(m))


def average_cdf(x: Tensor) -> Tensor:
    return (torch.special.ndtr(x - M) + torch.special.ndtr(x + M)) / 2


def test_the_divergence_of_two_gaussians_is_the_closed_form():
    actions = Gaussians(1, 200_003)
    everyone = PAIR[:, None].expand(-1, 2, -1, -1)
    found = actions.divergence(PAIR, everyone, "max", generator())
    expected = log(2 * PHI(M)) - 2 * M * (NormalDist().pdf(M) - M * PHI(-M))
    assert found.flatten().tolist() == pytest.approx([expected] * 2, abs=0.005)
    assert expected == pytest.approx(0.216, abs=0.001)


def test_the_divergence_of_two_gaussians_from_their_average_is_by_quadrature():
    x = np.linspace(-12, 12, 100_001)
    own, other = (np.exp(-((x - mean) ** 2) / 2) / (2 * np.pi) ** 0.5 for mean in (M, -M))
    mixed = (own + other) / 2
    expected = np.trapezoid(own * np.log(own / mixed), x)
    everyone = PAIR[:, None].expand(-1, 2, -1, -1)
    found = Gaussians(1, 200_003).divergence(PAIR, everyone, "average", generator())
    assert found.flatten().tolist() == pytest.approx([expected] * 2, abs=0.005)


def test_its_gradient_draws_a_member_towards_the_other():
    """∂/∂mean = 2m (1 - Φ(m)) at m, its negative at -m; ∂/∂log deviation = -2m φ(m): from the
    closed form of E[log max], with the linked policy held fixed.
    """
    own, theirs = PAIR.clone().requires_grad_(), PAIR.clone().requires_grad_()
    everyone = theirs[:, None].expand(-1, 2, -1, -1)
    Gaussians(1, 200_003).divergence(own, everyone, "max", generator()).sum().backward()
    mean, deviation = 2 * M * PHI(-M), -2 * M * NormalDist().pdf(M)
    expected = [mean, deviation, -mean, deviation]
    assert own.grad is not None and theirs.grad is None
    assert own.grad.flatten().tolist() == pytest.approx(expected, abs=0.01)


def test_the_divergence_does_not_depend_on_who_else_is_in_the_batch():
    """[members, batch]: rows of three members that see different things."""
    outputs = torch.randn(3, 5, 4, generator=generator(1))
    everyone = torch.randn(3, 3, 5, 4, generator=generator(2))
    actions = Gaussians(2, 20_011)
    whole = actions.divergence(outputs, everyone, "max", generator())
    assert whole.shape == (3, 5)
    for member, row in ((0, 4), (2, 1)):
        alone = Gaussians(2, 20_011).divergence(
            outputs[member, row].expand(1, 1, -1),
            everyone[:, member, row][:, None, None],
            "max",
            generator(5),
        )
        assert float(alone) == pytest.approx(float(whole[member, row]), rel=0.1)


@pytest.mark.parametrize(("link", "cdf"), [("max", max_cdf), ("average", average_cdf)])
def test_draws_of_linked_gaussians_have_the_exact_density(link, cdf):
    drawn = Gaussians(1, 1).linked_sample(PAIR.expand(-1, 20_011, -1), link, generator())
    assert drawn.shape == (20_011, 1)
    check_distribution(drawn[:, 0], cdf)


def test_draws_of_another_link_are_noticed():
    drawn = Gaussians(1, 1).linked_sample(PAIR.expand(-1, 20_011, -1), "average", generator())
    with pytest.raises(AssertionError):
        check_distribution(drawn[:, 0], max_cdf)


def test_the_joint_density_is_linked_and_not_each_dimension():
    """Members at (m, m) and (-m, -m): along the diagonal the density above with √2 m, across it one
    Gaussian. Linked by dimension, it would be as likely to draw near (m, -m).
    """
    means = torch.tensor([[M, M], [-M, -M]])
    outputs = torch.cat((means, torch.zeros(2, 2)), 1)
    drawn = Gaussians(2, 1).linked_sample(rows_of(outputs), "max", generator())
    along, across = drawn.sum(1) / 2**0.5, (drawn[:, 0] - drawn[:, 1]) / 2**0.5
    check_distribution(along, lambda x: max_cdf(x, 2**0.5 * M))
    check_distribution(across, torch.special.ndtr)


def test_members_that_agree_count_as_one():
    """Ten that agree and one far away: that one has half of π_max's mass, not an eleventh."""
    mean = torch.tensor([0.0] * 10 + [50.0])
    outputs = torch.stack((mean, torch.zeros(11)), 1)
    drawn = Gaussians(1, 1).linked_sample(rows_of(outputs), "max", generator())
    check_frequencies((drawn[:, 0] > 25).long(), torch.tensor([0.5, 0.5]))


def test_the_likeliest_action_of_gaussians_is_the_mean_of_the_surest():
    """Row 0: member 0 is surest, row 1: member 1. Density at a mean: 1 / deviations."""
    outputs = torch.tensor(
        [[[1.0, 2.0, -1.0, 0.0], [5.0, 6.0, 0.0, 0.0]], [[3.0, 4.0, 0.0, 0.0], [7, 8, -2.0, 1.0]]]
    )
    assert Gaussians(2, 1).linked_mode(outputs, "max").tolist() == [[1.0, 2.0], [7.0, 8.0]]


def test_densities_and_entropies_of_gaussians_are_torchs():
    actions = Gaussians(3, 1)
    outputs = outputs_of(actions)
    mean, log_std = outputs.chunk(2, -1)
    theirs = distributions.Independent(distributions.Normal(mean, log_std.exp()), 1)
    drawn = actions.sample(outputs, generator())
    assert drawn.shape == (MEMBERS, BATCH, 3)
    torch.testing.assert_close(actions.log_prob(outputs, drawn), theirs.log_prob(drawn))
    torch.testing.assert_close(actions.entropy(outputs), theirs.entropy())


def test_deviations_stay_within_bounds():
    outputs = torch.tensor([[[0.0, -99.0]], [[0.0, 99.0]]])
    drawn = Gaussians(1, 1).sample(outputs.expand(-1, 10_007, -1), generator())
    assert drawn.std(1).flatten().log().tolist() == pytest.approx([-5, 2], abs=0.05)
