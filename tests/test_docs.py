"""The documents: they build, say all that they must, and what they show runs."""

import dataclasses
import html
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from icrl.plugins import load_entry_point, plugin_host
from icrl.plugins.hooks import Hooks

REPOSITORY = Path(__file__).parent.parent
LONGEST_BLOCK_SECONDS = 300
PAGES = sorted(
    [
        REPOSITORY / "README.md",
        *REPOSITORY.glob("p*/*/README.md"),
        *REPOSITORY.glob("docs/tutorials/*.md"),
        *REPOSITORY.glob("docs/how-to/*.md"),
    ]
)
BLOCK = re.compile(
    r"^```(?P<language>\{?[\w-]+\}?)[^\n]*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
CAPTION = re.compile(r":caption: (?P<path>\S+)\n\n?(?P<text>.*)", re.DOTALL)
INSTALL = (
    "python -m hatchling build -t wheel -d .wheels && python -m zipfile -e .wheels/*.whl .site"
)
"""What stands in for `pip install -e .` in a page's shell blocks: no index is asked."""


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The pages as HTML."""
    folder = tmp_path_factory.mktemp("docs")
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "--keep-going",
            "-b",
            "html",
            "docs",
            str(folder),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return folder


def shown(page: Path) -> str:
    """A page's text, without markup."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_hook_is_described(built):
    text = shown(built / "reference" / "hooks.html")
    hooks = [name for name in vars(Hooks) if name.startswith("icrl_")]
    assert len(hooks) >= 3
    assert not [name for name in hooks if name not in text]


def test_every_field_of_every_spec_is_described(built):
    text = shown(built / "reference" / "hooks.html")
    specs = {
        type(one.spec)
        for kind in ("families", "agents", "sources")
        for one in plugin_host().table(kind).values()
    }
    assert len(specs) == 3
    assert not [
        f"{spec.__name__}.{f.name}"
        for spec in specs
        for f in dataclasses.fields(spec)
        if f.name not in text
    ]


@pytest.mark.parametrize("kind", ["families", "agents", "sources"])
def test_every_registered_name_is_described(built, kind):
    text = shown(built / "reference" / f"{kind}.html")
    names = list(plugin_host().table(kind))
    assert names
    assert not [name for name in names if name not in text]


def test_every_setting_is_described_with_its_docstring(built):
    text = " ".join(shown(built / "reference" / "settings.html").split())
    checked = 0
    for kind in ("agents", "sources"):
        for provided in plugin_host().table(kind).values():
            if provided.spec.config is None:
                continue
            config = load_entry_point(provided.spec.config)
            source = Path(sys.modules[config.__module__].__file__).read_text(encoding="utf-8")
            for field in dataclasses.fields(config):
                assert re.search(rf"\b{field.name}: ", text), f"{config.__name__}.{field.name}"
                described = re.search(
                    rf'^    {field.name}: [^\n]*\n    """(\w+[^\n`"]*)', source, re.MULTILINE
                )
                if described:
                    assert " ".join(described[1].split()) in text, f"{config.__name__}.{field.name}"
                    checked += 1
    assert checked > 20


def test_every_keyword_of_every_family_is_described(built):
    text = shown(built / "reference" / "families.html")
    for provided in plugin_host().families.values():
        assert not [name for name in provided.spec.arguments if f"{name}=" not in text]


def test_every_command_is_described(built):
    text = shown(built / "reference" / "commands.html")
    for command in ("list", "plugins", "collect", "train", "evaluate", "run", "report", "store"):
        assert f"usage: icrl {command}" in text


def test_every_dependency_is_a_decision():
    decisions = "\n".join(
        path.read_text(encoding="utf-8") for path in REPOSITORY.glob("docs/decisions/*.md")
    )
    undecided = []
    for project in REPOSITORY.glob("packages/*/pyproject.toml"):
        data = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        extras = [
            line for lines in data.get("optional-dependencies", {}).values() for line in lines
        ]
        for line in [*data["dependencies"], *extras]:
            name = Requirement(line).name
            if not re.match(r"icrl", name) and f"`{name}" not in decisions:
                undecided.append(f"{project.parent.name}: {name}")
    assert not undecided


def test_every_decision_has_context_choice_and_price():
    decisions = [path for path in REPOSITORY.glob("docs/decisions/*.md") if path.stem != "index"]
    assert len(decisions) > 10
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert all(f"**{part}.**" in text for part in ("Context", "Choice", "Price")), path
        assert path.stem in (path.parent / "index.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_package():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for project in REPOSITORY.glob("packages/*/pyproject.toml"):
        assert f"(packages/{project.parent.name})" in text


def test_links_between_files_lead_somewhere():
    broken = []
    for page in [*PAGES, *REPOSITORY.glob("*.md"), *REPOSITORY.glob("benchmarks/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(REPOSITORY)}: {target}")
    assert not broken


def test_the_project_speaks_of_itself_alone():
    """No path of somebody's machine, no host of a package index."""
    words = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "pypi" + ".org", "python" + "hosted")
    foreign = re.compile("|".join(map(re.escape, words)))
    folders = ("packages", "plugins", "tests", "benchmarks", "docs")
    paths = [
        *REPOSITORY.iterdir(),
        *(p for name in folders for p in (REPOSITORY / name).rglob("*")),
    ]
    texts = [path for path in paths if path.suffix in {".py", ".md", ".toml", ".txt", ".json"}]
    assert len(texts) > 100
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in texts
        if path.is_file() and "_build" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if foreign.search(line)
    ]
    assert not found


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """The code of a page in order: language, file (if it is one), text."""
    found = []
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        caption = CAPTION.match(match["body"]) if match["language"].startswith("{") else None
        path, text = (caption["path"], caption["text"]) if caption else ("", match["body"])
        found.append((match["language"], path, text))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_what_a_page_shows_runs(page, tmp_path):
    """Files are written, `shell` blocks run in order, then the page's Python as one script.

    `console` blocks are not run. `make pages` runs the others.
    """
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path / ".site"),
        "COLUMNS": "100",
        "MINARI_DATASETS_PATH": str(tmp_path / "minari"),
    }
    script = ""
    for language, path, text in blocks(page):
        if path:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text, encoding="utf-8")
        elif language == "shell":
            run(["bash", "-euc", text.replace("pip install -e .", INSTALL)], tmp_path, environment)
        elif language == "python":
            script += text + "\n"
    run([sys.executable, "-W", "error", "-c", script], tmp_path, environment)


def run(words: list[str], folder: Path, environment: dict[str, str]) -> None:
    finished = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=LONGEST_BLOCK_SECONDS,
    )
    assert finished.returncode == 0, f"{words[-1]}\n{finished.stdout}\n{finished.stderr}"


def test_the_tutorials_show_something_that_runs():
    for page in REPOSITORY.glob("docs/tutorials/*.md"):
        languages = [language for language, _, _ in blocks(page)]
        assert page.stem == "index" or "shell" in languages
    assert "python" in [language for language, _, _ in blocks(REPOSITORY / "README.md")]
