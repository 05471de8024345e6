"""Every error that icrl raises on purpose, as one tree.

IcrlError
├── UsageError (ValueError)              the user asked for something that cannot be: exit code 2
│   ├── UnknownNameError (LookupError)   no plugin provides that name
│   │   ├── UnknownAgentError
│   │   ├── UnknownFamilyError
│   │   └── UnknownSourceError
│   ├── ConfigError                      a setting is unknown, of the wrong type or out of range
│   ├── SplitError                       no such split, or a training split where it is refused
│   ├── TaskError                        tasks of another family, or more than a family has
│   ├── SpaceError                       spaces that differ from the recorded, or cannot be served
│   ├── ContextError                     a context too short for the episodes that it must hold
│   ├── DeviceError                      a device that is not there
│   ├── MissingPackageError (ImportError)  a package that something needs is not installed
│   ├── AutoresetError                   an autoreset that would put phantom steps into histories
│   └── OutputError (FileExistsError)    an output directory that holds something else
├── PluginError (RuntimeError)           a plugin's own fault: names its distribution and version
├── DamagedFileError (OSError)           a damaged, truncated or foreign file: names it
└── StorageError (OSError)               a write that failed: a full disk, a missing permission

Each message says what is wrong as the user names it, what we got, what we expected, what to do.
"""

EXIT_DONE, EXIT_FAILURE, EXIT_USAGE = 0, 1, 2


class IcrlError(Exception):
    """What icrl raises on purpose; `exit_code` is what the command line ends with."""

    exit_code = EXIT_FAILURE


class UsageError(IcrlError, ValueError):
    """The user asked for something that cannot be."""

    exit_code = EXIT_USAGE


class UnknownNameError(UsageError, LookupError):
    """No plugin provides that name."""


class UnknownAgentError(UnknownNameError):
    """No agent has that name."""


class UnknownFamilyError(UnknownNameError):
    """No family and no Gymnasium environment has that id."""


class UnknownSourceError(UnknownNameError):
    """No source has that name."""


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type, or out of range."""


class SplitError(UsageError):
    """A split does not exist, or is a training split where only held-out tasks are allowed."""


class TaskError(UsageError):
    """Tasks of another family, or more tasks than a family has."""


class SpaceError(UsageError):
    """Spaces differ from what was trained or recorded, or cannot be served."""


class ContextError(UsageError):
    """A context is too short for the episodes that it must hold."""


class DeviceError(UsageError):
    """A device is not there."""


class MissingPackageError(UsageError, ImportError):
    """A package that something needs is not installed; the message has the pip line."""


class AutoresetError(UsageError):
    """A vector environment's autoreset would put phantom steps into histories."""


class OutputError(UsageError, FileExistsError):
    """An output directory holds something else."""


class PluginError(IcrlError, RuntimeError):
    """A plugin's own fault; the message names its distribution and version."""


class PluginWarning(UserWarning):
    """A plugin was disabled; the host goes on without it."""


class DamagedFileError(IcrlError, OSError):
    """A file is damaged, truncated or foreign; the message names it."""


class StorageError(IcrlError, OSError):
    """A write failed: a full disk, a missing permission."""
