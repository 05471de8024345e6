"""Extras: simulators that not everybody needs, asked for where a family cannot be made without."""

import importlib

from icrl.errors import MissingPackageError


def require(module: str, *, extra: str, what: str) -> None:
    """Import a simulator.

    Raises:
        MissingPackageError: naming the extra of this package that brings it.
    """
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"{what} needs the module {module!r}, which cannot be imported ({error}). "
            f'It comes with: pip install "icrl-envs[{extra}]"'
        ) from error
