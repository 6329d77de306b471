# SPDX-License-Identifier: Apache-2.0
"""``make fuzz``: the fuzzers with several fresh seeds, and a table of what each of them found.

``FUZZ_SEED`` repeats one seed, ``FUZZ_SEEDS`` says how many fresh ones (5), ``FUZZ_EXAMPLES`` how
many examples (40). A seed that fails does not end the run; any failure, and any answer of 500 or
more, makes the status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import ROOT

SEEDS, EXAMPLES = 5, 40
MOST = 10**9
CLASSES = ("2xx", "3xx", "4xx", "5xx")
COUNTS = re.compile(r"(\d+) (passed|failed|errors?)\b")


class Usage(Exception):
    """A setting cannot be meant; the sentence names it."""


@dataclass(frozen=True)
class Done:
    """Results of one seed. ``answers`` counts requests by class of status."""

    seed: int
    status: int
    answers: Mapping[str, int]
    counts: Mapping[str, int]
    seconds: float

    @property
    def requests(self) -> int:
        """Requests that were generated and answered."""
        return sum(self.answers.values())

    @property
    def failed(self) -> int:
        """Tests that failed, or 1 where the run itself did."""
        found = sum(number for word, number in self.counts.items() if word != "passed")
        return found or int(self.status != 0)

    @property
    def bad(self) -> bool:
        """Return whether this seed found an error, or generated no request."""
        return self.failed > 0 or self.answers.get("5xx", 0) > 0 or self.requests == 0


def number(env: Mapping[str, str], name: str, default: int) -> int:
    """A whole number from 1; raises Usage."""
    text = env.get(name, "") or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) >= 1):
        raise Usage(f"{name} must be a whole number from 1, not {text[:40]!r}.")
    return int(text)


def chosen_seeds(env: Mapping[str, str]) -> list[int]:
    """The one of FUZZ_SEED, or as many fresh ones as FUZZ_SEEDS says; raises Usage."""
    if env.get("FUZZ_SEED"):
        return [number(env, "FUZZ_SEED", 1)]
    return [1 + secrets.randbelow(MOST) for _ in range(number(env, "FUZZ_SEEDS", SEEDS))]


def read_counts(output: str) -> dict[str, int]:
    """``passed``, ``failed`` and ``error`` of pytest's last line."""
    last = output.rstrip().rpartition("\n")[2]
    return {word.removesuffix("s"): int(count) for count, word in COUNTS.findall(last)}


def run(seed: int, examples: int) -> Done:
    """The fuzzers with one seed; what they print goes on as it comes."""
    began, lines = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "tally.json"
        env = {
            **os.environ,
            "FUZZ_SEED": str(seed),
            "FUZZ_EXAMPLES": str(examples),
            "FUZZ_TALLY": str(tally),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "pytest", "tests/fuzz", "-q", "-s"]
        with subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                lines.append(line)
        answers = json.loads(tally.read_text()) if tally.exists() else {}
    seconds = time.monotonic() - began
    return Done(seed, process.returncode, answers, read_counts("".join(lines)), seconds)


def table(done: Sequence[Done]) -> str:
    """One line for each seed, and the worst."""
    rows = [
        f"| {one.seed} | {one.requests} | "
        + " | ".join(str(one.answers.get(name, 0)) for name in CLASSES)
        + f" | {one.counts.get('passed', 0)} | {one.failed} | {one.seconds:.0f} s |"
        for one in done
    ]
    worst = max(done, key=lambda one: (one.bad, one.answers.get("5xx", 0), one.failed))
    said = "found something" if worst.bad else "found nothing"
    return "\n".join(
        (
            "| seed | requests | 2xx | 3xx | 4xx | 5xx | tests passed | failed | time |",
            "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
            *rows,
            f"{sum(one.requests for one in done)} requests;"
            f" the worst seed, {worst.seed}, {said}: {worst.failed} tests failed,"
            f" {worst.answers.get('5xx', 0)} answers of 500 or more",
        )
    )


def main(env: Mapping[str, str]) -> int:
    """Run every seed; 1 when one found something, 2 when a setting cannot be meant."""
    try:
        seeds, examples = chosen_seeds(env), number(env, "FUZZ_EXAMPLES", EXAMPLES)
    except Usage as error:
        print(error, file=sys.stderr)
        return 2
    print(f"seeds: {' '.join(map(str, seeds))}", flush=True)
    done = []
    for seed in seeds:
        print(f"\n· seed {seed} (again: make fuzz FUZZ_SEED={seed})", flush=True)
        done.append(run(seed, examples))
    print(f"\n{table(done)}")
    return int(any(one.bad for one in done))


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make fuzz", description=__doc__).parse_args()
    sys.exit(main(os.environ))
