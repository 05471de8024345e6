"""Links: the policy that members form together, and how far each lies from it.

Ghosh et al. 2021, "Why Generalization in RL is Difficult: Epistemic POMDPs and Implicit Partial
Observability", arXiv:2107.06277. A link f must give back the member where all members are the same
(Proposition 6.2); both links here do.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Link = Literal["max", "average"]


def linked_log_probs(
    log_probs: Float[Tensor, "members *rows choices"], link: Link
) -> Float[Tensor, "*rows choices"]:
    """The logarithm of the linked policy, which sums to one over the choices.

    max: π(a|s) = max_j π_j(a|s) / Σ_b max_j π_j(b|s). average: π(a|s) = Σ_j π_j(a|s) / n.
    """
    together = linked_log_densities(log_probs, link)
    return together - together.logsumexp(-1, keepdim=True)


def linked_log_densities(
    log_densities: Float[Tensor, " members *rows"], link: Link
) -> Float[Tensor, "*rows"]:
    """The logarithm of the members' largest or average density, which need not integrate to one."""
    if link == "max":
        return log_densities.amax(0)
    return torch.logsumexp(log_densities, 0) - math.log(len(log_densities))


def divergence(
    log_probs: Float[Tensor, "*rows choices"], linked: Float[Tensor, "*rows choices"]
) -> Float[Tensor, "*rows"]:
    """KL(π_i ‖ π_linked) of tables of choices; no gradient goes through the linked policy."""
    return (log_probs.exp() * (log_probs - linked.detach())).sum(-1)
