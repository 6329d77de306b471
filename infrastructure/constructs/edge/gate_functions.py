# SPDX-License-Identifier: Apache-2.0
"""The gate at the edge: its store, and the CloudFront Functions of a protected distribution."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_cloudfront
from constructs import Construct

from infrastructure.assets import edge
from infrastructure.constructs.names import LONGEST_EDGE, account_wide_name

ROOT = Path(__file__).resolve().parents[3]
REQUEST = aws_cloudfront.FunctionEventType.VIEWER_REQUEST
RESPONSE = aws_cloudfront.FunctionEventType.VIEWER_RESPONSE


class GateFunctions(Construct):
    """``store`` and the functions; a distribution of the same account can use each of them.

    ``site`` are the associations of behaviours of the site, ``page`` those of the files of the
    waiting page, ``room`` those of the room's API, ``enter`` those of ``/_waiting-room/enter`` and
    ``handover`` those of ``/_waiting-room/handover``.
    """

    def __init__(self, scope: Construct, name: str, *, open_without_store: bool) -> None:
        super().__init__(scope, name)
        self.store = aws_cloudfront.KeyValueStore(
            self,
            "Store",
            key_value_store_name=account_wide_name(self, "Store", longest=LONGEST_EDGE),
            comment="Waiting room: rules, states and keys of the events behind the gate",
        )
        gate = self._function(
            "Gate",
            edge.cloudfront_function(ROOT, open_without_store=open_without_store),
            "Lets visitors with a session pass",
            store=self.store,
        )
        scripts = edge.room_functions(ROOT)
        response = self._function(
            "Response",
            scripts["response"],
            "Expires session cookies when the site ends a session; adds the requested address to "
            "the entrance's redirects",
        )
        room = self._function("Room", scripts["room"], "Prepares requests for the room")
        page = self._function("Page", scripts["page"], "Finds the waiting page")
        self.site = [_at(REQUEST, gate), _at(RESPONSE, response)]
        self.handover = [_at(REQUEST, gate)]
        self.page = [_at(REQUEST, page)]
        self.room = [_at(REQUEST, room)]
        self.enter = [*self.room, _at(RESPONSE, response)]
        self.by_name = {
            "GateFunction": gate,
            "ResponseFunction": response,
            "RoomFunction": room,
            "PageFunction": page,
        }

    def _function(
        self,
        name: str,
        script: str,
        comment: str,
        store: aws_cloudfront.IKeyValueStore | None = None,
    ) -> aws_cloudfront.Function:
        return aws_cloudfront.Function(
            self,
            name,
            function_name=account_wide_name(self, name, longest=LONGEST_EDGE),
            comment=comment,
            code=aws_cloudfront.FunctionCode.from_inline(script),
            runtime=aws_cloudfront.FunctionRuntime.JS_2_0,
            key_value_store=store,
        )


def _at(
    event: aws_cloudfront.FunctionEventType, function: aws_cloudfront.Function
) -> aws_cloudfront.FunctionAssociation:
    return aws_cloudfront.FunctionAssociation(function=function, event_type=event)
