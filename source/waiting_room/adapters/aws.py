# SPDX-License-Identifier: Apache-2.0
"""AWS clients with limits, from botocore: boto3's resource layer would only add import time.

The endpoint, region and credentials come from the standard environment (``AWS_ENDPOINT_URL`` …).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from waiting_room.domain.errors import Throttled, Unavailable

AWS_CONNECT_TIMEOUT, AWS_READ_TIMEOUT, AWS_ATTEMPTS = 1.0, 2.0, 3  # 9 s at most, with pauses
# Temporary errors. Every other error code is a defect of the room and is not converted.
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


# Of these, the codes of limits that too many requests reach.
LIMIT_CODES = {
    "LimitExceededException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
}


# Of these, the codes that guarantee that the request was not executed.
THROTTLE_CODES = {"ProvisionedThroughputExceededException", "ThrottlingException"}


# Size of a client's connection pool. A function serves one request at a time, with at most eight
# concurrent calls. Connections above the size are closed after use, and urllib3 logs each of them.
# A process with more threads sets their number with ``share_clients``.
_pool_size = 50
_validates = True  # whether clients check the parameters of each call against the service model


def share_clients(callers: int) -> None:
    """Set the pool size to at least ``callers``; call it before the first client is created.

    A pool opens connections only as they are needed, so a number that is too large costs nothing.
    """
    global _pool_size
    _pool_size = max(_pool_size, callers)


def skip_validation() -> None:
    """Let later clients send parameters unchecked; call it before the first client is created.

    For the workers: the room's own code makes every parameter, and a batch of 1,000 joins has
    thousands of them. The service rejects an invalid parameter in any case.
    """
    global _validates
    _validates = False


@cache
def client(service: str, attempts: int = AWS_ATTEMPTS, region: str | None = None) -> Any:
    """Return the client of ``service``, with timeouts; one for each process.

    ``region`` is another region than that of the function.
    """
    from botocore.config import Config

    return session().create_client(
        service,
        region_name=region,
        config=Config(
            connect_timeout=AWS_CONNECT_TIMEOUT,
            read_timeout=AWS_READ_TIMEOUT,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=_pool_size,
            tcp_keepalive=True,
            parameter_validation=_validates,
        ),
    )


@cache
def session() -> Any:
    """Return the botocore session of the process."""
    from botocore.session import Session

    silence_library_logs()
    return Session()


def silence_library_logs() -> None:
    """Stop libraries from logging requests and responses: they contain keys and tokens.

    This is independent of the root logger's level. urllib3's warnings contain the URL and its
    query.
    """
    for name, level in {"botocore": logging.INFO, "urllib3": logging.ERROR}.items():
        logging.getLogger(name).setLevel(level)


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Convert timeouts and lost connections of AWS to Unavailable, and throttling to Throttled."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    try:
        yield
    except (ConnectionError, HTTPClientError) as error:
        raise Unavailable(f"{what} did not respond: {type(error).__name__}") from None
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in LIMIT_CODES:
            raise Throttled(f"{what} is busy: {code}") from None
        if code in BUSY_CODES or status >= 500:
            raise Unavailable(f"{what} is busy: {code}") from None
        raise
