"""Gamma variates: as distributed as they should be, and each of draws of its own."""

import pytest
import torch

from icrl_classic.gamma import gamma


def draws(shape, seed=0, **settings):
    return gamma(shape, torch.Generator().manual_seed(seed), **settings)


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.0, 7.5, 400.0])
def test_variates_are_distributed_as_they_should_be(shape):
    found = draws(torch.full((20_011,), shape), least=min(1.0, shape)).double().sort().values
    expected = torch.special.gammainc(torch.tensor(shape).double(), found)
    observed = (torch.arange(20_011) + 0.5) / 20_011
    # Kolmogorov and Smirnov's test: chance alone goes beyond 1.63 / sqrt(n) once in a hundred.
    assert (expected - observed).abs().max() < 1.63 / 20_011**0.5


def test_shape_zero_gives_zero():
    shape = torch.tensor([0.0, 1.0, 3.0])
    assert draws(shape)[0] == 0
    assert draws(shape, least=0.5)[0] == 0


def test_an_elements_draw_does_not_depend_on_the_others():
    shape = torch.rand(503, generator=torch.Generator().manual_seed(1)) * 9 + 1
    other = shape.clone()
    other[::2] = 1.0
    assert torch.equal(draws(shape)[1::2], draws(other)[1::2])
