# SPDX-License-Identifier: Apache-2.0
"""AWS clients with limits, each as light as its service allows.

Endpoint, region and credentials come from the standard environment (``AWS_ENDPOINT_URL`` …).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from waiting_room.adapters.aws_json import BUSY_CODES, PROTOCOLS, JsonClient, NoAnswer
from waiting_room.errors import Unavailable
from waiting_room.settings import (
    AWS_ATTEMPTS,
    AWS_CONNECT_TIMEOUT,
    AWS_READ_TIMEOUT,
    SettingsError,
)

if TYPE_CHECKING:
    from waiting_room.adapters.sigv4 import Credentials

ENDPOINT_SETTINGS = {  # the names of the services in ``AWS_ENDPOINT_URL_…``
    "dynamodb": "DYNAMODB",
    "events": "EVENTBRIDGE",
    "secretsmanager": "SECRETS_MANAGER",
}


@cache
def client(service: str, attempts: int = AWS_ATTEMPTS) -> Any:
    """A client of ``service`` that gives up in time, the same one for the life of the process."""
    if service in PROTOCOLS:
        return _json_client(service, attempts)
    from botocore.config import Config

    return _session().create_client(
        service,
        config=Config(
            connect_timeout=AWS_CONNECT_TIMEOUT,
            read_timeout=AWS_READ_TIMEOUT,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=50,
            tcp_keepalive=True,
        ),
    )


def _json_client(service: str, attempts: int) -> JsonClient:
    import urllib3

    region = _region()
    return JsonClient(
        service,
        _endpoint(service, region),
        region,
        credentials,
        timeout=urllib3.Timeout(connect=AWS_CONNECT_TIMEOUT, read=AWS_READ_TIMEOUT),
        attempts=attempts,
    )


def credentials() -> Credentials:
    """Those of the environment, as a function has them; else what botocore finds and renews."""
    from waiting_room.adapters.sigv4 import Credentials

    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN"))
    found = _session().get_credentials()
    if found is None:
        raise SettingsError("There are no AWS credentials to call AWS with.")
    return Credentials(*found.get_frozen_credentials()[:3])


def _region() -> str:
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    region = named or _session().get_config_variable("region")
    if not region:
        raise SettingsError("The setting AWS_REGION is missing.")
    return str(region)


def _endpoint(service: str, region: str) -> str:
    for name in (f"AWS_ENDPOINT_URL_{ENDPOINT_SETTINGS[service]}", "AWS_ENDPOINT_URL"):
        if os.environ.get(name):
            return os.environ[name]
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{service}.{region}.{domain}"


@cache
def _session() -> Any:
    from botocore.session import Session

    return Session()


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turn timeouts, lost connections and throttling of AWS into Unavailable."""
    try:
        yield
    except Exception as error:
        if _is_no_answer(error):
            raise Unavailable(f"{what} did not answer: {type(error).__name__}") from None
        response = getattr(error, "response", None) or {}
        code = response.get("Error", {}).get("Code", "")
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in BUSY_CODES or status >= 500:
            raise Unavailable(f"{what} is busy: {code}") from None
        raise


def _is_no_answer(error: Exception) -> bool:
    if isinstance(error, NoAnswer):
        return True
    botocore = sys.modules.get("botocore.exceptions")  # not imported: no error can be of it
    return botocore is not None and isinstance(
        error, (botocore.ConnectionError, botocore.HTTPClientError)
    )


def refused(error: Exception) -> bool:
    """Whether a conditional write was refused by its condition."""
    response = getattr(error, "response", {})
    return bool(response.get("Error", {}).get("Code") == "ConditionalCheckFailedException")
