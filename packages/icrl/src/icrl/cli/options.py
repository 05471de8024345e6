"""What a command was given: the first half of parsing, which imports no settings and no torch.

Settings of an agent, a source and a family (`--agent.KEY`, `--source.KEY`, `--env.KEY`) are set
aside here, and parsed by `icrl.cli.settings` when it is known whose they are.
"""

import argparse
import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import icrl

_GROUP = re.compile(r"--(agent|source|env)\.[^=]+(=.*)?", re.DOTALL)

_MODULES = {
    "list": "icrl.cli.listing",
    "plugins": "icrl.cli.plugins",
    "collect": "icrl.cli.collect",
    "train": "icrl.cli.train",
    "evaluate": "icrl.cli.evaluate",
    "run": "icrl.cli.run",
    "report": "icrl.cli.report",
    "store": "icrl.cli.store",
}
_GROUPS = {
    "collect": ("source", "env"),
    "train": ("agent", "source", "env"),
    "evaluate": ("env",),
    "run": ("agent", "source", "env"),
}
_NEEDED = {
    "action": "info or verify",
    "agent": "AGENT",
    "family": "FAMILY",
    "directories": "a DIR",
    "out": "--out DIR",
}
_OPTIONAL = {("evaluate", "family"), ("run", "out")}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a command was given; None where nothing was, so that a `--config` file may say it."""

    command: str
    argv: tuple[str, ...] = ()
    """The words as given, without the program's name."""
    kind: str | None = None
    """What to list."""
    action: str | None = None
    """What to do with a store."""
    agent: str | None = None
    family: str | None = None
    source: str | None = None
    directories: tuple[Path, ...] = ()
    """What is read: a run, results, a store."""
    out: Path | None = None
    histories: Path | None = None
    config: Path | None = None
    device: str | None = None
    seed: int | None = None
    budget: str | None = None
    num_tasks: int | None = None
    episodes: int | None = None
    split: str = "test"
    allow_training_tasks: bool = False
    argmax: bool = False
    quiet: bool = False
    json: bool = False
    debug: bool = False
    settings: dict[str, list[str]] = field(default_factory=dict)
    """The words of `--agent.KEY`, `--source.KEY` and `--env.KEY`, by group."""

    def command_module(self) -> ModuleType:
        """The module whose `main(options)` does the command."""
        return importlib.import_module(_MODULES[self.command])


def parse(argv: Sequence[str]) -> Options:
    """Parse the words of a command line.

    Raises:
        SystemExit: after a message on wrong usage (2), or after the help (0).
    """
    plain, settings = _set_aside(argv)
    parser, commands = _parser()
    wants_help = any(word in ("-h", "--help") for word in plain)
    command = plain[0] if plain else "--help"
    if command not in commands:
        parser.parse_args([command])  # shows the help or the version, or refuses
        raise SystemExit(0)
    of_command = commands[command]
    # Intermixed, because `icrl run ad --seed 1 FAMILY` should be understood too.
    given = vars(of_command.parse_intermixed_args(plain[1:]))
    del given["help"]
    if "directories" in given:
        given["directories"] = tuple(given["directories"] or ())
    options = Options(command=command, argv=tuple(argv), settings=settings, **given)
    if wants_help:
        _show_help(of_command, options)
    for group in settings:
        if group not in _GROUPS.get(command, ()):
            of_command.error(f"{command} takes no --{group}.KEY: {' '.join(settings[group])}")
    for name, word in _NEEDED.items():
        if name in given and not given[name] and (command, name) not in _OPTIONAL:
            of_command.error(f"{command} needs {word}; `icrl {command} --help` explains it")
    return options


