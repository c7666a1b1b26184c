"""Zip archives whose members are held against bounds before they are expanded."""

from __future__ import annotations

import io
import zipfile
import zlib

FREE = 16 << 20  # bytes that any member may have
RATIO = 200  # what a larger one may expand by
MEMBERS = 10_000


class Archive:
    """The members of a zip file.

    Args:
        data: the file.
        ratio: what a member of more than 16 MB may expand by.

    Raises:
        ValueError: no zip file, too many members, or one that promises too much.
    """

    def __init__(self, data: bytes, *, ratio: int = RATIO) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError) as error:
            raise ValueError(f"expected a zip file: {str(error)[:120]}") from None
        entries = self._zip.infolist()
        if len(entries) > MEMBERS:
            raise ValueError(f"it has more than {MEMBERS:,} members")
        total = 0
        for info in entries:
            total += info.file_size
            if info.file_size > FREE and info.file_size > ratio * max(info.compress_size, 1):
                raise ValueError(
                    f"its member {info.filename!r} promises {info.file_size:,} bytes from "
                    f"{info.compress_size:,}, which is refused"
                )
        if total > 4 * FREE and total > ratio * len(data):
            raise ValueError(f"it promises {total:,} bytes from {len(data):,}, which is refused")
        self._entries = {info.filename.lstrip("/"): info for info in entries}

    def names(self) -> list[str]:
        """Names of the members."""
        return list(self._entries)

    def info(self, name: str) -> zipfile.ZipInfo | None:
        """What the directory says of a member; None where there is none."""
        return self._entries.get(name.lstrip("/"))

    def read(self, name: str) -> bytes:
        """A member's content, never more than it promised.

        Raises:
            ValueError: there is none, or it is damaged or encrypted.
        """
        info = self.info(name)
        if info is None:
            raise ValueError(f"it has no member {name!r}")
        try:
            with self._zip.open(info) as stream:
                data = stream.read(info.file_size + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
            NotImplementedError,
            OSError,
        ) as error:
            raise ValueError(f"its member {name[:80]!r} is damaged: {str(error)[:120]}") from None
        if len(data) != info.file_size:
            raise ValueError(f"its member {name!r} has not the size it promises")
        return data


def pack(members: dict[str, bytes]) -> bytes:
    """A zip file of these members; the same bytes every time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()
