# SPDX-License-Identifier: Apache-2.0
"""The edge's store in a CloudFront KeyValueStore. Its calls are signed with SigV4A (awscrt)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.domain.errors import Conflict

WHAT = "the store of the gate"
PAGE = 50  # items of one response


class CloudFrontStore:
    """The EdgeStore port; ``client`` is that of ``cloudfront-keyvaluestore``."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn

    def version(self) -> str:
        """Return the ETag of the store."""
        with translate_errors(WHAT):
            return str(self._client.describe_key_value_store(KvsARN=self._arn)["ETag"])

    def items(self) -> dict[str, str]:
        """Return all items."""
        found: dict[str, str] = {}
        mark: dict[str, str] = {}
        while True:
            with translate_errors(WHAT):
                page = self._client.list_keys(KvsARN=self._arn, MaxResults=PAGE, **mark)
            found.update({item["Key"]: item["Value"] for item in page.get("Items", ())})
            if not page.get("NextToken"):
                return found
            mark = {"NextToken": page["NextToken"]}

    def update(self, puts: Mapping[str, str], deletes: Sequence[str], version: str) -> str:
        """Write and delete items if ``version`` is the current ETag; return the next one."""
        with translate_errors(WHAT):
            try:
                made = self._client.update_keys(
                    KvsARN=self._arn,
                    IfMatch=version,
                    Puts=[{"Key": key, "Value": value} for key, value in puts.items()],
                    Deletes=[{"Key": key} for key in deletes],
                )
            except self._client.exceptions.ConflictException:
                raise Conflict from None
        return str(made["ETag"])
