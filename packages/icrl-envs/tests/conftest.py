"""What the package's tests share: an id whose simulator is not installed here is skipped."""

from collections.abc import Callable

import gymnasium
import pytest

from icrl.errors import MissingPackageError


@pytest.fixture
def made() -> Callable[[str], gymnasium.Env]:
    """`gymnasium.make`; Meta-World pins a MuJoCo of its own, so only where it is installed."""

    def make(id: str) -> gymnasium.Env:
        try:
            return gymnasium.make(id)
        except MissingPackageError:
            if not id.startswith("icrl/MetaWorld"):
                raise
            pytest.skip('needs pip install "icrl-envs[metaworld]"')

    return make
