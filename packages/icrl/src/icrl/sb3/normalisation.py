"""What `VecNormalize` learns: a wrapper for every observation space, and its statistics."""

from gymnasium import Space, spaces
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecNormalize


def normalized(env: VecEnv, *, gamma: float = 0.99) -> VecNormalize:
    """The environment behind `VecNormalize`, which knows only Box observations.

    Images stay as they are: SB3 divides them by 255 itself.

    Args:
        env: the environment.
        gamma: the learner's discount: rewards are divided by the deviation of discounted returns.
    """
    space = env.observation_space
    if isinstance(space, spaces.Dict):
        keys = [name for name, child in space.spaces.items() if _is_vector(child)]
        return VecNormalize(env, norm_obs=bool(keys), norm_obs_keys=keys or None, gamma=gamma)
    return VecNormalize(env, norm_obs=_is_vector(space), gamma=gamma)


def observation_statistics(env: VecNormalize) -> dict[str, RunningMeanStd]:
    """What the wrapper knows of each observation that it normalises: by key of a Dict, `""` for a
    bare one.
    """
    if not env.norm_obs:
        return {}
    return env.obs_rms if isinstance(env.obs_rms, dict) else {"": env.obs_rms}


def _is_vector(space: Space) -> bool:
    return isinstance(space, spaces.Box) and not is_image_space(space)
