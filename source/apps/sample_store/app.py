# SPDX-License-Identifier: Apache-2.0
"""A sample store; the token authorizer protects every route."""

from __future__ import annotations

import hashlib
from typing import Any

from chalice import Chalice, CustomAuthorizer, Response

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.parsing import LARGEST, read_whole
from waiting_room.runtime.http_api import ANY_TYPE, json_handler, json_response, optional_query

app = Chalice(app_name="waiting-room-sample-store", configure_logs=False)
# The deployment sets the URI; Chalice needs only the name and the header.
authorizer = CustomAuthorizer(
    "WaitingRoomAuthorizer", header="Authorization", authorizer_uri="set-at-deployment"
)

CATALOGUE = (
    {"item_id": "concert-standing", "name": "Concert ticket, standing", "price_cents": 5900},
    {"item_id": "concert-seated", "name": "Concert ticket, seated", "price_cents": 8900},
    {"item_id": "tour-shirt", "name": "Tour shirt", "price_cents": 2500},
    {"item_id": "poster", "name": "Poster, signed", "price_cents": 1500},
)
MAX_WORDS = 100  # characters of a search
DEPOSIT_PERCENT = 20


@app.route("/search", methods=["GET"], content_types=ANY_TYPE, authorizer=authorizer)
@json_handler
def search() -> Response:
    """Return the items whose name contains the text ``q``; all items without ``q``."""
    words = optional_query(app.current_request, "q") or ""
    if len(words) > MAX_WORDS:
        raise InvalidInput(f"q may have at most {MAX_WORDS} characters")
    items = [item for item in CATALOGUE if words.lower() in str(item["name"]).lower()]
    return json_response({"visitor": visitor(), "items": items, "found": len(items)})


@app.route("/checkout", methods=["GET"], content_types=ANY_TYPE, authorizer=authorizer)
@json_handler
def checkout() -> Response:
    """Return an order for one item; the same visitor gets the same order again."""
    item = chosen()
    return json_response(
        {
            "visitor": visitor(),
            "order_id": reference("order", item),
            "status": "confirmed",
            "items": [item],
            "total_cents": item["price_cents"],
        }
    )


@app.route("/layaway", methods=["GET"], content_types=ANY_TYPE, authorizer=authorizer)
@json_handler
def layaway() -> Response:
    """Return an item that is reserved for a deposit."""
    item = chosen()
    price = int(item["price_cents"])
    deposit = price * DEPOSIT_PERCENT // 100
    return json_response(
        {
            "visitor": visitor(),
            "layaway_id": reference("layaway", item),
            "status": "reserved",
            "items": [item],
            "deposit_cents": deposit,
            "remaining_cents": price - deposit,
        }
    )


def claims() -> dict[str, Any]:
    """Return the claims of the visitor's token; API Gateway passes them as texts."""
    return dict(app.current_request.context["authorizer"])


def visitor() -> dict[str, Any]:
    """Return the visitor who calls."""
    found = claims()
    position = found.get("queue_position")
    return {
        "request_id": found["sub"],
        "queue_position": None if position is None else _count("queue_position", position),
        "admitted_until": _count("exp", found["exp"]),
    }


def _count(name: str, value: object) -> int:
    """Parse a number of the token, which API Gateway passes as a text; raises InvalidInput."""
    found = read_whole(str(value), 0, LARGEST)
    if found is None:
        raise InvalidInput(f"{name} of the token is not a whole number")
    return found


def chosen() -> dict[str, Any]:
    """Return the item named by ``item_id``, or the first item without it."""
    wanted = optional_query(app.current_request, "item_id")
    for item in CATALOGUE:
        if wanted in (None, item["item_id"]):
            return dict(item)
    raise InvalidInput("item_id is not an item of this store")


def reference(kind: str, item: dict[str, Any]) -> str:
    """Return a reference for the visitor, which does not reveal the request id."""
    seed = f"{kind}/{claims()['sub']}/{item['item_id']}"
    return f"{kind}-{hashlib.sha256(seed.encode()).hexdigest()[:12]}"
