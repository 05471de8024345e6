"""Gamma variates: as distributed as they should be, and each of draws of its own."""

import pytest
import torch

from icrl_classic.gamma import gamma, log_gamma


def draws(shape, seed=0):
    return gamma(shape, torch.Generator().manual_seed(seed))


def log_draws(shape, seed=0):
    return log_gamma(shape, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("make", "shape"),
    [(draws, shape) for shape in (1.0, 2.0, 7.5, 400.0)]
    + [(log_draws, shape) for shape in (0.3, 1.0, 7.5)],
)
def test_variates_are_distributed_as_they_should_be(make, shape):
    found = make(torch.full((20_011,), shape)).double().sort().values
    found = found.exp() if make is log_draws else found
    expected = torch.special.gammainc(torch.tensor(shape).double(), found)
    observed = (torch.arange(20_011) + 0.5) / 20_011
    # Kolmogorov and Smirnov's test: chance alone goes beyond 1.63 / sqrt(n) once in a hundred.
    assert (expected - observed).abs().max() < 1.63 / 20_011**0.5


def test_shape_zero_gives_zero():
    shape = torch.tensor([0.0, 1.0, 3.0])
    assert draws(shape)[0] == 0
    assert log_draws(shape)[0] == -torch.inf
    assert log_draws(shape)[1:].isfinite().all()


def test_a_variate_of_a_tiny_shape_keeps_its_logarithm():
    """Of -a log X little but an exponential number remains as the shape a goes to zero."""
    found = -1e-4 * log_draws(torch.full((20_011,), 1e-4)).double()
    assert found.mean().item() == pytest.approx(1, abs=4.5 / 20_011**0.5)
    assert found.std().item() == pytest.approx(1, rel=0.04)


@pytest.mark.parametrize("make", [draws, log_draws])
def test_an_elements_draw_does_not_depend_on_the_others(make):
    shape = torch.rand(503, generator=torch.Generator().manual_seed(1)) * 9 + 1
    other = shape.clone()
    other[::2] = 1.0
    assert torch.equal(make(shape)[1::2], make(other)[1::2])
