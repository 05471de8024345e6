"""What this package provides: specs only, so that discovery imports neither torch nor a family."""

from icrl.plugins.markers import hookimpl
from icrl.plugins.specs import FamilySpec
from icrl_envs.specs.bandits import bandits
from icrl_envs.specs.classic import classic
from icrl_envs.specs.classification import classification
from icrl_envs.specs.control import control
from icrl_envs.specs.dark_rooms import dark_rooms
from icrl_envs.specs.mazes import mazes
from icrl_envs.specs.metaworld import metaworld
from icrl_envs.specs.minigrid import minigrid
from icrl_envs.specs.points import points
from icrl_envs.specs.procgen import procgen
from icrl_envs.specs.tabular import tabular
from icrl_envs.specs.views import views


@hookimpl
def icrl_families() -> list[FamilySpec]:
    """Every family of this package; each variant with published numbers has its own id."""
    return [
        *dark_rooms(),
        *bandits(),
        *tabular(),
        *points(),
        *mazes(),
        *views(),
        *minigrid(),
        *classification(),
        *classic(),
        *control(),
        *metaworld(),
        *procgen(),
    ]
