"""Gradient adaptation: against torch's own gradients, one row at a time."""

import pytest
import torch
from torch import Tensor
from torch.autograd import grad
from torch.func import functional_call
from torch.nn import functional

from icrl.nn import initial_weights
from icrl.testing.accelerator import ACCELERATOR, pretended_accelerator
from icrl_cadm.encoders import Perceptron
from icrl_cadm.gradient_adaptation import descent, stepped

MEMBERS, ROWS, PAST, QUERIES, INPUTS, OUTPUTS, RATE = 2, 5, 3, 11, 7, 13, 0.3
FILLED = torch.tensor([[3, 3, 2, 1, 0], [0, 3, 1, 3, 2]])


def network(device: torch.device | str = "cpu") -> Perceptron:
    with initial_weights(torch.Generator().manual_seed(1)):
        made = Perceptron(MEMBERS, INPUTS, (17, 19), OUTPUTS, functional.silu)
    with torch.no_grad():
        for layer in made.layers:
            layer.weight.mul_(3)
            layer.bias.add_(0.1)
    return made.to(device)


def example(*shape: int, seed: int) -> Tensor:
    return torch.randn(MEMBERS, ROWS, *shape, generator=torch.Generator().manual_seed(seed))


PASSED, TARGET = example(PAST, INPUTS, seed=2), example(PAST, OUTPUTS, seed=3)
ASKED, ANSWER = example(QUERIES, INPUTS, seed=4), example(QUERIES, OUTPUTS, seed=5)


def by_hand(perceptron: Perceptron, weights: dict[str, Tensor], member: int, row: int) -> Tensor:
    """What a member gives a row's queries, with all its weights stepped for that row alone."""
    filled = int(FILLED[member, row])

    if filled:
        given = functional_call(perceptron, weights, (PASSED[:, row, :filled],))[member]
        error = (given - TARGET[member, row, :filled]).square().mean()
        slopes = grad(error, list(weights.values()), create_graph=True)
        pairs = zip(weights.items(), slopes, strict=True)
        weights = {name: weight - RATE * slope for (name, weight), slope in pairs}
    return functional_call(perceptron, weights, (ASKED[:, row],))[member]


def adapted(perceptron: Perceptron) -> Tensor:
    steps = descent(perceptron, PASSED, TARGET, FILLED, RATE)
    return stepped(perceptron, steps, ASKED)


@pytest.mark.parametrize("member", range(MEMBERS))
@pytest.mark.parametrize("row", range(ROWS))
def test_every_row_goes_through_weights_stepped_on_its_own_past(member: int, row: int):
    perceptron = network()
    expected = by_hand(perceptron, dict(perceptron.named_parameters()), member, row)
    torch.testing.assert_close(adapted(perceptron)[member, row], expected, rtol=1e-4, atol=1e-4)


def test_the_step_matters_in_this_test():
    perceptron = network()
    plain = perceptron(ASKED.flatten(1, 2)).unflatten(1, (ROWS, QUERIES))
    apart = (adapted(perceptron) - plain).abs().amax((2, 3))
    assert apart[FILLED == 0].max() < 1e-5 < 0.1 < apart[FILLED > 0].min()


def test_the_meta_gradient_is_of_second_order():
    """Autograd through the step by hand equals that through torch's own gradients."""
    perceptron = network()
    (adapted(perceptron) - ANSWER).square().sum().backward()

    weights = dict(perceptron.named_parameters())
    rows = [(member, row) for member in range(MEMBERS) for row in range(ROWS)]
    errors = [by_hand(perceptron, weights, *each) - ANSWER[each] for each in rows]
    total = torch.stack(errors).square().sum()
    expected = dict(zip(weights, grad(total, list(weights.values())), strict=True))
    for name, parameter in perceptron.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-3, atol=1e-2)


def test_what_stands_in_empty_slots_does_not_matter():
    perceptron, empty = network(), torch.arange(PAST) >= FILLED[..., None]
    disturbed = torch.where(empty[..., None], 100.0, PASSED)
    steps = descent(perceptron, disturbed, TARGET, FILLED, RATE)
    torch.testing.assert_close(stepped(perceptron, steps, ASKED), adapted(perceptron))


def test_a_step_makes_the_error_of_what_passed_smaller():
    perceptron, full = network(), torch.full((MEMBERS, ROWS), PAST)
    steps = descent(perceptron, PASSED, TARGET, full, 0.01)
    plain = perceptron(PASSED.flatten(1, 2)).unflatten(1, (ROWS, PAST))
    before, after = (
        (given - TARGET).square().mean((2, 3))
        for given in (plain, stepped(perceptron, steps, PASSED))
    )
    assert (after < before).all()


def test_adapting_needs_no_graph():
    perceptron = network()
    expected = adapted(perceptron)
    perceptron.requires_grad_(False)
    with torch.no_grad():
        torch.testing.assert_close(adapted(perceptron), expected)


def test_nothing_is_read_back_from_the_device():
    perceptron = network(ACCELERATOR)
    with pretended_accelerator() as device, torch.no_grad():
        passed, target, asked = (
            torch.zeros(x.shape, device=device) for x in (PASSED, TARGET, ASKED)
        )
        filled = torch.zeros(FILLED.shape, device=device, dtype=torch.int64)
        steps = descent(perceptron, passed, target, filled, RATE)
        assert stepped(perceptron, steps, asked).device == ACCELERATOR
