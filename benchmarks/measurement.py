"""Measurement: what every benchmark states beside its figures, and where it writes them."""

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def hardware() -> dict[str, Any]:
    """The machine, as far as it explains a figure."""
    facts: dict[str, Any] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 1),
    }
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def versions(*distributions: str) -> dict[str, str]:
    """Python's version, and those of distributions."""
    return {"python": platform.python_version()} | {name: version(name) for name in distributions}


def seconds(work: Callable[[], object], *, repeats: int = 5) -> float:
    """The median time of some work, in seconds, after one unmeasured call."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def write_result(name: str, measured: Mapping[str, Any], *, packages: Sequence[str] = ()) -> Path:
    """Write `results/NAME.json`: what was measured, with command, machine and versions."""
    result = {
        "command": f"python {shlex.join(sys.argv)}",
        "hardware": hardware(),
        "versions": versions("icrl", "torch", "gymnasium", *packages),
        **measured,
    }
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
