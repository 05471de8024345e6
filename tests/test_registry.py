"""`registry.toml` says of each plugin what its own package says, and nothing else."""

import re
import tomllib
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import cattrs
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from icrl.plugins import API_VERSION, plugin_host

RESERVED = "icrl/"
"""The namespace of environment ids that only packages of this repository provide."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a plugin comes from: exactly one of three."""

    path: str | None = None
    git: str | None = None
    rev: str | None = None
    pypi: str | None = None
    version: str | None = None


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a plugin cannot do without."""

    gpu: bool = False
    extras: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One plugin of the registry."""

    name: str
    kind: list[Literal["agent", "family", "source", "tool"]]
    summary: str
    import_: str
    entry_point: str
    provides: dict[Literal["agents", "families", "sources"], list[str]]
    api: int
    source: Source
    tier: Literal["core", "verified", "listed", "archived"]
    status: Literal["experimental", "stable", "deprecated"]
    license: str
    requires: str | None = None
    maintainers: list[str] = field(default_factory=list)
    needs: Needs = field(default_factory=Needs)
    paper: str = ""
    replaced_by: str | None = None


def structured(data: dict[str, Any]) -> list[Entry]:
    """The entries of a registry; unknown keys and wrong types are refused."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    renamed = cattrs.gen.make_dict_structure_fn(
        Entry,
        converter,
        import_=cattrs.gen.override(rename="import"),
        _cattrs_forbid_extra_keys=True,
    )
    converter.register_structure_hook(Entry, renamed)
    assert set(data) == {"schema_version", "plugin"}
    assert data["schema_version"] == 1
    return [converter.structure(entry, Entry) for entry in data["plugin"]]


@pytest.fixture(scope="module")
def registry(repository) -> list[Entry]:
    return structured(tomllib.loads((repository / "registry.toml").read_text(encoding="utf-8")))


def in_tree(registry: list[Entry]) -> list[Entry]:
    found = [entry for entry in registry if entry.source.path]
    assert len(found) >= 4
    return found


def project_of(repository: Path, entry: Entry) -> dict[str, Any]:
    text = (repository / str(entry.source.path) / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]


def test_every_directory_with_an_entry_point_is_listed(repository, registry, packages):
    """And every entry with a path has its directory."""
    with_entry_point = {
        str(package.relative_to(repository))
        for package in packages
        if "icrl"
        in tomllib.loads((package / "pyproject.toml").read_text())["project"].get(
            "entry-points", {}
        )
    }
    assert with_entry_point == {entry.source.path for entry in in_tree(registry)}


def test_entries_are_sorted_by_name(registry):
    names = [entry.name for entry in registry]
    assert names == sorted(names)
    assert names == [canonicalize_name(name) for name in names]


def test_no_two_entries_claim_one_name(registry):
    claims = [("distribution", entry.name) for entry in registry]
    claims += [("entry point", entry.entry_point) for entry in registry]
    claims += [
        (kind, name)
        for entry in registry
        for kind, names in entry.provides.items()
        for name in names
    ]
    assert len(claims) == len(set(claims))


def test_only_packages_of_this_repository_use_its_namespace_of_ids(registry):
    assert not [
        name
        for entry in registry
        if not entry.source.path
        for name in entry.provides.get("families", [])
        if name.startswith(RESERVED)
    ]


def test_an_entry_says_what_its_package_says(repository, registry):
    for entry in in_tree(registry):
        project = project_of(repository, entry)
        module = project["entry-points"]["icrl"][entry.entry_point].split(".")[0]
        assert list(project["entry-points"]["icrl"]) == [entry.entry_point], entry.name
        assert (project["name"], project["license"], module) == (
            entry.name,
            entry.license,
            entry.import_,
        )
        on_core = [Requirement(line) for line in project["dependencies"]]
        ranges = [str(one.specifier) for one in on_core if one.name == "icrl"]
        assert [sorted(text.split(",")) for text in ranges] == (
            [sorted(entry.requires.split(","))] if entry.requires else []
        ), entry.name


def test_an_entry_provides_what_the_hooks_return(registry):
    records = {
        (record.distribution, record.entry_point): record for record in plugin_host().records
    }
    for entry in in_tree(registry):
        record = records[(entry.name, entry.entry_point)]
        assert (record.status, record.error) == ("ok", "")
        assert record.provides == entry.provides


def test_an_entry_states_the_plugin_api_of_its_module(registry):
    for entry in in_tree(registry):
        record = next(
            record for record in plugin_host().records if record.distribution == entry.name
        )
        assert getattr(import_module(record.value), "ICRL_API", 1) == entry.api == API_VERSION


def test_the_kinds_of_an_entry_are_the_kinds_of_what_it_provides(registry):
    kinds = {"agents": "agent", "families": "family", "sources": "source"}
    for entry in registry:
        assert set(entry.kind) - {"tool"} == {kinds[kind] for kind in entry.provides}, entry.name


def test_summaries_are_one_short_line(registry):
    assert not [
        entry.name
        for entry in registry
        if not 0 < len(entry.summary) <= 100 or "\n" in entry.summary
    ]


def test_a_plugin_from_elsewhere_is_named_by_one_exact_version(registry):
    for entry in registry:
        source = entry.source
        assert sum(place is not None for place in (source.path, source.git, source.pypi)) == 1
        if source.git:
            assert source.git.startswith("https://")
            assert re.fullmatch(r"[0-9a-f]{40}", source.rev or "")
        if source.pypi:
            assert source.version


def test_a_registry_with_an_unknown_key_is_refused(repository):
    data = tomllib.loads((repository / "registry.toml").read_text(encoding="utf-8"))
    data["plugin"][0]["stars"] = 5
    with pytest.raises(cattrs.BaseValidationError) as refusal:
        structured(data)
    assert "stars" in "".join(cattrs.transform_error(refusal.value))
