"""The bandits and the tabular MDP keep the laws of a family."""

from icrl.plugins.families import family_of
from icrl.testing.families import FamilyContract
from icrl_envs.plugin import icrl_families

SPECS = {spec.id: spec for spec in icrl_families()}


class SmallContract(FamilyContract):
    """An id with few arms and pulls."""

    id: str
    arguments: dict = {"num_arms": 5, "horizon": 7}  # noqa: RUF012 (constant)

    def make_family(self):
        return family_of(SPECS[self.id], **self.arguments)


class TestBernoulliBandit(SmallContract):
    id = "icrl/BernoulliBandit-v0"


class TestGaussianBandit(SmallContract):
    id = "icrl/GaussianBandit-v0"


class TestAdversarialBandit(SmallContract):
    id = "icrl/AdversarialBandit-v0"


class TestLinearBandit(SmallContract):
    id = "icrl/LinearBandit-v0"
    arguments = {"num_arms": 5, "num_features": 3, "horizon": 7}  # noqa: RUF012


class TestContextualBandit(SmallContract):
    id = "icrl/ContextualBandit-v0"
    arguments = {"num_arms": 5, "num_features": 3, "horizon": 7}  # noqa: RUF012


class TestTabularMDP(SmallContract):
    id = "icrl/TabularMDP-v0"
    arguments = {"num_states": 5, "num_actions": 3, "horizon": 7}  # noqa: RUF012
