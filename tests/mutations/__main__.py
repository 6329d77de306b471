# SPDX-License-Identifier: Apache-2.0
"""``make broken``: break one rule after another in a copy and show the test that fails for it.

A break that no test notices ends the run with status 1. Words choose the breaks whose rule holds
one of them: ``python -m tests.mutations "10 nothing lost"``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutations.breaks import Break
from tests.mutations.catalogue import BREAKS
from tests.mutations.project import copy_project, run_tests
from tests.mutations.targets import Project, TargetError

LONGEST = 900  # s of one break's tests
FAILED = 1  # pytest's status when a test failed


def is_noticed(broken: Break, folder: Path) -> bool:
    """Break a rule in the copy, run its tests and mend it; True when one of the tests fails."""
    project = Project(folder)
    path, text = project.broken(broken.target, broken.old, broken.new)
    tests = project.tests(broken.tests)
    whole = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    try:
        status, printed = run_tests(folder, tests, LONGEST)
    finally:
        path.write_text(whole, encoding="utf-8")
    if status is None:
        print(f"the tests took longer than {LONGEST} s")
    elif status not in (0, FAILED):
        print(printed[-3000:])
        print(f"pytest ended with status {status}: the tests of this break did not run to an end")
    return status == FAILED


def main(words: list[str]) -> int:
    """Try every break, or the chosen ones; return 1 when one went unnoticed."""
    chosen = [one for one in BREAKS if not words or any(word in one.rule for word in words)]
    if not chosen:
        raise SystemExit(f"no rule of tests/mutations/catalogue contains {' or '.join(words)}")
    unnoticed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = copy_project(Path(name).resolve())
        for broken in chosen:
            try:
                noticed = is_noticed(broken, folder)
            except TargetError as error:
                raise SystemExit(f"the break of rule {broken.rule}: {error}") from None
            unnoticed += not noticed
            word = "noticed  " if noticed else "UNNOTICED"
            print(f"{word}  {broken.rule}  ({broken.target}; {broken.tests})", flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} breaks were noticed")
    return int(unnoticed > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.mutations", description=__doc__)
    parser.add_argument("text", nargs="*", help="part of the title of an entry; default: all")
    sys.exit(main(parser.parse_args().text))
