"""Collecting on a Ray cluster ends with the same store."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from icrl.errors import UsageError
from icrl.histories import collect
from icrl.histories.ray_collection import collect_with_ray
from icrl.run import Run
from icrl.testing import TwoCells, WanderingConfig, WanderingSource

FAMILY = TwoCells()
SOURCE = WanderingSource(WanderingConfig(), FAMILY, torch.device("cpu"))


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.filterwarnings("default")  # Ray warns of what it finds on the machine
def test_ray_workers_write_the_same_bytes_as_one_process(tmp_path: Path) -> None:
    import ray

    tasks, run = FAMILY.sample_tasks(4, seed=0), Run(tmp_path, quiet=True)
    collect(SOURCE, FAMILY, tasks, tmp_path / "alone", seed=0, run=run)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        store = collect_with_ray(
            SOURCE, FAMILY, tasks, tmp_path / "ray", seed=0, run=run, num_workers=2
        )
    finally:
        ray.shutdown()
    assert store.is_complete
    files = [path.name for path in sorted((tmp_path / "alone").iterdir())]
    assert [path.name for path in sorted((tmp_path / "ray").iterdir())] == files
    for name in files:
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_without_ray_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    tasks, run = FAMILY.sample_tasks(2, seed=0), Run(tmp_path, quiet=True)
    with pytest.raises(UsageError, match=r"pip install 'icrl\[ray\]'"):
        collect_with_ray(SOURCE, FAMILY, tasks, tmp_path / "s", seed=0, run=run, num_workers=2)
