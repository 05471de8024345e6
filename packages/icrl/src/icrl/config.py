"""Config: an agent's or source's settings, a frozen dataclass that round-trips through TOML."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from icrl.errors import ConfigError
from icrl.files import read_toml, write_text


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings. Subclasses are frozen keyword-only dataclasses with a docstring under each field.

    A field whose default depends on the horizon is `None` by default and is filled by `adapted`; a
    value that the user gave is never changed, only refused.
    """

    def adapted(self, interface: Any) -> Self:
        """The settings with every `None` filled for this pairing (an `icrl.agent.Interface`).

        Raises:
            ConfigError, ContextError: if a value that the user gave cannot serve the pairing.
        """
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain data; fields that are None are left out, since TOML has no null."""
        import cattrs

        data = cattrs.Converter().unstructure(self)
        return _without_none(data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "the settings") -> Self:
        """Settings from plain data.

        Raises:
            ConfigError: for unknown keys and wrong types, with their path; `where` names the file.
        """
        import cattrs
        from cattrs.errors import BaseValidationError

        try:
            return cattrs.Converter(forbid_extra_keys=True).structure(dict(data), cls)
        except BaseValidationError as error:
            reasons = "; ".join(cattrs.transform_error(error))
            known = ", ".join(field.name for field in dataclasses.fields(cls))
            raise ConfigError(
                f"{where} cannot be used: {reasons}. {cls.__name__} has: {known}."
            ) from error

    def save(self, path: Path) -> None:
        """Write the settings as TOML, whole or not at all."""
        import tomli_w

        write_text(path, tomli_w.dumps(self.to_dict()))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        return cls.from_dict(read_toml(path), where=str(path))


def presets(text: str, family: str | None, budget: str) -> dict[str, Any]:
    """The settings that a preset file has for a pairing at a budget.

    A preset file is TOML with tables `["FAMILY".BUDGET]`; FAMILY is an id or `"*"`. More special
    tables win over more general ones: `"*".default`, then `"*".BUDGET`, then the family's
    `default`, then the family's BUDGET. A family's own `default` is not used at the budget `smoke`,
    which must stay within seconds.
    """
    tables = tomllib.loads(text)
    chosen: dict[str, Any] = {}
    for name in ("*", family):
        of_family = tables.get(name, {}) if name else {}
        if not (budget == "smoke" and name != "*"):
            chosen |= of_family.get("default", {})
        if budget != "default":
            chosen |= of_family.get(budget, {})
    return chosen


def _without_none(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _without_none(v) for k, v in data.items() if v is not None}
    if isinstance(data, list | tuple):
        return [_without_none(v) for v in data]
    return data
