"""`pytest --shapes`: a call that contradicts a signature fails."""

import os
import subprocess
import sys

WRONG = """
import torch
from icrl.nn import CausalBackbone


def test_a_token_axis_is_missing():
    CausalBackbone(6, layers=1, heads=2, feed_forward=5, window=7)(torch.zeros(3, 6))
"""


def test_a_wrong_shape_is_noticed_where_it_is_passed(repository, tmp_path):
    (tmp_path / "test_wrong.py").write_text(WRONG, encoding="utf-8")
    words = ["-m", "pytest", "-p", "conftest", "--shapes", "-c", str(repository / "pyproject.toml")]
    finished = subprocess.run(
        [sys.executable, *words, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "batch time width" in finished.stdout
    assert "TypeCheckError" in finished.stdout
