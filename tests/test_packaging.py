"""The packages as a stranger gets them: built as wheels, each plugin beside the core alone."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from icrl.plugins import plugin_host


def project_of(package: Path) -> dict:
    return tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="session")
def wheels(packages, tmp_path_factory) -> dict[str, Path]:
    """The wheel of every package, built from its folder."""
    built = {}
    for package in packages:
        folder = tmp_path_factory.mktemp(package.name)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
            cwd=package,
            check=True,
            capture_output=True,
        )
        (built[package.name],) = folder.glob("*.whl")
    return built


def metadata_of(wheel: Path, file: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(f".dist-info/{file}")]
        return archive.read(name).decode()


def test_a_wheel_holds_every_file_of_its_module(packages, wheels):
    """`py.typed` and the presets among them, the tests not."""
    for package in packages:
        source = package / "src"
        expected = {
            str(path.relative_to(source))
            for path in source.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        with zipfile.ZipFile(wheels[package.name]) as archive:
            held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == expected
        assert f"{package.name.replace('-', '_')}/py.typed" in held


def test_a_wheel_carries_the_licence(repository, wheels):
    for wheel in wheels.values():
        assert metadata_of(wheel, "licenses/LICENSE") == (repository / "LICENSE").read_text(
            encoding="utf-8"
        )


def test_a_wheel_declares_its_plugin(packages, wheels):
    for package in packages:
        parser = ConfigParser()
        parser.read_string(metadata_of(wheels[package.name], "entry_points.txt"))
        assert dict(parser["icrl"]) == project_of(package)["entry-points"]["icrl"]


def test_the_presets_that_specs_name_are_shipped(wheels):
    tables = [plugin_host().table(kind) for kind in ("agents", "sources")]
    named = [
        (provided.record.distribution, provided.spec.presets)
        for table in tables
        for provided in table.values()
        if provided.spec.presets
    ]
    assert named
    for name, presets in named:
        if name in wheels:
            with zipfile.ZipFile(wheels[name]) as archive:
                assert presets.replace(":", "/") in archive.namelist()


def test_all_packages_have_one_version(packages, wheels):
    versions = {
        Parser().parsestr(metadata_of(wheel, "METADATA"))["Version"] for wheel in wheels.values()
    }
    assert len(versions) == 1
    (version,) = versions
    major, minor = version.split(".")[:2]
    for package in packages:
        for line in project_of(package)["dependencies"]:
            requirement = Requirement(line)
            if re.fullmatch(r"icrl(-\w+)?", requirement.name):
                assert (
                    str(requirement.specifier) == f"<{major}.{int(minor) + 1},>={major}.{minor}"
                ), package


def test_the_extra_all_brings_every_package_of_ours(packages):
    core = next(package for package in packages if package.name == "icrl")
    brought = {Requirement(line).name for line in project_of(core)["optional-dependencies"]["all"]}
    assert brought == {package.name for package in packages}


def test_every_package_is_installed_for_development(repository, packages):
    text = (repository / "requirements-dev.txt").read_text(encoding="utf-8")
    lines = set(re.findall(r"^-e \./(\S+?)(?:\[.*\])?$", text, re.MULTILINE))
    assert lines == {str(package.relative_to(repository)) for package in packages}


def test_the_constraints_pin_all_that_development_installs(repository):
    text = (repository / "constraints.txt").read_text(encoding="utf-8")
    pins = dict(line.split("==") for line in text.splitlines() if line and not line.startswith("#"))
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    lines = (repository / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    wanted = [
        re.sub(r"^-e \./\w+/", "", line) for line in lines if line and not line.startswith("#")
    ]
    seen: set[str] = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        name = canonicalize_name(requirement.name)
        key = f"{name}{sorted(requirement.extras)}"
        if key in seen:
            continue
        seen.add(key)
        installed = distribution(name)
        if not name.startswith("icrl"):
            assert installed.version.split("+")[0] == pins.get(name), name
        for line in installed.requires or []:
            child = Requirement(line)
            extras = [{"extra": extra} for extra in requirement.extras] or [{"extra": ""}]
            if child.marker is None or any(child.marker.evaluate(extra) for extra in extras):
                wanted.append(line)
    assert len(seen) > 60


def site_packages(environment: Path) -> Path:
    scheme = {"base": str(environment), "platbase": str(environment)}
    return Path(sysconfig.get_path("purelib", "venv", scheme))


@pytest.fixture
def environment(tmp_path) -> Path:
    """A virtual environment that has everything installed here but packages of ours."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    target = site_packages(folder)
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not re.match(r"_?_?(editable___?)?icrl|__pycache__", path.name):
            (target / path.name).symlink_to(path)
    return folder


def records(environment: Path, **variables: str) -> dict[str, dict]:
    """What `icrl plugins --json` says in an environment, by distribution."""
    finished = subprocess.run(
        [str(environment / "bin" / "python"), "-m", "icrl", "plugins", "--json"],
        cwd=environment,
        env={"PATH": os.environ["PATH"], "HOME": str(environment), **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    assert finished.stderr == ""
    return {record["distribution"]: record for record in json.loads(finished.stdout)}


def install(wheel: Path, environment: Path) -> None:
    """A wheel of pure Python is installed by unpacking it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site_packages(environment))


@pytest.mark.parametrize("name", ["icrl-ad", "icrl-cadm", "icrl-envs", "icrl-leep", "icrl-sources"])
def test_a_plugin_works_where_it_is_installed_alone(environment, wheels, name):
    for one in ("icrl", name):
        install(wheels[one], environment)
    found = records(environment)
    assert set(found) == {"icrl", name}
    assert {record["status"] for record in found.values()} == {"ok"}
    assert found[name]["provides"]


def test_the_core_works_without_any_plugin(environment, wheels):
    install(wheels["icrl"], environment)
    assert set(records(environment)) == {"icrl"}


@pytest.mark.slow
def test_the_wheels_install_into_an_empty_environment(repository, wheels, tmp_path):
    """What `pip install "icrl[all]"` gives, with the wheels where the index would be."""
    folder = tmp_path / "empty"
    venv.create(folder, with_pip=True)
    links = [f"--find-links={wheel.parent}" for wheel in wheels.values()]
    python = str(folder / "bin" / "python")
    subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "-c",
            repository / "constraints.txt",
            *links,
            "icrl[all]",
        ],
        cwd=tmp_path,
        check=True,
    )
    assert {record["status"] for record in records(folder).values()} == {"ok"}
    script = """
import gymnasium as gym

env = gym.make("icrl_envs:icrl/DarkRoom-v0")
env.reset(seed=0)
env.step(1)
"""
    subprocess.run([python, "-c", script], cwd=tmp_path, check=True)
