"""Rows of numbers on disk, with a checksum in each file and claims by which several runs share the work."""

import hashlib
import json
import os
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from radiodeep.exceptions import OutputError
from radiodeep.files import replacing

_MAGIC = b"rdrow\x00\x00\x01"
_DIGEST = 16
_CLAIM_S = 300.0  # after this a claim is void: the other run hangs, or its machine is gone
_UNSIGNED_S = 5.0  # after this a claim without a name is void: its process was killed before it could write one
_tidied = {}  # folder: when this process tidied it


class RowCache:
    """A folder with a file for each row; it is created, or an OutputError says why it cannot be.

    A file is: 8 bytes of magic, the number of values and of bytes of text, the values as little-endian
    float64, the texts as JSON, and a digest of the key and all of these. Any other file counts as missing.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The cache folder '{folder}' cannot be created: {error.strerror}. Choose a folder that you may "
                "write to, or leave the cache out."
            ) from error

    def read(self, key, n_values):
        """Return the `n_values` values and the texts of a row, or None if its file is missing or damaged."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        content, digest = content[:-_DIGEST], content[-_DIGEST:]
        if digest != _digest(key, content) or content[:16] != _head(n_values, len(content) - 16 - 8 * n_values):
            return None
        values = np.frombuffer(content, "<f8", n_values, offset=16).astype(np.float64)
        return values, json.loads(content[16 + 8 * n_values :])

    def write(self, key, values, texts=()):
        """Write a row; raise OutputError if that fails."""
        encoded = json.dumps(list(texts)).encode()
        content = _head(len(values), len(encoded)) + np.asarray(values, "<f8").tobytes() + encoded
        with replacing(self._path(key)) as part:
            part.write_bytes(content + _digest(key, content))

    def claim(self, key):
        """Return whether this process is to compute a row; if so, `release` it afterwards.

        A claim is a file that only one process can create. A claim of a process that has died, or one older than five
        minutes, is taken over. Claims only save work: if none can be created, or two processes take over the same
        one, a row is computed twice, with the same numbers.
        """
        path = self._path(key, ".claim")
        if _is_void(path):
            path.unlink(missing_ok=True)
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        except OSError:
            return True
        with os.fdopen(handle, "w") as file:
            file.write(f"{os.getpid()} {socket.gethostname()}")
        return True

    def release(self, key):
        """Remove the claim of a row."""
        with suppress(OSError):  # in a folder that has become read-only the claim ends with this process
            self._path(key, ".claim").unlink(missing_ok=True)

    def tidy(self):
        """Remove void claims and unfinished files of killed runs.

        This lists the whole folder, so a process does it once in five minutes.
        """
        folder, now = self.folder.absolute(), time.monotonic()
        if now - _tidied.get(folder, -_CLAIM_S) < _CLAIM_S:
            return
        _tidied[folder] = now
        for path in [*self.folder.glob("*.claim"), *self.folder.glob(".part-*")]:
            try:
                if _is_void(path):
                    path.unlink(missing_ok=True)
            except OSError:  # a read-only folder
                return

    def _path(self, key, suffix=".row"):
        return self.folder / f"{key}{suffix}"


def row_key(settings, content_hash):
    """Return the name of a row: a digest of the settings and of the voxels."""
    return hashlib.blake2b(f"{settings}{content_hash}".encode(), digest_size=20).hexdigest()


def _head(n_values, n_bytes):
    return _MAGIC + struct.pack("<II", n_values, n_bytes) if n_bytes >= 0 else None


def _digest(key, content):
    return hashlib.blake2b(key.encode() + content, digest_size=_DIGEST).digest()


def _is_void(path):
    """Return whether the owner of a claim is gone, or a claim or unfinished file is old."""
    try:
        age_s = time.time() - path.stat().st_mtime
        pid, _, host = path.read_text(errors="replace").partition(" ")
    except OSError:
        return False
    if age_s > (_CLAIM_S if pid or path.suffix != ".claim" else _UNSIGNED_S):
        return True
    if path.suffix != ".claim" or host != socket.gethostname() or not pid.isdigit() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # alive, of another user
        return False
    return False
