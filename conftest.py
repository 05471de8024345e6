"""What all tests share: `gpu` tests need a CUDA device, and `--shapes` checks signatures."""

import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
NO_DEVICE = "needs a CUDA device"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--shapes`."""
    parser.addoption(
        "--shapes",
        action="store_true",
        help="check every call against the shapes in its signature, wherever jaxtyping states them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C be tested, and check the modules that state shapes from their import on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background of a script, where processes that tests start would not hear it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--shapes"):
        from jaxtyping import install_import_hook

        names = shaped_modules()
        assert names and not set(names) & set(sys.modules)
        install_import_hook(names, "beartype.beartype")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say where shapes are checked."""
    if config.getoption("--shapes"):
        return [f"shapes are checked in {', '.join(shaped_modules())}"]
    return []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `gpu` on a machine without a CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=NO_DEVICE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped, by reason, just above the closing line."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "no reason given"
        reason = reason.removeprefix("Skipped: ")
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")


def shaped_modules() -> list[str]:
    """The modules of all packages that state shapes."""
    names = []
    for source in sorted(ROOT.glob("p*/*/src")):
        for path in sorted(source.rglob("*.py")):
            if "from jaxtyping import" in path.read_text(encoding="utf-8"):
                parts = path.relative_to(source).with_suffix("").parts
                names.append(".".join(part for part in parts if part != "__init__"))
    return names
