"""The Gittins index: what an arm is worth by itself, in a table over its pulls and successes.

Gittins 1979, "Bandit Processes and Dynamic Allocation Indices". The index is found by calibration
(Gittins, Glazebrook and Weber 2011, "Multi-armed Bandit Allocation Indices", chapter 8): it is the
sure reward a step for which one would just as soon leave the arm for good.
"""

from functools import lru_cache

import torch
from torch import Tensor

from icrl_classic.agent import ClassicAgent
from icrl_classic.bandits import BanditPolicy, Seen, best
from icrl_classic.config import HORIZON_WITHOUT_LIMIT, BanditConfig, GittinsConfig
from icrl_classic.finite import FiniteSpace

SURE_REWARDS = 256
"""How many sure rewards an arm is compared with; between them the index is interpolated."""
MOST_PULLS = 1000
"""The table ends here; an arm pulled more often counts for its mean, which the index nears."""


class GittinsPolicy(BanditPolicy):
    """Pulls the arm of the highest Gittins index: optimal for an infinite, discounted trial."""

    def __init__(
        self, arms: FiniteSpace, config: GittinsConfig, num_pulls: int, device: torch.device
    ) -> None:
        prior = BanditConfig(successes=config.successes, failures=config.failures, ties=config.ties)
        super().__init__(arms, prior, device)
        discount = config.discount
        assert discount is not None, "adapted settings have a discount"
        table = gittins_indices(num_pulls, discount, config.successes, config.failures)
        self.num_pulls = num_pulls
        self.table = table.flatten().to(device, torch.float32)

    def choose(self, seen: Seen, generator: torch.Generator) -> Tensor:
        """The arm of the highest index."""
        row = seen.pulls.round().long()
        place = row * (self.num_pulls + 1) + seen.paid.round().long()
        known = self.table[place.clamp(max=len(self.table) - 1)]
        mean = self.belief.mean(seen.pulls, seen.paid)
        return best(torch.where(row <= self.num_pulls, known, mean), self.config.ties, generator)


class GittinsAgent(ClassicAgent):
    """The Gittins index of Bernoulli arms under a Beta prior."""

    config_class = GittinsConfig
    config: GittinsConfig

    def new_policy(self) -> GittinsPolicy:
        """Serves any bandit; rewards count as far as they lie in [0, 1]."""
        horizon = self.interface.max_episode_steps or HORIZON_WITHOUT_LIMIT
        return GittinsPolicy(self.bandit_arms(), self.config, min(horizon, MOST_PULLS), self.device)


@lru_cache(maxsize=32)
def gittins_indices(num_pulls: int, discount: float, successes: int, failures: int) -> Tensor:
    """The index [pulls, successes] of an arm after 0 to `num_pulls` pulls.

    Beside a sure reward r, the arm is worth, in units of 1 / (1 - d) for a discount d,

        w(s, f; r) = max(r, p (1 - d + d w(s+1, f; r)) + (1 - p) d w(s, f+1; r))

    with p = s / (s + f), computed backwards from an arm so often pulled that it is worth its mean;
    the index is the r at which both sides of the maximum are equal. What is learned later still
    is left out, which makes it too low by about 0.001 at most where 1 / (1 - d) is no more than
    `num_pulls`. Entries with more successes than pulls are 0.
    """
    last = num_pulls + min(num_pulls, int(4 / (1 - discount))) + 50
    sure = torch.linspace(0, 1, SURE_REWARDS, dtype=torch.float64)
    table = torch.zeros(num_pulls + 1, num_pulls + 1, dtype=torch.float64)
    worth = sure.maximum(_means(last, successes, failures))
    for pulls in range(last - 1, -1, -1):
        mean = _means(pulls, successes, failures)
        going_on = mean * (1 - discount + discount * worth[1:])
        going_on += (1 - mean) * discount * worth[:-1]
        worth = sure.maximum(going_on)
        if pulls <= num_pulls:
            table[pulls, : pulls + 1] = _crossing(sure, going_on)
    return table


def _means(pulls: int, successes: int, failures: int) -> Tensor:
    """The mean after 0, 1, ... successes in so many pulls, [successes, 1]."""
    won = torch.arange(pulls + 1, dtype=torch.float64).unsqueeze(1) + successes
    return won / (pulls + successes + failures)


def _crossing(sure: Tensor, going_on: Tensor) -> Tensor:
    """Where going on [rows, sure rewards], linear between them, falls below the sure reward."""
    gain = going_on - sure
    place = ((gain > 0).sum(1) - 1).clamp(0, len(sure) - 2).unsqueeze(1)
    before, after = gain.gather(1, place), gain.gather(1, place + 1)
    step = sure[1] - sure[0]
    return (sure[place] + step * before / (before - after)).squeeze(1)
