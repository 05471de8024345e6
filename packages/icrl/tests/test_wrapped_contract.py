"""The laws of a family, for families made of Gymnasium environments."""

import pytest

from icrl.testing import FamilyContract
from icrl.testing.counter import CounterFamily
from icrl.wrapped import GymnasiumFamily

pytestmark = pytest.mark.filterwarnings("ignore:.*WARN:UserWarning")  # of what strangers declare


class TestCounter(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return CounterFamily()


class TestPendulum(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return GymnasiumFamily("Pendulum-v1", max_episode_steps=7)


class TestMiniGrid(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return GymnasiumFamily("MiniGrid-Fetch-5x5-N2-v0", max_steps=7)


class TestBlackjack(FamilyContract):
    first_observation_shows_task = True

    def make_family(self):
        return GymnasiumFamily("Blackjack-v1")
