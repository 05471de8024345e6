"""Docstrings: ours are written as Markdown, autodoc reads reStructuredText. This translates."""

import re
from collections.abc import Iterator
from typing import Any

RULE = re.compile(r"\s*\|[\s:|-]+\|\s*")
SPAN = re.compile(
    r"``(?P<double>.+?)``|`(?P<code>[^`]+)`|(?<![\w*\\])\*(?P<stress>\w[^*\n]*)\*(?![\w*])"
)
BEFORE_NAPOLEON, AFTER_NAPOLEON = 400, 600
ATTRIBUTES = ("attribute", "data", "property")
COLON = "\ue000"
"""Stands for a colon while napoleon looks: it takes what is before one for an attribute's type."""


def cells(line: str) -> list[str]:
    """The cells of a table's row."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table(rows: list[list[str]], indent: str) -> Iterator[str]:
    """A table as a list-table."""
    yield from ("", f"{indent}.. list-table::", f"{indent}   :header-rows: 1", "")
    for row in rows:
        for number, cell in enumerate(row):
            yield f"{indent}   {'*' if number == 0 else ' '} - {inline(cell)}"
    yield ""


def inline(line: str) -> str:
    """A line with code as literals, and with every sign that is no markup escaped."""
    result, position = "", 0
    for match in SPAN.finditer(line):
        result += escaped(line[position : match.start()])
        code = match["double"] or match["code"]
        result += f"``{code}``" if code else f"*{escaped(match['stress'])}*"
        if line[match.end() : match.end() + 1].isalnum():
            result += "\\ "
        position = match.end()
    return result + escaped(line[position:])


def escaped(text: str) -> str:
    """Text whose stars, bars and trailing underscores are just that."""
    bullet = re.match(r"\s*\* ", text)
    start = bullet[0] if bullet else ""
    return start + re.sub(r"([*|\\])|(?<=\w)_(?!\w)", lambda m: "\\" + m[0], text[len(start) :])


def translated(lines: list[str]) -> Iterator[str]:
    """The lines of a docstring as reStructuredText."""
    position = 0
    while position < len(lines):
        line = lines[position]
        indent = line[: len(line) - len(line.lstrip())]
        if (
            line.lstrip().startswith("|")
            and position + 1 < len(lines)
            and RULE.fullmatch(lines[position + 1])
        ):
            rows = [cells(line)]
            position += 2
            while position < len(lines) and lines[position].lstrip().startswith("|"):
                rows.append(cells(lines[position]))
                position += 1
            yield from table(rows, indent)
            continue
        position += 1
        if (
            line.rstrip().endswith(":")
            and position + 1 < len(lines)
            and is_code(line, lines[position : position + 2])
        ):
            yield from (inline(line), "", f"{indent}.. code-block:: python", "")
            position += 1
            while position < len(lines) and (
                not lines[position].strip() or lines[position].startswith(indent + "    ")
            ):
                yield lines[position]
                position += 1
            yield ""
            continue
        yield inline(line)


def is_code(line: str, following: list[str]) -> bool:
    """Whether an indented block follows after an empty line, as Markdown writes code."""
    indent = len(line) - len(line.lstrip())
    empty, code = following
    return not empty.strip() and len(code) - len(code.lstrip()) >= indent + 4


def translate(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Rewrite a docstring of ours in place."""
    module = getattr(obj, "__module__", None) or getattr(obj, "__name__", None) or name
    if str(module).split(".")[0].startswith("icrl") or name.startswith("icrl"):
        lines[:] = list(translated(lines))
    if what in ATTRIBUTES:
        lines[:] = [line.replace(":", COLON) for line in lines]


def restore(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Put the colons back."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", translate, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", restore, priority=AFTER_NAPOLEON)
    return {"version": "1", "parallel_read_safe": True}
