"""Where the repository and its packages lie."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def packages() -> list[Path]:
    """The folder of every package and plugin."""
    found = sorted(path.parent for path in REPOSITORY.glob("p*/*/pyproject.toml"))
    assert {"icrl", "icrl-ad", "icrl-envs", "icrl-sources"} <= {path.name for path in found}
    return found


@pytest.fixture(scope="session")
def modules(packages: list[Path]) -> list[Path]:
    """Every module of every package, without its tests."""
    found = [path for package in packages for path in sorted((package / "src").rglob("*.py"))]
    assert len(found) > 20
    return found
