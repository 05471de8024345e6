"""The command line. Nothing heavy is imported here: `icrl --help` answers at once."""

import errno
import os
import shlex
import sys
import traceback
from collections.abc import Sequence

from icrl.cli.options import parse
from icrl.errors import EXIT_DONE, EXIT_FAILURE, IcrlError

_GOING_ON = {
    "collect": "Every whole shard is kept, and the same command goes on from there",
    "train": "The last checkpoint is kept, and the same command goes on from there",
    "run": "What is finished is kept, and the same command goes on from there",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 2 wrong usage, 1 anything else.

    Args:
        argv: the arguments; None: those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        options = parse(arguments)
        options.command_module().main(options)
        sys.stdout.flush()
    except SystemExit as stop:  # the parser has said what is wrong, or has shown the help
        return stop.code if isinstance(stop.code, int) else EXIT_FAILURE if stop.code else EXIT_DONE
    except BrokenPipeError:
        # Who reads our output has gone (`icrl list | head`): nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in arguments:
            traceback.print_exc()
        sys.stderr.write(f"{_message(error, arguments)}\n")
        return error.exit_code if isinstance(error, IcrlError) else EXIT_FAILURE
    return EXIT_DONE


def _message(error: BaseException, arguments: list[str]) -> str:
    if isinstance(error, IcrlError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, KeyboardInterrupt):
        command = next((word for word in arguments if not word.startswith("-")), "")
        advice = _GOING_ON.get(command, "Nothing was left half-written; run the same command again")
        return f"Interrupted. {advice}:\n  {shlex.join(['icrl', *arguments])}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({error}). Make room, then run the same command again."
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return f"The memory is exhausted ({error}). Give smaller settings or another --device."
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"{what}\nThis is a mistake in icrl. --debug shows where it happened."
