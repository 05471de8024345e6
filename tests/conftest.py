"""Where the repository and its packages lie, and scripts that tests import."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

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


@pytest.fixture
def scripts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where benchmarks find each other; they may change how many threads there are."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