def _set_aside(argv: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The words of the command itself, and those of each group: a flag and what follows up to the
    next flag.
    """
    plain: list[str] = []
    settings: dict[str, list[str]] = {}
    current = plain
    for word in argv:
        match = _GROUP.fullmatch(word)
        if match:
            current = settings.setdefault(match[1], [])
        elif word.startswith("--") or word == "-h":
            current = plain
        current.append(word)
    return plain, settings


def _show_help(parser: argparse.ArgumentParser, options: Options) -> None:
    parser.print_help()
    if options.command in ("collect", "train", "run") and (options.agent or options.family):
        from icrl.cli.settings import print_settings

        print_settings(options)
    raise SystemExit(0)


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(
        prog="icrl",
        description="In-context reinforcement learning: any agent with any environment family.",
        epilog="`icrl COMMAND --help` explains a command; `icrl run AGENT FAMILY --help` also "
        "shows the settings.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"icrl {icrl.__version__}")
    subparsers = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    commands: dict[str, argparse.ArgumentParser] = {}

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        added = subparsers.add_parser(
            name, help=summary, description=summary, allow_abbrev=False, add_help=False
        )
        added.add_argument("-h", "--help", action="store_true", help="show this help")
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        commands[name] = added
        return added

    listing = command("list", "List what is installed, and what could be.")
    listing.add_argument(
        "kind", nargs="?", choices=("families", "agents", "sources"), help="only this"
    )
    _add_json(listing)

    plugins = command("plugins", "List the plugins found, also those that failed or are blocked.")
    _add_json(plugins)

    collect = command(
        "collect", "Collect learning histories of a source on a family's training tasks."
    )
    collect.add_argument("family", metavar="FAMILY", nargs="?", help="a family or any Gymnasium id")
    _add_out(collect, "the history store")
    _add_learning(collect)

    train = command("train", "Train an agent on a family.")
    train.add_argument("agent", metavar="AGENT", nargs="?", help="an agent, see `icrl list agents`")
    train.add_argument("family", metavar="FAMILY", nargs="?", help="a family or any Gymnasium id")
    _add_out(train, "the run; the checkpoint is DIR/agent")
    _add_histories(train)
    _add_learning(train)

    evaluate = command("evaluate", "Play a trained agent, frozen, on tasks that it never saw.")
    evaluate.add_argument(
        "directories",
        metavar="RUN_DIR",
        nargs="?",
        type=_one_path,
        help="a run, or AGENT:FAMILY for weights that a package ships",
    )
    evaluate.add_argument("--family", metavar="FAMILY", help="another family with the same spaces")
    evaluate.add_argument(
        "--split", default="test", metavar="NAME", help="the tasks' split (default: test)"
    )
    evaluate.add_argument(
        "--allow-training-tasks",
        action="store_true",
        help="allow the split that the agent learned on",
    )
    _add_out(evaluate, "the result")
    _add_evaluation(evaluate)
    evaluate.add_argument("--num-tasks", type=count, metavar="N", help="how many tasks")
    _add_running(evaluate)
    _add_json(evaluate)

    run = command(
        "run", "Collect if needed, train, evaluate beside what it is compared with, report."
    )
    run.add_argument("agent", metavar="AGENT", nargs="?", help="an agent, see `icrl list agents`")
    run.add_argument("family", metavar="FAMILY", nargs="?", help="a family or any Gymnasium id")
    _add_out(run, "the run (default: runs/AGENT-FAMILY-seedN)")
    _add_histories(run)
    _add_evaluation(run)
    _add_learning(run)
    _add_json(run)

    report = command("report", "Write a report of one or more results: a page, pictures, a table.")
    report.add_argument(
        "directories",
        metavar="RESULT_DIR",
        nargs="*",
        type=Path,
        help="a result, or a run with results",
    )
    _add_out(report, "the report")
    _add_json(report)

    store = command("store", "Show or verify a history store.")
    store.add_argument("action", nargs="?", choices=("info", "verify"), help="what to do")
    store.add_argument("directories", metavar="DIR", nargs="?", type=_one_path, help="the store")
    _add_json(store)
    return parser, commands


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"where to write {what}")


def _add_histories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--histories", type=Path, metavar="DIR", help="a history store to learn from"
    )


def _add_evaluation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--episodes", type=count, metavar="N", help="episodes of each trial")
    parser.add_argument("--argmax", action="store_true", help="act with the likeliest action")


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", metavar="NAME", help="auto, cpu, cuda or cuda:N (default: auto)"
    )
    parser.add_argument("--seed", type=_seed, metavar="N", help="default: 0")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--budget", choices=("smoke", "default", "full"), help="how much work")


def _add_learning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source", metavar="NAME", help="the source of the histories, see `icrl list sources`"
    )
    parser.add_argument(
        "--num-tasks", type=count, metavar="N", help="at most so many training tasks"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings as TOML; flags win over it"
    )
    _add_running(parser)


def count(text: str) -> int:
    """A number of one or more, as a command line gives it.

    Raises:
        ArgumentTypeError: for anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed, a number from 0 to 2147483647")
    return int(text)


def _one_path(text: str) -> tuple[Path, ...]:
    return (Path(text),)
