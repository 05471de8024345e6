"""Gamma variates, of which Beta and Dirichlet draws are made, each element from draws of its own.

PyTorch's own on a CPU draw until they succeed, one element after the other: what one environment
saw would change the draws of those after it.
"""

import torch
from torch import Tensor

PROPOSALS = 3
"""A proposal is refused with probability 0.05 for shape 1, 0.02 for shape 2, and less above. So all
are refused once in ten thousand draws at worst; then the last one stands."""


def gamma(shape: Tensor, generator: torch.Generator) -> Tensor:
    """Variates of shapes each of which is 0 (whose variate is 0) or at least 1.

    Marsaglia and Tsang 2000, "A Simple Method for Generating Gamma Variables", doi:10.1145/358407.
    """
    return _from_one_on(shape.clamp(min=1.0), generator).masked_fill_(shape == 0, 0.0)


def log_gamma(shape: Tensor, generator: torch.Generator) -> Tensor:
    """Logarithms of variates of any shapes from 0 on, where it is minus infinity.

    Below 1 (section 6 of the paper), one of shape a + 1 is multiplied by U^(1 / a), which float32
    rounds to zero where a is small: of logarithms, quotients can still be made.
    """
    small = shape < 1
    variate = _from_one_on(shape + small, generator).log_()
    uniform = torch.rand(shape.shape, generator=generator, device=shape.device)
    return torch.where(small, variate + uniform.log_() / shape, variate)


def _from_one_on(shape: Tensor, generator: torch.Generator) -> Tensor:
    """Of shapes from 1 on: a normal variate x becomes d (1 + c x)^3, which is kept with such a
    probability that the result is exact.
    """
    d = shape - 1 / 3
    c = (9 * d).rsqrt_()
    variate = accepted = None
    for _ in range(PROPOSALS):
        normal, uniform = (
            draw(shape.shape, generator=generator, device=shape.device)
            for draw in (torch.randn, torch.rand)
        )
        cube = c.mul(normal).add_(1.0).clamp_(min=1e-9).pow_(3)
        bound = normal.square_().mul_(0.5).add_(d).addcmul_(d, cube.log().sub_(cube))
        kept, proposal = uniform.log_() < bound, cube.mul_(d)
        if variate is None or accepted is None:
            variate, accepted = proposal, kept
        else:
            variate = torch.where(accepted, variate, proposal)
            accepted |= kept
    assert variate is not None
    return variate
