# SPDX-License-Identifier: Apache-2.0
"""``make mutants``: draws mutants by the commit's id and runs each against the tests that cover it.

``MUTANTS_SEED`` draws as another commit would, ``MUTANTS_COUNT`` another number. A run that was
interrupted goes on where it stopped. Results are in ``build/mutants``. Status 1: too few caught.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue

from tests.mutants.cover import Cover, measure
from tests.mutants.draw import ROOT, Mutant, changed_lines, draw, mutated
from tests.mutations.project import copy_project, run_tests

BUILD = ROOT / "build" / "mutants"
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
COUNT, GOAL = 100, 0.9
LONGEST = 300  # s of one mutant's tests; an endless loop is noticed, too
AT_ONCE = int(os.environ.get("MUTANTS_AT_ONCE") or 2)
CAUGHT, TIMED_OUT, SURVIVED, UNCOVERED = "caught", "timed out", "survived", "not covered"


@dataclass(frozen=True)
class Result:
    """What became of a mutant; ``by`` is the first test that failed."""

    name: str
    result: str
    by: str
    seconds: float
    old: str
    new: str
    file: str

    @property
    def noticed(self) -> bool:
        """Whether the tests tell the mutant from the code."""
        return self.result in (CAUGHT, TIMED_OUT)


def main() -> int:
    """Run the draw and print the table."""
    commit = _git("rev-parse", "HEAD")
    seed = os.environ.get("MUTANTS_SEED") or commit
    count = int(os.environ.get("MUTANTS_COUNT") or COUNT)
    if _git("status", "--porcelain", "--untracked-files=no"):
        print("The tree differs from the commit: results are kept as the commit's.", flush=True)
    kept = BUILD / f"{commit[:12]}.coverage"
    if not kept.exists():
        print("measuring which test covers which line", flush=True)
        measure(kept)
    drawn = draw(seed, count)
    book = BUILD / f"{commit[:12]}-{seed[:12]}.jsonl"
    done = {one.name: one for one in _read(book)}
    left = [mutant for mutant in drawn if mutant.name not in done]
    print(f"seed {seed}: {len(drawn)} mutants, {len(drawn) - len(left)} done before", flush=True)
    done |= _run(left, Cover(kept), book)
    return _report([done[mutant.name] for mutant in drawn], seed)


def _run(left: list[Mutant], cover: Cover, book: Path) -> dict[str, Result]:
    done: dict[str, Result] = {}
    folders: Queue[Path] = Queue()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(AT_ONCE) as pool:
        for index in range(AT_ONCE):
            folders.put(copy_project(Path(name) / str(index)))

        def one(mutant: Mutant) -> Result:
            folder = folders.get()
            try:
                return _try(mutant, cover.tests(mutant), folder)
            finally:
                folders.put(folder)

        for result in pool.map(one, left):
            with book.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(result)) + "\n")
            done[result.name] = result
            place = f"{len(done)}/{len(left)}"
            print(f"{place:>8}  {result.result:<11} {result.seconds:5.1f} s  {result.name}")
            if not result.noticed:
                print(f"          - {result.old}\n          + {result.new}", flush=True)
    return done


def _try(mutant: Mutant, tests: list[str], folder: Path) -> Result:
    old, new = changed_lines(mutant)
    start = time.monotonic()

    def ended(result: str, by: str = "") -> Result:
        seconds = round(time.monotonic() - start, 1)
        return Result(mutant.name, result, by, seconds, old, new, mutant.file)

    if not tests:
        return ended(UNCOVERED)
    path = folder / mutant.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(mutated(mutant), encoding="utf-8")
    (folder / "wanted.txt").write_text("\n".join(tests), encoding="utf-8")
    try:
        status, said = run_tests(folder, ("--tb=no", "@wanted.txt"), LONGEST)
    finally:
        path.write_text(whole, encoding="utf-8")
    if status is None:
        return ended(TIMED_OUT)
    if status == 0:
        return ended(SURVIVED)
    if status not in (1, 2):  # 2: a module that cannot be imported
        raise SystemExit(f"{said[-3000:]}\npytest ended with status {status}: no test ran")
    failed = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return ended(CAUGHT, failed[0].split(" ")[1] if failed else said[-300:])


def _report(results: list[Result], seed: str) -> int:
    reasons = {
        (one["file"], one["old"], one["new"]): one["reason"]
        for one in tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", [])
    }
    noticed = [one for one in results if one.noticed]
    missed = [one for one in results if not one.noticed]
    same = [one for one in missed if (one.file, one.old, one.new) in reasons]
    print(f"\n{'result':<12} mutant")
    for one in missed:
        reason = reasons.get((one.file, one.old, one.new), "")
        print(f"{one.result:<12} {one.name}\n  - {one.old}\n  + {one.new}")
        print(f"  equivalent: {reason}" if reason else "  NOT EXPLAINED")
    share = len(noticed) / len(results) if results else 0.0
    apart = len(results) - len(same)
    print(
        f"\nseed {seed}: {len(noticed)} of {len(results)} mutants caught ({share:.0%}), "
        f"{sum(one.result == TIMED_OUT for one in results)} of them by a time-out; "
        f"{len(same)} of the others change no behaviour ({len(noticed) / max(1, apart):.0%} of "
        f"the {apart} that do); goal {GOAL:.0%}"
    )
    return int(share < GOAL)


def _read(book: Path) -> list[Result]:
    if not book.exists():
        return []
    return [Result(**json.loads(line)) for line in book.read_text(encoding="utf-8").splitlines()]


def _git(*words: str) -> str:
    answer = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make mutants", description=__doc__).parse_args()
    sys.exit(main())
