"""Small faults planted one at a time, to see that the tests find them.

    scripts/mutate                        # all of scripts/mutation/faults
    scripts/mutate winding glb            # those whose name has one of these words
    scripts/mutate --json report.json --jobs 2
    scripts/mutate --list

Each fault is planted in a copy of the source (never in the source itself), operators are compiled
again where csrc changed, and the nearest tests are run. Killed: a test fails. Alive: all pass,
which is a hole in the tests. A fault that no test can see is listed with its reason.

`scripts/mutate` runs it with the Python of the tests. Exit status: 0 when at least the
share --least of the faults is killed and none is missing from the source, 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from faults import MUTANTS, Mutant, place_of

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Outcome:
    """What became of one fault: "killed", "alive", "baseline" (its tests fail without the fault),
    "missing" (its text is not in the source, or not once)."""

    name: str
    state: str
    seconds: float
    said: str = ""


def copy_of_source(folder: Path) -> Path:
    """A copy that imports as the source does, with the operators compiled so far."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for made in (*ROOT.glob("meshlearn/*.so"), ROOT / "meshlearn" / "_build_info.json"):
        if made.is_file():
            shutil.copy2(made, folder / "meshlearn" / made.name)
    if (ROOT / "build").is_dir():
        shutil.copytree(ROOT / "build", folder / "build", symlinks=True)
    # imported as meshlearn.viewer without an installation
    (folder / "meshlearn" / "viewer").symlink_to(folder / "viewer", target_is_directory=True)
    return folder


class Copy:
    """One copy of the source, in which one fault after the other is planted."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self.folder = copy_of_source(folder)
        self.timeout = timeout
        self.clean: dict[tuple[str, ...], str] = {}
        self.env = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }

    def build(self) -> str:
        """Compiles what changed; what the compiler said where it failed."""
        done = subprocess.run(
            [sys.executable, "setup.py", "build_ext", "--inplace"],
            cwd=self.folder, env={**self.env, "MESHLEARN_BUILD_NATIVE": "1"},
            capture_output=True, text=True,
        )  # fmt: skip
        return "" if done.returncode == 0 else done.stderr[-2000:]

    def tests(self, names: tuple[str, ...]) -> str:
        """The first failure of these tests, or "" where all pass."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *names]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=self.env, capture_output=True, text=True,
                timeout=self.timeout,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"not done in {self.timeout:.0f} s"
        if done.returncode == 0:
            return ""
        # pytest's own: no such test, or none was run; or there is no pytest
        if done.returncode in (4, 5) or not done.stdout.strip():
            said = done.stdout[-800:] or done.stderr[-800:]
            raise SystemExit(f"{' '.join(names)}: no test was run\n{said}")
        lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return lines[0] if lines else done.stdout[-300:]

    def try_out(self, mutant: Mutant) -> Outcome:
        begun = time.perf_counter()

        def outcome(state: str, said: str = "") -> Outcome:
            return Outcome(mutant.name, state, round(time.perf_counter() - begun, 1), said)

        if mutant.tests not in self.clean:
            self.clean[mutant.tests] = self.tests(mutant.tests)
        if self.clean[mutant.tests]:
            return outcome("baseline", self.clean[mutant.tests])
        path = self.folder / mutant.file
        before = path.read_text(encoding="utf-8")
        problem, after = place_of(mutant, before)
        if problem:
            return outcome("missing", problem)
        native = mutant.file.startswith("csrc/")
        path.write_text(after, encoding="utf-8")
        try:
            said = self.build() if native else ""
            if said:
                return outcome("killed", f"the compiler: {said.splitlines()[-1]}")
            said = self.tests(mutant.tests)
            return outcome("killed" if said else "alive", said)
        finally:
            path.write_text(before, encoding="utf-8")
            if native and self.build():
                raise SystemExit(f"{mutant.file}: does not compile any more without the fault")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only faults whose name or file has one of these")
    parser.add_argument("--jobs", type=int, default=1, help="copies side by side")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes there")
    parser.add_argument("--least", type=float, default=0.95, help="share to be killed (0.95)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for the tests of one")
    parser.add_argument("--list", action="store_true", help="list the faults and end")
    options = parser.parse_args()
    chosen = [
        m for m in MUTANTS
        if not options.words or any(w in m.name or w in m.file for w in options.words)
    ]  # fmt: skip
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name:40} {mutant.file}: {mutant.old!r} -> {mutant.new!r}")
        return 0
    # those of one file after another, so that each compiles little
    chosen.sort(key=lambda m: m.file)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        free: Queue[Copy] = Queue()
        for number in range(max(1, options.jobs)):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            free.put(Copy(folder, options.timeout))

        def one(mutant: Mutant) -> Outcome:
            copy = free.get()
            try:
                return copy.try_out(mutant)
            finally:
                free.put(copy)

        with ThreadPoolExecutor(max(1, options.jobs)) as pool:
            for outcome in pool.map(one, chosen):
                outcomes.append(outcome)
                print(f"{outcome.state:9}{outcome.seconds:7.1f} s  {outcome.name}", flush=True)
                if outcome.state in ("baseline", "missing"):
                    print(f"          {outcome.said}", flush=True)
    return report(outcomes, options)


def report(outcomes: list[Outcome], options: argparse.Namespace) -> int:
    """Prints the sum, writes the JSON; the exit status."""
    reasons = {m.name: m.equivalent for m in MUTANTS}
    killed = sum(o.state == "killed" for o in outcomes)
    alive = [o for o in outcomes if o.state == "alive"]
    other = [o for o in outcomes if o.state in ("baseline", "missing")]
    for outcome in alive:
        print(f"alive: {outcome.name}: {reasons[outcome.name] or 'no test sees it'}")
    share = killed / len(outcomes) if outcomes else 1.0
    print(f"{len(outcomes)} faults: {killed} killed, {len(alive)} alive, {len(other)} not tried")
    if options.json:
        rows = [{**vars(o), "reason": reasons[o.name]} for o in outcomes]
        options.json.write_text(json.dumps({"killed": killed, "outcomes": rows}, indent=1) + "\n")
    return 0 if share >= options.least and not other else 1


if __name__ == "__main__":
    sys.exit(main())
