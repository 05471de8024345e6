"""Who may import whom: families, sources and agents import the core, never each other."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOADED_BY_ANOTHER = {
    "pytest": "the extra `testing` runs with it",
    "hypothesis": "the extra `testing` draws with it",
    "beartype": "the extra `testing` checks shapes with it",
    "packaging": "Meta-World imports it, and does not ask for it",
}
"""Dependencies that no module of the package that declares them imports, with the reason."""


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The modules that a module names in its imports, wherever they stand, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno


def own_module(package: Path) -> str:
    """The module that a package's distribution holds."""
    return package.name.replace("-", "_")


def is_ours(module: str) -> bool:
    return re.fullmatch(r"icrl(_\w+)?", module.split(".")[0]) is not None


def arrows(package: Path, folder: str) -> Iterator[str]:
    """Imports of a package's folder that point anywhere but to itself, the core and the outside."""
    allowed = {own_module(package), "icrl"}
    for path in sorted((package / folder).rglob("*.py")):
        for name, line in imported(ast.parse(path.read_text(encoding="utf-8"))):
            if is_ours(name) and name.split(".")[0] not in allowed:
                yield f"{path}:{line} imports {name}"


def test_a_package_imports_nothing_of_ours_but_itself_and_the_core(packages):
    assert not [arrow for package in packages for arrow in arrows(package, "src")]


def test_the_tests_of_a_package_run_where_it_is_installed_with_the_core_alone(packages):
    assert not [arrow for package in packages for arrow in arrows(package, "tests")]


def test_the_core_names_no_module_of_a_plugin(packages):
    core = next(package for package in packages if package.name == "icrl")
    others = "|".join(own_module(package) for package in packages if package != core)
    named = re.compile(rf"\b({others})[.:]\w")
    found = [
        f"{path}:{node.lineno} {node.value!r}"
        for path in sorted((core / "src").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and named.search(node.value)
    ]
    assert not found


def test_imports_are_absolute(modules):
    relative = [
        f"{path}:{line}"
        for path in modules
        for name, line in imported(ast.parse(path.read_text(encoding="utf-8")))
        if name.startswith(".")
    ]
    assert not relative


def test_what_a_package_imports_stands_in_its_dependencies(packages):
    """Also where the import is lazy, or for the type checker alone: an extra counts as declared."""
    distributions = packages_distributions()
    undeclared = set()
    projects = {
        package: tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for package in packages
    }
    (core,) = (project for project in projects.values() if project["name"] == "icrl")
    for package, project in projects.items():
        requirements = [Requirement(line) for line in project["dependencies"]]
        extras = list(project.get("optional-dependencies", {}).values())
        asked = [extra for one in requirements if one.name == "icrl" for extra in one.extras]
        extras += [core["optional-dependencies"][extra] for extra in asked]
        requirements += [Requirement(line) for lines in extras for line in lines]
        declared = {canonicalize_name(requirement.name) for requirement in requirements}
        for path in sorted((package / "src").rglob("*.py")):
            for name, _ in imported(ast.parse(path.read_text(encoding="utf-8"))):
                top = name.split(".")[0]
                if top in sys.stdlib_module_names or top == own_module(package) or not top:
                    continue
                providers = {canonicalize_name(d) for d in distributions.get(top, [top])}
                if not providers & declared:
                    undeclared.add((package.name, top))
    assert not undeclared


def test_what_a_package_declares_is_imported_by_it(packages):
    distributions = packages_distributions()
    unused = set()
    for package in packages:
        project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        lines = [*project["dependencies"]]
        for extra, more in project.get("optional-dependencies", {}).items():
            lines += more if extra != "all" else []
        tops = {
            name.split(".")[0]
            for path in (package / "src").rglob("*.py")
            for name, _ in imported(ast.parse(path.read_text(encoding="utf-8")))
        }
        used = {canonicalize_name(one) for top in tops for one in distributions.get(top, [top])}
        declared = {canonicalize_name(Requirement(line).name) for line in lines}
        unused |= {(package.name, name) for name in declared - used - set(LOADED_BY_ANOTHER)}
    assert not unused
