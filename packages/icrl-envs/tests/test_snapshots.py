"""Every native family's picture looks as it did when somebody looked at it.

Families of pixels have snapshots in their own tests.
"""

import pytest

from icrl.plugins.families import family_of
from icrl_envs.plugin import icrl_families

SPECS = {spec.id: spec for spec in icrl_families()}
STEPS = {
    "icrl/AdversarialBandit-v0": 60,
    "icrl/BernoulliBandit-v0": 60,
    "icrl/CartPole-v0": 12,
    "icrl/ContextualBandit-v0": 90,
    "icrl/DarkKeyToDoor-v0": 40,
    "icrl/DarkRoom-v0": 19,
    "icrl/DarkRoomMacro-v0": 5,
    "icrl/DarkRoomPermuted-v0": 25,
    "icrl/GaussianBandit-v0": 250,
    "icrl/GridMaze-v0": 80,
    "icrl/LinearBandit-v0": 90,
    "icrl/Pendulum-v0": 40,
    "icrl/PointRobot-v0": 15,
    "icrl/PointRobotSparse-v0": 15,
    "icrl/SequentialClassification-v0": 6,
    "icrl/TabularMDP-v0": 6,
}
"""Random actions after which each is drawn."""


@pytest.mark.parametrize("id", STEPS)
def test_a_picture_looks_as_it_did(id, matches_snapshot):
    env = family_of(SPECS[id]).single_env(render_mode="rgb_array")
    env.reset(seed=2)
    env.action_space.seed(2)
    for _ in range(STEPS[id]):
        assert env.step(env.action_space.sample())[2:4] == (False, False)
    name = id.removeprefix("icrl/").removesuffix("-v0")
    assert matches_snapshot(env.render(), name)


def test_every_family_has_a_snapshot():
    kept = {SPECS[each].entry_point for each in STEPS}
    drawn = {
        spec.entry_point
        for spec in SPECS.values()
        if "native" in spec.tags and "pixels" not in spec.tags
    }
    assert kept == drawn
