"""What the package's tests share: an id whose simulator is not installed here is skipped; and
snapshots, pictures that somebody has looked at, with which those drawn now are compared.
"""

from collections.abc import Callable
from pathlib import Path

import gymnasium
import matplotlib.image
import numpy as np
import pytest

from icrl.errors import MissingPackageError

SNAPSHOTS = Path(__file__).with_name("snapshots")
NOTICED, SHARE, SHARE_OF_VIEWS = 8, 0.0001, 0.005
"""A pixel has changed if a colour differs by more than that; so large a share of pixels may, since
rounding differs between machines. In a view it can choose another strip for a whole column.
"""


@pytest.fixture(autouse=True)
def stepped_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `workers`, this process steps: how long a step takes is measured, and on a busy
    machine a few ants would start workers for seconds in every test.
    """
    monkeypatch.setattr("icrl.wrapped.vector.num_workers", lambda family, num_envs: 0)


@pytest.fixture
def made() -> Callable[[str], gymnasium.Env]:
    """`gymnasium.make`, of an extra that not everybody installs only where it is: Meta-World pins a
    MuJoCo of its own, Procgen is large and wants a library of the system.
    """

    def make(id: str) -> gymnasium.Env:
        try:
            return gymnasium.make(id)
        except MissingPackageError as missing:
            if not id.startswith(("icrl/MetaWorld", "icrl/Procgen")):
                raise
            pytest.skip(str(missing))

    return make


@pytest.fixture
def matches_snapshot() -> Callable[..., bool]:
    """Whether a picture [height, width, 3] uint8 looks like the one that is kept by a name; with
    `views`, a picture in which a ray-caster has a part.

    If none is kept it is drawn, for somebody to look at and to commit, and the test fails.
    """

    def matches(picture: np.ndarray, name: str, *, views: bool = False) -> bool:
        path = SNAPSHOTS / f"{name}.png"
        if not path.exists():
            matplotlib.image.imsave(path, picture)
            pytest.fail(f"there was no snapshot: look at {path}, and commit it if it is right")
        kept = np.rint(matplotlib.image.imread(path)[..., :3] * 255)
        if kept.shape != picture.shape:
            return False
        changed = (np.abs(kept - picture).max(-1) > NOTICED).mean()
        return changed <= (SHARE_OF_VIEWS if views else SHARE)

    return matches
