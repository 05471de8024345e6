"""Specs: reference pages made of what the installed plugins say of themselves.

A page has a line `%% families`, `%% agents`, `%% sources`, `%% settings`, `%% commands` or
`%% packages`; Markdown takes its place when the page is read.
"""

import contextlib
import inspect
import io
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.image

from icrl.cli import main
from icrl.errors import MissingPackageError, UsageError
from icrl.evaluation import evaluate
from icrl.families import Rendered, Solved
from icrl.plugins import load_entry_point, make_family, plugin_host
from icrl.random_agent import RandomPolicy

REPOSITORY = Path(__file__).parent.parent.parent
PICTURES = REPOSITORY / "docs" / "_build" / "pictures"
MARK = re.compile(r"^%% (\w+)$", re.MULTILINE)
COMMANDS = ("", "list", "plugins", "collect", "train", "evaluate", "run", "report", "store")


def tagged(title: str, text: str) -> Iterator[str]:
    """One line of facts, if there is something to say."""
    if text:
        yield f"- {title}: {text}"


def paper(reference: str) -> str:
    """A paper as a link, where it is an arXiv number."""
    number = re.fullmatch(r"arXiv:(\d+\.\d+)", reference)
    return f"[{reference}](https://arxiv.org/abs/{number[1]})" if number else reference


def literal(value: Any) -> str:
    """A value as code."""
    return f"`{value}`"


def families() -> Iterator[str]:
    """Every registered family: a datasheet for each class, and the ids that it is known by."""
    by_class: dict[str, list[Any]] = {}
    for _, provided in sorted(plugin_host().families.items()):
        by_class.setdefault(provided.spec.entry_point, []).append(provided)
    for entry_point, variants in by_class.items():
        family = load_entry_point(entry_point)
        yield f"## {family.__name__}\n"
        yield f"{inspect.getdoc(family)}\n"
        variants.sort(key=lambda each: len(each.spec.arguments))
        yield from picture(variants[0].spec.id)
        for provided in variants:
            yield from variant(provided, family)


def picture(name: str) -> Iterator[str]:
    """An episode of a family, drawn, if it can be."""
    pixels = drawn(name)
    if pixels is None:
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name.replace('/', '-')}.png"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    matplotlib.image.imsave(partial, pixels, format="png")
    partial.replace(path)
    yield f"![An episode of {name}](/_build/pictures/{path.name})\n"


def drawn(name: str) -> Any:
    """An episode of a family as its oracle plays it, else at random, [height, width, 3]; None if it
    cannot be drawn here.
    """
    try:
        family = make_family(name)
    except MissingPackageError:
        return None  # an extra that is not installed
    if not isinstance(family, Rendered):
        return None
    tasks = family.sample_tasks(1, split="test", seed=0)
    policy = (
        family.oracle(tasks)
        if isinstance(family, Solved)
        else RandomPolicy(family.action_space, "cpu")
    )
    env = family.vector_env(tasks)
    try:
        (episode, *_) = evaluate(policy, env, episodes=1, seed=0, max_steps=1000).recorded
        return family.render(
            tasks.row(0), episode.unpacked(family.observation_space, family.action_space)
        )
    except UsageError:
        return None  # a simulator that cannot draw here
    finally:
        env.close()


def variant(provided: Any, family: type) -> Iterator[str]:
    """One id of a family."""
    spec = provided.spec
    yield f"### `{spec.id}`\n"
    yield f"{spec.summary}\n"
    yield from tagged("Package", literal(provided.record.distribution))
    yield from tagged("Paper", paper(spec.paper))
    yield from tagged("Default source", literal(spec.default_source) if spec.default_source else "")
    yield from tagged("Tags", ", ".join(spec.tags))
    parameters = inspect.signature(family).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    keywords = (f"`{key}={value!r}`" for key, value in (defaults | dict(spec.arguments)).items())
    yield from tagged("Keywords and their defaults", ", ".join(keywords))
    yield ""


def agents() -> Iterator[str]:
    """Every agent."""
    for name, provided in sorted(plugin_host().agents.items()):
        spec = provided.spec
        yield f"## `{name}`\n"
        yield f"{spec.summary}\n"
        yield from tagged("Package", literal(provided.record.distribution))
        yield from tagged("Paper", paper(spec.paper))
        yield f"- Learns from: {spec.learns}"
        yield f"- Memory: {spec.memory}"
        yield from tagged(
            "Stands beside it in `icrl run`", ", ".join(map(literal, spec.companions))
        )
        for family, reason in spec.refuses.items():
            yield f"- Refuses `{family}`: {reason}"
        yield ""


def sources() -> Iterator[str]:
    """Every source."""
    for name, provided in sorted(plugin_host().sources.items()):
        spec = provided.spec
        yield f"## `{name}`\n"
        yield f"{spec.summary}\n"
        yield from tagged("Package", literal(provided.record.distribution))
        yield from tagged("Paper", paper(spec.paper))
        yield ""


def settings() -> Iterator[str]:
    """Every settings class, by agent and source, as autodoc shows it."""
    for kind in ("agents", "sources"):
        by_class: dict[str, list[str]] = {}
        for name, provided in sorted(plugin_host().table(kind).items()):
            if provided.spec.config:
                by_class.setdefault(provided.spec.config, []).append(name)
        for config, names in sorted(by_class.items(), key=lambda item: item[1]):
            yield f"## {kind.removesuffix('s').capitalize()} {', '.join(map(literal, names))}\n"
            yield "```{eval-rst}"
            yield f".. autoclass:: {config.replace(':', '.')}"
            yield "   :members:"
            yield "   :undoc-members:"
            yield "   :inherited-members: object"
            yield "   :exclude-members: adapted, to_dict, from_dict, save, load, __init__, __new__"
            yield "```\n"


def commands() -> Iterator[str]:
    """The help of every command."""
    os.environ["COLUMNS"] = "100"
    for command in COMMANDS:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
            main([*command.split(), "--help"])
        yield f"## `{f'icrl {command}'.strip()}`\n"
        yield f"```text\n{shown.getvalue().strip()}\n```\n"


def packages() -> Iterator[str]:
    """The table of packages, from the registry."""
    yield "| package | what it brings | names |\n|---|---|---|"
    for entry in tomllib.loads((REPOSITORY / "registry.toml").read_text(encoding="utf-8"))[
        "plugin"
    ]:
        names = ", ".join(literal(name) for names in entry["provides"].values() for name in names)
        yield f"| `{entry['name']}` | {entry['summary']} | {names} |"


GENERATED: dict[str, Callable[[], Iterator[str]]] = {
    "families": families,
    "agents": agents,
    "sources": sources,
    "settings": settings,
    "commands": commands,
    "packages": packages,
}


def fill_in(app: Any, page: str, source: list[str]) -> None:
    """Put what is generated into a page that is being read."""
    source[0] = MARK.sub(lambda mark: "\n".join(GENERATED[mark[1]]()), source[0])


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", fill_in)
    return {"version": "1", "parallel_read_safe": True}
