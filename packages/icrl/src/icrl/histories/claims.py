"""Claims: a file that one writer at a time fills beside its place, and that moves there when it is
whole.
"""

import errno
import os
import socket
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from types import TracebackType
from typing import Self

from icrl.files import storage_error, sync_directory

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class ClaimedFile:
    """`NAME.partial`, locked by this process, which becomes `NAME` by `commit`.

    The operating system drops the lock of a process that dies, on whichever machine, so that a
    claim never outlives its writer. Where a file system has no locks, each writer fills a partial
    file of its own: then two may do the same work, and the last one's stays.
    """

    def __init__(self, path: Path, partial: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self._partial = partial
        self._open = True

    @classmethod
    def claim(cls, path: Path) -> Self | None:
        """Claim a file, emptied; None if another writer has it.

        Raises:
            StorageError: if the folder cannot be written.
        """
        try:
            return cls._locked(path, wait=False)
        except BlockingIOError:
            return None
        except OSError as error:
            raise storage_error(path, error) from error

    @classmethod
    def wait_for(cls, path: Path) -> Self:
        """Claim a file, emptied, as soon as no other writer has it.

        Raises:
            StorageError: if the folder cannot be written.
        """
        try:
            return cls._locked(path, wait=True)
        except OSError as error:
            raise storage_error(path, error) from error

    @classmethod
    def _locked(cls, path: Path, *, wait: bool) -> Self:
        while True:
            partial = path.with_name(f"{path.name}.partial")
            file = cls(path, partial, os.open(partial, os.O_RDWR | os.O_CREAT, 0o666))
            try:
                if not _lock(file.descriptor, wait):
                    file._partial = _own_place(partial)
            except BaseException:
                file._close()
                raise
            if file._is_in_place():
                return file._emptied()
            file._close()  # whoever had the lock has moved or removed the file meanwhile

    def write(self, data: memoryview | bytes, offset: int) -> None:
        """Write all bytes of `data` at `offset`."""
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self.descriptor, view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            raise storage_error(self.path, error) from error

    def commit(self) -> None:
        """Flush the file to the disk and move it into its place."""
        try:
            os.fsync(self.descriptor)
            os.replace(self._partial, self.path)
            sync_directory(self.path.parent)
        except OSError as error:
            raise storage_error(self.path, error) from error
        self._close()

    def release(self) -> None:
        """Give the claim up and remove what was written; nothing to do after `commit`."""
        if self._open:
            self._partial.unlink(missing_ok=True)
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _emptied(self) -> Self:
        try:
            os.ftruncate(self.descriptor, 0)
        except BaseException:
            self.release()
            raise
        return self

    def _is_in_place(self) -> bool:
        """Whether the partial file's name still leads to the open file."""
        try:
            return os.path.samestat(os.stat(self._partial), os.fstat(self.descriptor))
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        self._open = False
        os.close(self.descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    """Lock an open file; False where the file system has no locks.

    Raises:
        BlockingIOError: if another writer has it.
    """
    try:
        flock(descriptor, LOCK_EX | (0 if wait else LOCK_NB))
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in NO_LOCKS:
            return False
        raise
    return True


def _own_place(partial: Path) -> Path:
    """Move a partial file to a name of this process, unless another has just moved it."""
    own = partial.with_name(f"{partial.stem}.{socket.gethostname()}-{os.getpid()}.partial")
    try:
        os.replace(partial, own)
    except FileNotFoundError:
        return partial
    return own
