"""What the house style forbids, as far as a program can see it."""

import ast
import re
from pathlib import Path

import pytest

SAYS_NOTHING = re.compile(r"(utils?|helpers?|common|misc|tools?)\.py")
"""Names of modules that say by which layer their contents were put together, not about what."""

LONGEST_MODULE = 400
LONG_MODULES: dict[str, str] = {}
"""Modules above 400 lines (path from the root), each with its reason."""

EXECUTES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""Modules that run code when they read a file."""
BETWEEN_PROCESSES = {
    "wrapped/workers.py": "environments travel to worker processes by a socket, not through files"
}
SEEDED_AND_RESTORED = {
    "sb3/policy.py": "SB3 samples from torch's global generator, which is put back afterwards"
}

GLOBAL_GENERATORS = {
    ("torch", "manual_seed"),
    ("torch.random", "manual_seed"),
    ("np.random", "seed"),
    ("numpy.random", "seed"),
    ("random", "seed"),
}


def code(repository: Path) -> list[Path]:
    """Every Python file of the repository."""
    folders = ("packages", "plugins", "tests", "benchmarks", "docs")
    found = [path for folder in folders for path in sorted((repository / folder).rglob("*.py"))]
    assert len(found) > 40
    return found


def calls(path: Path) -> list[tuple[str, str, ast.Call]]:
    """Calls of the form `owner.name(...)` in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        (ast.unparse(node.func.value), node.func.attr, node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


def test_modules_are_called_what_they_are_about(repository):
    assert not [path for path in code(repository) if SAYS_NOTHING.fullmatch(path.name)]


def test_a_long_module_has_a_reason(repository):
    lengths = {
        str(path.relative_to(repository)): len(path.read_text(encoding="utf-8").splitlines())
        for path in code(repository)
        if "tests" not in path.parts
    }
    long = {path for path, length in lengths.items() if length > LONGEST_MODULE}
    assert long == set(LONG_MODULES), {path: lengths[path] for path in long}


def test_classes_have_plain_names(modules):
    vague = re.compile(r"(Base|Abstract)[A-Z]\w*|\w+(Manager|Handler|Helper|Utils)")
    found = [
        f"{path}: {node.name}"
        for path in modules
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and vague.fullmatch(node.name)
    ]
    assert not found


def excepted(path: Path, reasons: dict[str, str]) -> bool:
    """Whether a module of the core stands in a table of exceptions."""
    return any(path.as_posix().endswith(f"/icrl/{name}") for name in reasons)


def test_nothing_that_is_read_is_executed(modules):
    found = []
    for path in modules:
        if excepted(path, BETWEEN_PROCESSES):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            found += [f"{path}: {name}" for name in names if name.split(".")[0] in EXECUTES]
        for owner, name, call in calls(path):
            pickled = any(
                keyword.arg == "allow_pickle"
                and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
                for keyword in call.keywords
            )
            numpy_without_the_word = (owner, name) in {("np", "load"), ("np", "save")} and not any(
                keyword.arg == "allow_pickle" for keyword in call.keywords
            )
            if (
                (owner, name) in {("torch", "load"), ("torch", "save")}
                or pickled
                or numpy_without_the_word
            ):
                found.append(f"{path}:{call.lineno} {owner}.{name}")
    assert not found


def test_no_module_touches_a_global_generator(modules):
    """But for the contract suites, which disturb the global ones to see that nobody listens."""
    found = [
        f"{path}:{call.lineno} {owner}.{name}"
        for path in modules
        if "testing" not in path.parts and not excepted(path, SEEDED_AND_RESTORED)
        for owner, name, call in calls(path)
        if (owner, name) in GLOBAL_GENERATORS
    ]
    assert not found


def test_nothing_is_left_for_later(repository):
    words = re.compile(
        r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b"
    )
    found = [
        f"{path}:{number}"
        for path in code(repository)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not found


def test_shapes_in_signatures_are_read_at_run_time(modules):
    """With postponed annotations jaxtyping would see strings only."""
    found = [
        path
        for path in modules
        if "from __future__ import annotations" in (text := path.read_text(encoding="utf-8"))
        and "jaxtyping" in text
    ]
    assert not found


@pytest.mark.parametrize("folder", ["packages", "plugins"])
def test_every_package_is_typed_and_describes_itself(repository, folder):
    for project in sorted((repository / folder).glob("*/pyproject.toml")):
        module = project.parent / "src" / project.parent.name.replace("-", "_")
        assert (module / "py.typed").exists(), project
        assert (module / "__init__.py").exists(), project
        assert (project.parent / "tests").is_dir(), project
        assert len((project.parent / "README.md").read_text(encoding="utf-8")) > 200, project


def test_every_agent_package_has_the_same_rooms(repository):
    rooms = {"plugin.py", "config.py", "model.py", "learning.py", "policy.py"}
    for project in sorted((repository / "packages").glob("*/pyproject.toml")):
        module = project.parent / "src" / project.parent.name.replace("-", "_")
        plugin = module / "plugin.py"
        if plugin.exists() and "AgentSpec(" in plugin.read_text(encoding="utf-8"):
            assert not rooms - {path.name for path in module.iterdir()}, module
