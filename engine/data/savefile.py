"""A saved session: one safetensors file, written whole or not at all, with a digest over every byte of it.

Tensors: the last moments of the session (moments.*), the memory bank (bank.*) and the last frame (frame).
Metadata: kind, format, digest, and `meta`, JSON with the world, the checkpoint's hash, the seed and whatever
else the engine wants to know.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from engine.errors import SaveError, one_line, shown

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
KIND = "engine session"
DIGEST_BYTES = 32
NO_DIGEST = "0" * 2 * DIGEST_BYTES
HEADER_LIMIT = 16 << 20  # bytes; more is no header that was written here
MOST_NUMBERS = 1 << 28  # of a frame


def write(path: Path | str, tensors: dict[str, Tensor], meta: dict[str, Any]) -> Path:
    """Write a saved session to the file `path`; a reader sees the old file or the new one, never a half.

    meta: plain JSON values. Returns the path. Raises SaveError if it cannot be written.
    """
    import safetensors.torch  # seconds, which a list of saves need not wait for

    path = _named(path)
    try:
        text = json.dumps(meta, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SaveError(f"a saved session keeps plain JSON values: {error}") from error
    metadata = {"kind": KIND, "format": str(FORMAT), "digest": NO_DIGEST, "meta": text}
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Never the whole of it as Python's bytes: copying those would hold up other threads, such as one that plays.
        safetensors.torch.save_file(kept, str(part), metadata)
        with open(part, "r+b") as file:
            _sign(file)
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise SaveError(f"cannot save to {path}: {why}; choose another place") from error
    return path


def read(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and `meta` of a saved session, on the CPU.

    Raises SaveError for a file that is missing, truncated, changed, of another kind or of a later format.
    """
    import safetensors.torch

    path = _named(path)
    try:
        _check_size(path)
        blob = bytearray(path.read_bytes())
    except OSError as error:
        raise SaveError(f"cannot read the saved session {path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise SaveError(f"the saved session {path} is larger than this machine's memory") from error
    metadata = _metadata(path, bytes(blob[: 8 + HEADER_LIMIT]))
    digest = metadata["digest"]
    if not _put_digest(blob, digest, NO_DIGEST) or _hash(blob) != digest:
        raise SaveError(f"the saved session {path} is damaged: its content is not what was written")
    try:
        tensors = safetensors.torch.load(bytes(blob))
    except (SafetensorError, KeyError, ValueError, RuntimeError, OverflowError) as error:
        raise SaveError(f"the saved session {path} is damaged: {one_line(error)}") from error
    # The file's tensors begin where the header happened to end; clones are aligned, as fast instructions need it.
    return {name: tensor.clone() for name, tensor in tensors.items()}, _meta(path, metadata)


def read_meta(path: Path | str) -> dict[str, Any]:
    """`meta` alone, of the file's header: what it is a save of.

    The digest is not looked at. Raises SaveError as `read` does.
    """
    path = _named(path)
    try:
        _check_size(path)
        with open(path, "rb") as file:
            head = file.read(8)
            head += file.read(min(int.from_bytes(head, "little"), HEADER_LIMIT))
    except OSError as error:
        raise SaveError(f"cannot read the saved session {path}: {error.strerror or error}") from error
    return _meta(path, _metadata(path, head))


def describe(path: Path | str) -> tuple[dict[str, Any], np.ndarray]:
    """`meta` and the last frame, uint8 [height, width, 3], without reading the rest: for a list of saves.

    The digest is not looked at. Raises SaveError as `read` does.
    """
    meta = read_meta(path)
    try:
        with safe_open(str(path), "np") as file:
            if math.prod(file.get_slice("frame").get_shape()) > MOST_NUMBERS:
                raise SaveError(f"the saved session {path} is damaged: its frame is no picture")
            frame = file.get_tensor("frame")
    except OSError as error:
        raise SaveError(f"cannot read the saved session {path}: {error.strerror or error}") from error
    except (SafetensorError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, OverflowError) as error:
        raise SaveError(f"the saved session {path} is damaged: {one_line(error)}") from error
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise SaveError(f"the saved session {path} is damaged: its frame is no picture")
    return meta, frame


def _named(path: Path | str) -> Path:
    """Raises SaveError for what cannot be the name of a file."""
    if not isinstance(path, (str, os.PathLike)) or not Path(path).name:
        raise SaveError(f"a save is one file, named by a path, not {path!r}")
    return Path(path)


def _check_size(path: Path) -> None:
    """Raise SaveError unless it is a plain file, of the size that its header speaks of.

    A pipe or a device would be read without end, and a file with holes takes no place on the disk but all of the
    memory.
    """
    about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(about.st_mode):
        raise SaveError(f"{path} is not a saved session: it is not a file")
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = file.read(size) if size <= HEADER_LIMIT else b""
    try:
        ends = [entry["data_offsets"][1] for name, entry in json.loads(header).items() if name != "__metadata__"]
        whole = about.st_size == 8 + size + max(ends, default=0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise SaveError(f"{path} is not a saved session, or is cut off") from error
    if not whole:
        raise SaveError(f"{path} is not a saved session, or is cut off")


def _metadata(path: Path, blob: bytes) -> dict[str, str]:
    """The text fields of the file's header, of which kind, format and digest have been checked."""
    size = int.from_bytes(blob[:8], "little")
    if len(blob) < 8 or size > len(blob) - 8:
        raise SaveError(f"{path} is not a saved session, or is cut off")
    try:
        metadata = json.loads(blob[8 : 8 + size])["__metadata__"]
        kind, version, digest = (metadata[name] for name in ("kind", "format", "digest"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SaveError(f"{path} is not a saved session") from error
    if kind != KIND:
        raise SaveError(f"{path} is not a saved session but {shown(kind)}")
    if version != str(FORMAT):
        raise SaveError(f"{path}: save format {shown(version)} is not {FORMAT}; update the engine")
    if not isinstance(digest, str) or len(digest) != len(NO_DIGEST):
        raise SaveError(f"the saved session {path} is damaged: it has no digest")
    return metadata


def _meta(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        meta = json.loads(metadata["meta"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SaveError(f"the saved session {path} is damaged: it does not say what it holds") from error
    if not isinstance(meta, dict):
        raise SaveError(f"the saved session {path} is damaged: it does not say what it holds")
    return meta


def _put_digest(blob: bytearray, old: str, new: str) -> bool:
    """Write `new` over the digest `old` in the header; whether it was there once."""
    size = int.from_bytes(blob[:8], "little")
    marked = f'"{old}"'.encode()
    if blob.count(marked, 8, 8 + size) != 1:
        return False
    at = blob.find(marked, 8, 8 + size) + 1
    blob[at : at + len(new)] = new.encode()
    return True


def _sign(file: BinaryIO) -> None:
    """Put the digest of a file written without one into its header."""
    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()  # pyright: ignore
    file.seek(0)
    size = file.read(8)
    header = bytearray(size + file.read(int.from_bytes(size, "little")))
    _put_digest(header, NO_DIGEST, digest)
    file.seek(0)
    file.write(header)
    file.flush()


def _hash(blob: bytearray) -> str:
    return hashlib.blake2b(blob, digest_size=DIGEST_BYTES).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk too, where the system can be asked for that."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
