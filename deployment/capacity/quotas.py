# SPDX-License-Identifier: Apache-2.0
"""Quotas of an account and assumptions of the model, read from ``quotas.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("quotas.toml")


@dataclass(frozen=True)
class Quotas:
    """The quotas of an account; rates per second unless the name states another unit."""

    cloudfront_requests_per_second: int
    api_requests_per_second: int
    api_burst: int
    lambda_concurrency: int
    lambda_ramp_per_10_seconds: int
    queue_start_batches: int
    queue_ramp_per_minute: int
    queue_most_batches: int
    table_write_units: int
    table_read_units: int
    partition_write_units: int
    partition_read_units: int


@dataclass(frozen=True)
class Assumptions:
    """Values that AWS does not publish; the file explains each."""

    redis_ms: float
    dynamodb_ms: float
    processor_factor: float
    cold_start_ms: float
    messages_per_poller: float
    insert_patience: float
    edge_origins: float
    answer_bytes: float
    token_bytes: float
    page_bytes: float
    page_requests: float
    renewals: float
    log_bytes: float
    redis_commands_per_second: float


def load(path: Path = FILE) -> tuple[str, Quotas, Assumptions]:
    """Return the date of the values, the quotas, and the assumptions."""
    kept = tomllib.loads(path.read_text())
    return kept["known_on"], Quotas(**kept["quotas"]), Assumptions(**kept["assumptions"])
