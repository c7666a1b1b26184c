"""Fuzzing of the readers: any bytes give a document or a `FileFormatError`, soon.

    python tests/fuzz/harness.py --suffix .ply --seconds 600    # one format; default: all
    python tests/fuzz/harness.py --suffix .ply --atheris        # by coverage, if installed

Seeds are the documents and the odd files of the tests; mutations come from a seeded generator, so
that a finding repeats. A finding is written to build/fuzz and ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import random
import resource
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from meshlearn import io as mio  # noqa: E402
from tests.fuzz import cameras, gltf, scenes, volumes  # noqa: E402
from tests.io.illegal import ILLEGAL  # noqa: E402
from tests.io.legal import LEGAL  # noqa: E402
from tests.io.samples import ALIASES, NAMING, documents  # noqa: E402

CAD = (".step", ".stp", ".iges", ".igs")  # a process for each file: tests/io/test_cad.py
_MESHES = [s for s in mio.readable_suffixes() if s not in (*ALIASES, *NAMING, *CAD)]
OTHERS = {name: module for module in (cameras, volumes) for name in module.NAMES}
SUFFIXES = [*_MESHES, *OTHERS]
SECONDS, MEGABYTES = 2.0, 500.0
_NUMBERS = [
    b"0",
    b"-1",
    b"1",
    b"3",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"2147483647",
    b"-2147483648",
]
_NUMBERS += [b"4294967295", b"4294967296", b"9223372036854775807", b"99999999999999999999", b"nan"]
_NUMBERS += [b"inf", b"1e308", b"1e-400", b"0.5", b"1e99999", b"0x10", b""]


@dataclass
class Finding(Exception):
    """A reader that did what it must not."""

    what: str
    data: bytes

    def __str__(self) -> str:
        return self.what


def seeds(suffix: str) -> list[bytes]:
    """Files of a format to begin with."""
    if suffix in OTHERS:
        return OTHERS[suffix].seeds(suffix)
    out = gltf.seeds(suffix)
    if suffix in mio.writable_suffixes():
        from meshlearn.io.files import encode

        for document in documents().values():
            for ascii in (False, True):
                try:
                    out.append(encode(document, f"x{suffix}", ascii=ascii)[f"x{suffix}"])
                except mio.FileFormatError:
                    continue
    out += scenes.seeds(suffix)
    for table in (LEGAL, ILLEGAL):
        for name, (content, *_) in table.items():
            if name.endswith(suffix):
                out.append(content.encode() if isinstance(content, str) else content)
    return sorted({data for data in out if len(data) < 200_000})


def mutate(data: bytes, pool: list[bytes], rng: random.Random) -> bytes:
    """A file that differs in a few places."""
    if data[:2] == b"PK" and rng.random() < 0.7:
        return _inside(data, rng)
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        kind, at = rng.randrange(10), rng.randrange(len(out) + 1)
        if kind == 0 and out:
            out[min(at, len(out) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1 and out:
            out[min(at, len(out) - 1)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del out[at : at + rng.randrange(1, 40)]
        elif kind == 3:
            piece = out[at : at + rng.randrange(1, 60)]
            out[at:at] = piece * rng.randrange(1, 4)
        elif kind == 4:
            out = out[:at]
        elif kind == 5:
            other = rng.choice(pool)
            out = out[:at] + other[rng.randrange(len(other) + 1) :]
        elif kind == 6:
            width = rng.choice((2, 4, 8))
            value = rng.choice(
                (0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, rng.getrandbits(64))
            )
            order = rng.choice(("little", "big"))
            out[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)
        elif kind in (7, 8):
            _swap_number(out, rng)
        else:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 8)))
    return bytes(out)


def _swap_number(out: bytearray, rng: random.Random) -> None:
    """Replaces a run of digits by a number that readers may stumble over."""
    at = rng.randrange(len(out) + 1)
    while at < len(out) and not 48 <= out[at] < 58:
        at += 1
    stop = at
    while stop < len(out) and 48 <= out[stop] < 58:
        stop += 1
    out[at:stop] = rng.choice(_NUMBERS)


def _inside(data: bytes, rng: random.Random) -> bytes:
    """The same archive with one member mutated."""
    try:
        source = zipfile.ZipFile(io.BytesIO(data))
        if any(info.file_size > 1 << 20 for info in source.infolist()):
            return data
        members = {name: source.read(name) for name in source.namelist()}
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, RuntimeError, EOFError):
        return data[: rng.randrange(len(data) + 1)]
    if not members:
        return data
    name = rng.choice(list(members))
    if len(members[name]) < 200_000:
        members[name] = mutate(members[name], list(members.values()), rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for key, body in members.items():
            target.writestr(key, body)
    return out.getvalue()


def check(suffix: str, data: bytes) -> bool:
    """Reads a file; whether it was legal.

    Raises:
        Finding: another error than a `FileFormatError`, too long, or too much memory.
    """
    begin = time.process_time()  # what the machine does beside does not count
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    legal = False
    try:
        if suffix in OTHERS:
            legal = _other(suffix, data)
        elif data:
            document = mio.read_document(bytearray(data), Path("/nonexistent") / f"x{suffix}")
            legal = True
            mio.to_mesh(document)
    except Finding:
        raise
    except mio.FileFormatError as error:
        if "\n" in str(error) or len(str(error)) > 2000:
            raise Finding(f"{suffix}: a message of several lines: {error}", data) from error
    except ValueError as error:
        raise Finding(f"{suffix}: to_mesh said {error}", data) from error
    except Exception as error:
        raise Finding(f"{suffix}: {type(error).__name__}: {error}", data) from error
    took = time.process_time() - begin
    if took > SECONDS:
        raise Finding(f"{suffix}: it took {took:.1f} s", data)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    if more > MEGABYTES:
        raise Finding(f"{suffix}: it took {more:.0f} MB", data)
    return legal


def _other(name: str, data: bytes) -> bool:
    """Whether a file that is no mesh was legal, told in one line where it was not."""
    try:
        OTHERS[name].read(name, data)
    except ValueError as error:
        text = str(error)
        if type(error) not in (ValueError, mio.FileFormatError) or "\n" in text or len(text) > 2000:
            raise Finding(f"{name}: no sentence: {type(error).__name__}: {text}", data) from error
        return False
    return True


def spent() -> float:
    """Seconds that this process and those it started, where they have ended, have computed."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def inputs(suffix: str, seed: int) -> Iterator[bytes]:
    """Mutated files without end."""
    pool, rng = seeds(suffix), random.Random(f"{suffix} {seed}")
    while True:
        data = rng.choice(pool)
        for _ in range(rng.choice((0, 1, 1, 1, 1, 1, 1, 2, 2, 3))):
            data = mutate(data, pool, rng)
        yield data[:400_000]


