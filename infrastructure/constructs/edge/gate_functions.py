# SPDX-License-Identifier: Apache-2.0
"""The gate at the edge: its store, and the CloudFront Functions of a protected distribution."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_cloudfront
from constructs import Construct

from infrastructure.assets import edge
from infrastructure.constructs.names import account_wide_name

ROOT = Path(__file__).resolve().parents[3]
REQUEST = aws_cloudfront.FunctionEventType.VIEWER_REQUEST
RESPONSE = aws_cloudfront.FunctionEventType.VIEWER_RESPONSE
LONGEST_NAME = 64  # characters of the name of a function or store


class GateFunctions(Construct):
    """``store`` and the functions; a distribution of the same account can use each of them.

    ``site`` are the associations of behaviours of the site, ``page`` those of the files of the
    waiting page, ``room`` those of the room's API, ``enter`` those of ``/_waiting-room/enter``.
    """

    def __init__(self, scope: Construct, name: str, *, open_without_store: bool) -> None:
        super().__init__(scope, name)
        self.store = aws_cloudfront.KeyValueStore(
            self,
            "Store",
            key_value_store_name=account_wide_name(self, "Store", longest=LONGEST_NAME),
            comment="Waiting room: rules, states and keys of the events behind the gate",
        )
        gate = self._function(
            "Gate",
            edge.cloudfront_function(ROOT, open_without_store=open_without_store),
            "Lets visitors with a session pass",
            store=self.store,
        )
        session_end = self._function(
            "SessionEnd",
            edge.beside_the_gate(ROOT, "session_end"),
            "Expires the session that the site has ended",
        )
        room_request = self._function(
            "RoomRequest",
            edge.beside_the_gate(ROOT, "room_request"),
            "Prepares requests for the API of the room",
        )
        enter_response = self._function(
            "EnterResponse",
            edge.beside_the_gate(ROOT, "enter_response"),
            "Adds the visitor's address to a shared redirect",
        )
        page_request = self._function(
            "PageRequest", edge.beside_the_gate(ROOT, "page_request"), "Finds the waiting page"
        )
        self.site = [_at(REQUEST, gate), _at(RESPONSE, session_end)]
        self.page = [_at(REQUEST, page_request)]
        self.room = [_at(REQUEST, room_request)]
        self.enter = [*self.room, _at(RESPONSE, enter_response)]
        self.by_name = {
            "GateFunction": gate,
            "SessionEndFunction": session_end,
            "RoomRequestFunction": room_request,
            "EnterResponseFunction": enter_response,
            "PageRequestFunction": page_request,
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
            function_name=account_wide_name(self, name, longest=LONGEST_NAME),
            comment=comment,
            code=aws_cloudfront.FunctionCode.from_inline(script),
            runtime=aws_cloudfront.FunctionRuntime.JS_2_0,
            key_value_store=store,
        )


def _at(
    event: aws_cloudfront.FunctionEventType, function: aws_cloudfront.Function
) -> aws_cloudfront.FunctionAssociation:
    return aws_cloudfront.FunctionAssociation(function=function, event_type=event)
