"""A simulator that is not installed is named, with the line that brings it."""

import sys

import pytest

import icrl
from icrl.errors import MissingPackageError


@pytest.mark.parametrize(
    ("id", "module"),
    [
        ("icrl/MiniGrid-FourRooms-v0", "minigrid"),
        ("icrl/AntDir-v0", "mujoco"),
        ("icrl/HopperParam-v0", "mujoco"),
        ("icrl/MetaWorldML1-v0", "metaworld"),
        ("icrl/MetaWorldML10-v0", "metaworld"),
        ("icrl/MetaWorldML45-v0", "metaworld"),
    ],
)
def test_a_missing_simulator_is_named_with_its_extra(id, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=rf'pip install "icrl-envs\[{module}\]"'):
        icrl.make_family(id)
