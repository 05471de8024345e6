"""CartPole and Pendulum keep the contract of a family."""

import pytest

import icrl
from icrl.testing import FamilyContract

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*A Box observation space m.*infinity"),
    pytest.mark.filterwarnings("ignore:.*we recommend using a symmetric and normalized space"),
]
"""CartPole observes speeds without bounds and Pendulum acts between -2 and 2, as Gymnasium's do."""


class TestCartPole(FamilyContract):
    def make_family(self):
        return icrl.make_family("icrl/CartPole-v0", horizon=41)


class TestPendulum(FamilyContract):
    def make_family(self):
        return icrl.make_family("icrl/Pendulum-v0", horizon=11)