def fuzz(
    suffix: str, *, seed: int = 0, runs: int | None = None, seconds: float | None = None
) -> tuple[int, int]:
    """How many files were read, and how many of them were legal; raises a Finding."""
    stop = spent() + (seconds or float("inf"))
    done = legal = 0
    for data in inputs(suffix, seed):
        if (runs is not None and done >= runs) or spent() > stop:
            return done, legal
        legal += check(suffix, data)
        done += 1
    return done, legal


def _atheris(suffix: str) -> None:
    import atheris

    def one(data: bytes) -> None:
        check(suffix, data)

    folder = ROOT / "build" / "fuzz" / f"corpus{suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(suffix)):
        (folder / f"seed{number}").write_bytes(data)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], str(folder)], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suffix", choices=SUFFIXES, help="one format; default: all in turn")
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help="processor time a format, that of its child processes included",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="by coverage")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.atheris:
        _atheris(options.suffix or ".ply")
        return 0
    status = 0
    for suffix in [options.suffix] if options.suffix else SUFFIXES:
        try:
            done, legal = fuzz(suffix, seed=options.seed, seconds=options.seconds)
            sys.stdout.write(f"{suffix}: {done:,} files, {legal:,} of them legal, no finding\n")
        except Finding as finding:
            folder = ROOT / "build" / "fuzz"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"finding{suffix}"
            path.write_bytes(finding.data)
            sys.stdout.write(f"FINDING {finding}; the file is {path}\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
