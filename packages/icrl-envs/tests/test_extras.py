"""A simulator that is not installed is named, with the line that brings it."""

import subprocess
import sys
from types import ModuleType

import pytest

import icrl
from icrl.errors import MissingPackageError


@pytest.mark.parametrize(
    ("id", "module", "extra"),
    [
        ("icrl/MiniGrid-FourRooms-v0", "minigrid", "minigrid"),
        ("icrl/AntDir-v0", "mujoco", "mujoco"),
        ("icrl/HopperParam-v0", "mujoco", "mujoco"),
        ("icrl/MetaWorldML1-v0", "metaworld", "metaworld"),
        ("icrl/MetaWorldML10-v0", "metaworld", "metaworld"),
        ("icrl/MetaWorldML45-v0", "metaworld", "metaworld"),
        ("icrl/Procgen-Maze-v0", "envpool", "procgen"),
        ("icrl/Procgen-BigFish-v0", "envpool", "procgen"),
    ],
)
def test_a_missing_simulator_is_named_with_its_extra(id, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=rf'pip install "icrl-envs\[{extra}\]"'):
        icrl.make_family(id)


def test_a_missing_library_of_the_system_is_named_with_its_package(monkeypatch):
    """Envpool imports without Qt, and refuses when its Procgen is asked for."""

    def refuse(name):
        """What envpool's module does."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError("EnvPool Procgen requires Qt 5") from ImportError(
            "libQt5Gui.so.5: cannot open shared object file"
        )

    envpool, procgen = ModuleType("envpool"), ModuleType("envpool.procgen")
    procgen.__getattr__ = refuse
    monkeypatch.setitem(sys.modules, "envpool", envpool)
    monkeypatch.setitem(sys.modules, "envpool.procgen", procgen)
    with pytest.raises(
        MissingPackageError, match=r"libQt5Gui\.so\.5: .*apt-get install libqt5gui5"
    ):
        icrl.make_family("icrl/Procgen-Maze-v0")


def test_a_run_without_the_extra_ends_before_anything_is_written(tmp_path):
    """In a process whose import of envpool is blocked."""
    argv = ["run", "random", "icrl/Procgen-Maze-v0", "--out", str(tmp_path / "run")]
    script = (
        "import sys; sys.modules['envpool'] = None; from icrl.cli import main; "
        f"sys.exit(main({argv!r}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert 'pip install "icrl-envs[procgen]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
