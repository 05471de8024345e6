"""Simulators that litter or print are made to log instead."""

import logging
import os
import re
import sys

_log = logging.getLogger("icrl.mujoco")
_seen: set[str] = set()


def quieten_simulators() -> None:
    """Send MuJoCo's warnings to the logger `icrl.mujoco`, each kind once, if MuJoCo has been
    imported.

    Without a handler MuJoCo writes them to a file `MUJOCO_LOG.TXT` in the current folder. A handler
    that somebody else has set stays.
    """
    mujoco = sys.modules.get("mujoco")
    if mujoco is not None and mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_log_warning)


def quieten_display() -> None:
    """Let pygame draw into memory where there is no display: it complains on stderr otherwise."""
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(map(os.environ.get, displays)):
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def _log_warning(message: str) -> None:
    kind = re.sub(r"[-+\d.e]*\d", "", message)
    if kind not in _seen:
        _seen.add(kind)
        deprecation = "deprecated" in message
        _log.log(logging.INFO if deprecation else logging.WARNING, "MuJoCo: %s", message.strip())
