# SPDX-License-Identifier: Apache-2.0
"""AWS clients with limits, straight from botocore: boto3's resource layer would only cost imports.

The endpoint, region and credentials come from the standard environment (``AWS_ENDPOINT_URL`` …).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from waiting_room.domain.errors import Unavailable

# Answers that say: not now. Everything else that AWS refuses is a fault of ours, and stays one.
AWS_CONNECT_TIMEOUT, AWS_READ_TIMEOUT, AWS_ATTEMPTS = 1.0, 2.0, 3  # 9 s at most, with pauses
BUSY_CODES = {
    "InternalServerError",
    "InternalFailure",
    "InternalServiceErrorException",
    "LimitExceededException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
}


# Of these, the codes after which a request was surely not executed.
THROTTLE_CODES = {"ProvisionedThroughputExceededException", "ThrottlingException"}


# Connections that a client keeps. A function serves one request at a time, which asks for at most
# eight things at once. More callers than that open more connections, and urllib3 closes and
# logs each of those again, so a process with more threads says how many it has (``share_clients``).
_pool_size = 50


def share_clients(callers: int) -> None:
    """Let clients keep a connection for each of so many concurrent callers; before the first one.

    A pool opens connections only as they are needed: a number that is too large costs nothing.
    """
    global _pool_size
    _pool_size = max(_pool_size, callers)


@cache
def client(service: str, attempts: int = AWS_ATTEMPTS) -> Any:
    """A client of ``service`` that gives up in time, the same one for the life of the process."""
    from botocore.config import Config

    return session().create_client(
        service,
        config=Config(
            connect_timeout=AWS_CONNECT_TIMEOUT,
            read_timeout=AWS_READ_TIMEOUT,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=_pool_size,
            tcp_keepalive=True,
        ),
    )


@cache
def session() -> Any:
    from botocore.session import Session

    silence_library_logs()
    return Session()


def silence_library_logs() -> None:
    """Keep libraries from logging requests and answers: keys, signatures and tokens are in them.

    Whatever level an operator gives to the root logger. urllib3 warns with the URL and its query.
    """
    for name, level in {
        "authlib": logging.INFO, "botocore": logging.INFO, "urllib3": logging.ERROR,
    }.items():  # fmt: skip
        logging.getLogger(name).setLevel(level)


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Turn timeouts, lost connections and throttling of AWS into Unavailable."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise Unavailable(f"{what} did not answer: {type(error).__name__}") from None
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in BUSY_CODES or status >= 500:
            raise Unavailable(f"{what} is busy: {code}") from None
        raise
