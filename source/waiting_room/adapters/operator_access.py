# SPDX-License-Identifier: Apache-2.0
"""Access of an operator's computer to a room on AWS: credentials, and the outputs of a stack.

Credentials come from the AWS default chain: environment, profile, IAM Identity Center (SSO), role.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from waiting_room.adapters.aws import BUSY_CODES, silence_library_logs
from waiting_room.domain.errors import RoomError, SettingsError, Unavailable

CONNECT_TIMEOUT, READ_TIMEOUT, ATTEMPTS = 3.0, 10.0, 3  # s; a person waits
NO_CREDENTIALS = "there are no AWS credentials: log in, or set AWS_PROFILE or --profile"

REGION = {"region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)}


class AccessDenied(RoomError):
    """AWS rejects the credentials, or there are none; the text states the reason."""


def new_session(profile: str | None = None) -> Any:
    """Return a botocore session with the region of AWS_REGION, AWS_DEFAULT_REGION or the profile.

    The CDK command line reads them in the same order. botocore by itself ignores AWS_REGION.
    """
    from botocore.session import Session

    return Session(session_vars=REGION, profile=profile)


def open_session(profile: str | None, region: str | None) -> Any:
    """Return a botocore session; raises SettingsError for an unknown profile."""
    from botocore.exceptions import BotoCoreError

    silence_library_logs()
    session = new_session(profile)
    if region:
        session.set_config_variable("region", region)
    try:
        session.get_scoped_config()
    except BotoCoreError as error:  # an unknown profile, or an invalid file
        raise SettingsError(_text(error)) from None
    return session


def region_of(session: Any) -> str | None:
    """Return the region of the environment or the profile."""
    found: str | None = session.get_config_variable("region")
    return found


def credentials_of(session: Any) -> Callable[[], Any]:
    """Return a function for the current credentials; it raises AccessDenied without any."""
    from botocore.exceptions import BotoCoreError, ClientError

    def current() -> Any:
        try:
            found = session.get_credentials()
            if found is None:
                raise AccessDenied(NO_CREDENTIALS)
            return found.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:  # for example an expired SSO token
            raise AccessDenied(_text(error)) from None

    return current


def static_credentials(access_key_id: str, secret_access_key: str) -> Callable[[], Any]:
    """Return a function that returns one access key."""
    from botocore.credentials import Credentials

    found = Credentials(access_key_id, secret_access_key)
    return lambda: found


def stack_outputs(session: Any, stack: str) -> dict[str, str]:
    """Return the outputs of a CloudFormation stack.

    Raises SettingsError for a missing region or stack, AccessDenied, or Unavailable.
    """
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,
        HTTPClientError,
        NoRegionError,
    )

    limits = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    try:
        cloudformation = session.create_client("cloudformation", config=limits)
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except NoRegionError:
        raise SettingsError(
            "the AWS region is not set: set --region or AWS_REGION to the region of the stack"
        ) from None
    except (ConnectionError, HTTPClientError) as error:
        raise Unavailable(f"CloudFormation did not respond: {type(error).__name__}") from None
    except BotoCoreError as error:
        raise AccessDenied(_text(error)) from None
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in BUSY_CODES or status >= 500:
            raise Unavailable(f"CloudFormation is busy: {code}") from None
        if code == "ValidationError":
            raise SettingsError(f"CloudFormation: {message}") from None
        raise AccessDenied(f"CloudFormation: {code}: {message}") from None
    return {one["OutputKey"]: one["OutputValue"] for one in found[0].get("Outputs", [])}


def _text(error: Exception) -> str:
    """Return the first line of a text of botocore, without a full stop at its end."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
