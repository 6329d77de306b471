# SPDX-License-Identifier: Apache-2.0
"""Requests of clients of the AWS solution, as data.

The table is in ``solution_clients.toml``; ``python -m tests.support.solution_clients``
puts it into ``docs/migrating.md``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from deployment import docs_tables
from tests.support.local_stack import RunningRoom
from tests.support.servers import ROOT

DATA = Path(__file__).with_name("solution_clients.toml")
PAGE = ROOT / "docs" / "migrating.md"
ORIGIN = "https://shop.example"  # of the pages, which are never of the API's


@dataclass(frozen=True)
class Sent:
    """One call of a client; texts contain placeholders."""

    client: str
    does: str
    method: str
    api: str
    path: str
    headers: Mapping[str, str]
    answers: int
    reads: tuple[str, ...]
    body: str = ""
    signed: tuple[str, ...] = ()
    preflight: str = ""


def calls(client: str = "") -> list[Sent]:
    """The table's rows in order; those of one client where it is named."""
    rows = tomllib.loads(DATA.read_text(encoding="utf-8"))["call"]
    made = [
        Sent(**(row | {"reads": tuple(row["reads"]), "signed": tuple(row.get("signed", ()))}))
        for row in rows
    ]
    return [one for one in made if client in ("", one.client)]


def one_of(client: str, path: str) -> Sent:
    """The call of a client to a route."""
    (found,) = (one for one in calls(client) if one.path.partition("?")[0] == path)
    return found


def send(room: RunningRoom, sent: Sent, **values: str) -> httpx.Response:
    """Send a call over HTTP, with nothing in it but what the client puts there."""
    url = f"{room.endpoints[f'{sent.api}_api']}{filled(sent.path, values)}"
    body = filled(sent.body, values).encode()
    headers = {name: filled(value, values) for name, value in sent.headers.items()}
    if sent.signed:
        headers |= signature(room, sent, url, body)
    request = httpx.Request(sent.method, url, headers=headers, content=body or None)
    with httpx.Client() as client:
        return client.send(request)


def asked_first(room: RunningRoom, sent: Sent) -> httpx.Response:
    """The preflight that a browser sends before a call."""
    url = f"{room.endpoints[f'{sent.api}_api']}{sent.path.partition('?')[0]}"
    return httpx.options(
        url,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": sent.method,
            "Access-Control-Request-Headers": sent.preflight,
        },
    )


def signature(room: RunningRoom, sent: Sent, url: str, body: bytes) -> dict[str, str]:
    """The headers that sign a call, over exactly the headers that its client signs."""
    known = {name.lower(): value for name, value in sent.headers.items()}
    known["content-length"] = str(len(body))
    signs = {name: known[name] for name in sent.signed if name not in ("host", "x-amz-date")}
    request = AWSRequest(sent.method, url, headers=signs, data=body)
    keys = Credentials(room.endpoints["access_key_id"], room.endpoints["secret_access_key"])
    SigV4Auth(keys, "execute-api", room.endpoints["region"]).add_auth(request)
    made = dict(request.headers.items())
    assert f"SignedHeaders={';'.join(sorted(sent.signed))}," in made["Authorization"]
    return {name: made[name] for name in ("X-Amz-Date", "Authorization")}


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill in the placeholders of a text."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def table() -> str:
    """The table for people."""
    lines = [
        "| client | what it does | call | headers | body | reads |",
        "|---|---|---|---|---|---|",
    ]
    for one in calls():
        headers = "; ".join(f"`{name}: {value}`" for name, value in one.headers.items())
        signed = f"; SigV4 over `{', '.join(one.signed)}`" if one.signed else ""
        body = f"`{one.body}`" if one.body else ""
        reads = ", ".join(f"`{name}`" for name in one.reads) or "the status"
        lines.append(
            f"| {one.client} | {one.does} | `{one.method} {one.path}` | {headers}{signed} | {body} "
            f"| {one.answers}: {reads} |"
        )
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with the table as it should be."""
    return docs_tables.replaced(page, "clients", table())


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
