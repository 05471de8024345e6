"""Every registered id passes Gymnasium's and SB3's checkers."""

import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from icrl_envs.plugin import icrl_families

SPECS = {spec.id: spec for spec in icrl_families()}


# MuJoCo's environments observe without bounds.
@pytest.mark.filterwarnings("ignore:.*A Box observation space m.*infinity")
# Pendulum keeps the torques of Gymnasium's own.
@pytest.mark.filterwarnings("ignore:.*symmetric and normalized")
@pytest.mark.parametrize("id", SPECS)
def test_gymnasiums_checker_passes_with_every_render_mode(id, made, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    check_env(made(id).unwrapped)


# SB3's policies flatten a matrix, and advise to do so before.
@pytest.mark.filterwarnings("ignore:Your observation .*has an unconventional shape")
# Its default networks for images want 36 pixels; of smaller ones icrl gives it flattened pixels.
@pytest.mark.filterwarnings("ignore:The minimal resolution for an image is 36x36")
# A small grid of symbols is flattened by SB3 too, since its bounds are not those of pixels.
@pytest.mark.filterwarnings("ignore:It seems that your observation space image is an image but")
@pytest.mark.filterwarnings("ignore:.*symmetric and normalized")
@pytest.mark.parametrize("id", SPECS)
def test_sb3s_checker_passes(id, made):
    check_env_for_sb3(made(id))
