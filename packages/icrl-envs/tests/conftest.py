"""What the package's tests share: an id whose simulator is not installed here is skipped."""

from importlib.util import find_spec

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the ids of Meta-World, which pins a MuJoCo of its own, where it is not installed."""
    if find_spec("metaworld") is None:
        for item in items:
            if "[icrl/MetaWorld" in item.name:
                item.add_marker(pytest.mark.skip(reason='needs pip install "icrl-envs[metaworld]"'))
