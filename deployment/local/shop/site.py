# SPDX-License-Identifier: Apache-2.0
"""Pages of the ticket shop: shows, a search, a cart and a checkout.

The cart is a cookie of the shop. The header ``X-Waiting-Room-Session`` names the visitor's session.
After an order the shop ends it with the response header ``Waiting-Room-Session: end``.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

STYLE = Path(__file__).parent / "style.css"
CART = "cart"
SESSION = "x-waiting-room-session"
MAX_CART = 8  # tickets
MAX_FORM = 1_000  # bytes
PRIVATE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class Show:
    """A show; the price is in whole euros."""

    name: str
    venue: str
    date: str
    price: int


SHOWS = {
    "harbour-lights": Show("Harbour Lights", "Pier 4, Hamburg", "12 June, 20:00", 48),
    "paper-moon": Show("Paper Moon Orchestra", "Old Theatre, Leipzig", "19 June, 19:30", 62),
    "late-bloom": Show("Late Bloom", "Botanical Garden, Graz", "3 July, 21:00", 35),
    "north-wind": Show("North Wind", "Concert Hall, Bergen", "10 July, 20:00", 54),
}


def make_shop() -> Starlette:
    """Return the shop as an ASGI application."""
    return Starlette(
        routes=[
            Route("/", home),
            Route("/shows/{show}", show_page),
            Route("/search", search),
            Route("/cart", cart),
            Route("/cart", add, methods=["POST"]),
            Route("/checkout", checkout),
            Route("/checkout", order, methods=["POST"]),
            Route("/assets/style.css", style),
        ]
    )


async def home(request: Request) -> Response:
    """Return the list of shows."""
    return _page(request, "Summer season", f"<ul class='grid'>{_cards(SHOWS)}</ul>")


async def show_page(request: Request) -> Response:
    """Return the page of one show."""
    name = request.path_params["show"]
    if name not in SHOWS:
        return _page(request, "This show does not exist", "<p><a href='/'>All shows</a></p>", 404)
    return _page(request, SHOWS[name].name, f"<ul class='grid'>{_cards({name: SHOWS[name]})}</ul>")


async def search(request: Request) -> Response:
    """Return the search, which a bypass rule keeps open."""
    words = request.query_params.get("q", "")[:60]
    found = {
        name: show
        for name, show in SHOWS.items()
        if words.lower() in f"{show.name} {show.venue}".lower()
    }
    form = (
        "<form class='row' action='/search'><input name='q' type='search' aria-label='Search' "
        f"value='{escape(words)}'><button>Search</button></form>"
        "<p class='quiet'>The search is open to all. Shows, cart and checkout need a session.</p>"
    )
    items = "".join(
        f"<li class='card'><h2><a href='/shows/{name}'>{escape(show.name)}</a></h2>"
        f"<p class='quiet'>{escape(show.venue)} · {escape(show.date)}</p></li>"
        for name, show in found.items()
    )
    return _page(request, "Search", f"{form}<ul class='grid'>{items}</ul>")


async def cart(request: Request) -> Response:
    """Return the cart."""
    chosen = _cart(request)
    if not chosen:
        empty = "<p>Your cart is empty.</p><p><a href='/'>All shows</a></p>"
        return _page(request, "Cart", empty)
    action = "<form action='/checkout'><button>Check out</button></form>"
    return _page(request, "Cart", _table(chosen) + action)


async def add(request: Request) -> Response:
    """Put a ticket into the cart."""
    name = parse_qs(await _form(request)).get("show", [""])[0]
    chosen = _cart(request)
    if name in SHOWS and len(chosen) < MAX_CART:
        chosen.append(name)
    reply = RedirectResponse("/cart", 303, headers=PRIVATE)
    reply.set_cookie(CART, ".".join(chosen), httponly=True, samesite="lax")
    return reply


async def checkout(request: Request) -> Response:
    """Return the checkout."""
    chosen = _cart(request)
    total = sum(SHOWS[name].price for name in chosen)
    body = (
        f"{_table(chosen)}<p>Total: <span class='price'>€{total}</span></p>"
        "<form method='post' action='/checkout'><button>Place the order</button></form>"
        if chosen
        else "<p>Your cart is empty.</p><p><a href='/'>All shows</a></p>"
    )
    return _page(request, "Checkout", body)


async def order(request: Request) -> Response:
    """Take the order and end the visitor's session."""
    if not _cart(request):
        return RedirectResponse("/checkout", 303, headers=PRIVATE)
    reply = _page(
        request,
        "Thank you",
        "<p>Your tickets are reserved. Your session has ended.</p>"
        "<p><a href='/search'>Search for more shows</a></p>",
        is_over=True,
    )
    reply.headers["Waiting-Room-Session"] = "end"
    reply.delete_cookie(CART)
    return reply


async def style(_: Request) -> Response:
    """Return the style sheet."""
    headers = {"Cache-Control": "public, max-age=300"}
    return FileResponse(STYLE, media_type="text/css", headers=headers)


async def _form(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            return ""
    return body.decode("utf-8", "replace")


def _cart(request: Request) -> list[str]:
    names = request.cookies.get(CART, "").split(".")
    return [name for name in names if name in SHOWS][:MAX_CART]


def _cards(shows: dict[str, Show]) -> str:
    return "".join(
        f"<li class='card'><h2><a href='/shows/{name}'>{escape(show.name)}</a></h2>"
        f"<p class='quiet'>{escape(show.venue)}<br>{escape(show.date)}</p>"
        f"<p class='price'>€{show.price}</p><form method='post' action='/cart'>"
        f"<input type='hidden' name='show' value='{name}'><button>Add to cart</button></form></li>"
        for name, show in shows.items()
    )


def _table(chosen: list[str]) -> str:
    rows = "".join(
        f"<tr><td>{escape(SHOWS[name].name)}</td><td class='price'>€{SHOWS[name].price}</td></tr>"
        for name in chosen
    )
    return f"<table>{rows}</table>"


def _page(
    request: Request, title: str, content: str, status: int = 200, *, is_over: bool = False
) -> Response:
    """Return a page; ``is_over``: the response ends the session and empties the cart."""
    session = "" if is_over else request.headers.get(SESSION, "")
    leave = (
        "<form method='post' action='/_waiting-room/leave'><input type='hidden' name='event'"
        f" value='{escape(session.partition(':')[0])}'>"
        f"<p class='row'>Session {escape(session)}<button class='plain'>Leave the shop</button></p>"
        "</form>"
        if session
        else "<p>No session</p>"
    )
    tickets = 0 if is_over else len(_cart(request))
    return HTMLResponse(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)} · Box Office</title>"
        "<link rel='icon' href='data:,'><link rel='stylesheet' href='/assets/style.css'>"
        "</head><body>"
        "<header><strong>Box Office</strong><nav><a href='/'>Shows</a><a href='/search'>Search</a>"
        f"<a href='/cart'>Cart ({tickets})</a></nav></header>"
        f"<main><h1>{escape(title)}</h1>{content}</main><footer>{leave}</footer></body></html>",
        status,
        headers=PRIVATE,
    )
