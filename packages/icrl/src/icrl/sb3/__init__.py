"""icrl.sb3: Stable-Baselines3 learners on task environments, and their policies as icrl policies.

Behind the extra `icrl[sb3]`.
"""

from icrl.errors import MissingPackageError

try:
    import stable_baselines3  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingPackageError(
        "icrl.sb3 needs Stable-Baselines3, which is not installed "
        f'({error}): pip install "icrl[sb3]"'
    ) from error

from icrl.sb3.algorithms import (
    algorithm,
    algorithms,
    blamed_settings,
    make_model,
    policy_name,
)
from icrl.sb3.blank import BlankVecEnv
from icrl.sb3.generators import own_globals
from icrl.sb3.learning import learn
from icrl.sb3.normalisation import normalized
from icrl.sb3.policy import Normalization, SB3Policy
from icrl.sb3.vec_env import TaskVecEnv
from icrl.sb3.views import ActionView, ObservationView

__all__ = [
    "ActionView",
    "BlankVecEnv",
    "Normalization",
    "ObservationView",
    "SB3Policy",
    "TaskVecEnv",
    "algorithm",
    "algorithms",
    "blamed_settings",
    "learn",
    "make_model",
    "normalized",
    "own_globals",
    "policy_name",
]
