"""RunRecord: what a run was asked for, as `run.toml` beside its checkpoint says it."""

import dataclasses
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import tomli_w

import icrl
from icrl.cli.pairing import Pairing
from icrl.errors import DamagedFileError, OutputError, UsageError
from icrl.files import read_toml, storage_error, write_json, write_text
from icrl.plugins import plugin_host

_NOT_COMPARED = ("command", "device", "icrl")
_COLLECTED_BEFORE = "histories"
_WRITTEN = {"run.toml", "plugins.json"}


@dataclass(frozen=True)
class RunRecord:
    """All settings of a run, resolved: plain data. A `--config` file has the same form."""

    run: Mapping[str, Any]
    """Agent, family, source, seed, budget, device, number of tasks, command."""
    env: Mapping[str, Any]
    """The family's keywords."""
    agent: Mapping[str, Any]
    """The agent's settings, adapted to the pairing."""
    source: Mapping[str, Any]
    """The source's settings; empty without one."""

    @classmethod
    def of(cls, pairing: Pairing) -> Self:
        """The record of a command that learns."""
        options = pairing.options
        run = {
            "agent": options.agent,
            "family": options.family,
            "source": options.source,
            "histories": str(options.histories.resolve()) if options.histories else None,
            "num_tasks": options.num_tasks,
            "seed": options.seed,
            "budget": options.budget,
            "device": options.device,
            "command": shlex.join(["icrl", *options.argv]),
            "icrl": icrl.__version__,
        }
        return cls(
            {key: value for key, value in run.items() if value is not None},
            dict(pairing.family.arguments),
            pairing.agent_config.to_dict(),
            pairing.source_config.to_dict(),
        )

    @classmethod
    def load(cls, directory: Path) -> Self:
        """The record of a run's directory.

        Raises:
            UsageError: if there is no run.
            DamagedFileError: if the record cannot be read.
        """
        path = record_path(directory)
        if not path.exists():
            hint = ""
            if (Path(directory) / "run.toml").exists():
                hint = f" Did you mean {Path(directory).parent}?"
            raise UsageError(
                f"{directory} holds no run: there is no {path}. Give a directory that `icrl run` "
                f"or `icrl train` wrote.{hint}"
            )
        tables = read_toml(path)
        try:
            record = cls(**tables)
        except TypeError as error:
            raise DamagedFileError(f"{path} is not a record that icrl wrote: {error}.") from error
        for key, kind in (("agent", str), ("family", str), ("seed", int)):
            if not isinstance(record.run.get(key), kind):
                raise DamagedFileError(f"{path} is not a record that icrl wrote: no run.{key}.")
        return record

    def save(self, directory: Path) -> None:
        """Write `run.toml`, and what plugins there were beside it."""
        write_text(record_path(directory), tomli_w.dumps(dataclasses.asdict(self)))
        records = [dataclasses.asdict(record) for record in plugin_host().records]
        write_json(record_path(directory).with_name("plugins.json"), records)

    def differences(self, other: "RunRecord") -> list[str]:
        """What differs, as `seed = 1 there, 0 here`; device, command and version may differ."""
        found = []
        for table in ("run", "env", "agent", "source"):
            here, there = getattr(self, table), getattr(other, table)
            for key in {**there, **here}:
                if here.get(key) != there.get(key) and not (
                    table == "run" and key in _NOT_COMPARED
                ):
                    name = key if table == "run" else f"{table}.{key}"
                    found.append(
                        f"{name} = {_said(there.get(key))} there, {_said(here.get(key))} here"
                    )
        return found

    def claim(self, directory: Path) -> None:
        """Begin the run in a directory, or go on with the equal run that is there.

        Raises:
            OutputError: if the directory holds something else, also another run.
            StorageError: if it cannot be written.
        """
        directory = Path(directory)
        if record_path(directory).exists():
            differences = self.differences(RunRecord.load(directory))
            if differences:
                raise OutputError(
                    f"{directory} holds another run: {'; '.join(differences)}. "
                    "Choose another --out, or delete it."
                )
            return
        foreign = [
            name for name in _names_in(directory) if name not in (_COLLECTED_BEFORE, "agent")
        ]
        if foreign:
            raise OutputError(
                f"{directory} holds something else than a run: {sorted(foreign)[0]}. "
                "Choose another --out."
            )
        self.save(directory)

    @contextmanager
    def claimed(self, directory: Path) -> Iterator[None]:
        """Claim a directory to learn in.

        A refusal before anything was written there gives it back, so that the corrected command can
        have it.

        Raises:
            OutputError, StorageError: as `claim`.
        """
        self.claim(directory)
        try:
            yield
        except UsageError:
            own = record_path(directory).parent
            if _names_in(directory) == [own.name] and set(_names_in(own)) <= _WRITTEN:
                shutil.rmtree(own)
            raise


def record_path(directory: Path) -> Path:
    """Where a run's record lies."""
    return Path(directory) / "agent" / "run.toml"


def _names_in(directory: Path) -> list[str]:
    try:
        return [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise OutputError(f"{directory} is a file. Choose another --out.") from error
    except OSError as error:
        raise storage_error(directory, error) from error


def _said(value: Any) -> str:
    return "nothing" if value is None else repr(value)
