# SPDX-License-Identifier: Apache-2.0
"""Run generated attempts on the gate: its decision, its middlewares, and the published function."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infrastructure.assets import edge
from tests.attack.bypass_attempts import KEYS, BypassAttempt, attempts, events
from tests.attack.report import Attempt
from tests.sites.test_edge_decision import engine
from tests.sites.test_edge_decision import run as run_script
from tests.support.servers import ROOT
from tests.unit.site_gate.site import SECURE, Fixed, by_asgi, by_wsgi, environ_of, scope_of
from waiting_room.domain.gate.configuration import GateConfiguration, GateView
from waiting_room.domain.gate.decision import Pass, decide
from waiting_room.domain.gate.store import store_items
from waiting_room.site_gate import SiteGate

FAULT = "bypass"
COUNT = 10_000
ASGI_EVERY = 9  # an event loop for each attempt is slow; coprime to the cycle of kinds


def run(seed: int, count: int = COUNT) -> list[Attempt]:
    """Return one line for each kind of attempt and each gate."""
    made = list(attempts(seed, count))
    asgi = some_of(made)
    found = {
        "decision": (made, on_the_decision(made)),
        "WSGI middleware": (made, on_wsgi(made)),
        "WSGI middleware, decoded path": (made, on_wsgi(made, with_target=False)),
        "ASGI middleware": (asgi, on_asgi(asgi)),
        "published function": (made, on_the_function(made, edge.cloudfront_function(ROOT))),
    }
    report = []
    for gate, (tried, passed) in found.items():
        through = Counter(tried[at].kind for at in passed)
        for kind, number in Counter(one.kind for one in tried).items():
            first = next((tried[at] for at in passed if tried[at].kind == kind), None)
            result = f"{through[kind]} got through"
            if first is not None:
                result += f", first: {first.request.method} {first.request.path!r} {first.request}"
            report.append(Attempt(FAULT, f"{number} × {kind}: {gate}", result, first is not None))
    return report


def some_of(made: Sequence[BypassAttempt]) -> Sequence[BypassAttempt]:
    """Return every ASGI_EVERY-th attempt; they are of all kinds."""
    return made[::ASGI_EVERY]


def on_the_decision(made: Sequence[BypassAttempt]) -> list[int]:
    """Return the numbers of the attempts that the Python decision lets pass."""
    view = _view()
    states = {name: one.state for name, one in view.events.items()}
    keys = KEYS.keys("sale")
    return [
        at
        for at, one in enumerate(made)
        if isinstance(decide(one.request, view.rules, states, keys, one.now), Pass)
    ]


def on_wsgi(made: Sequence[BypassAttempt], *, with_target: bool = True) -> list[int]:
    """Return the numbers of the attempts that reach a WSGI site."""
    passed = []
    for at, one in enumerate(made):
        environ = environ_of(one.request)
        if not with_target:
            del environ["RAW_URI"]
        if by_wsgi(_gate(one), environ).site is not None:
            passed.append(at)
    return passed


def on_asgi(made: Sequence[BypassAttempt]) -> list[int]:
    """Return the numbers of the attempts that reach an ASGI site."""
    return [
        at
        for at, one in enumerate(made)
        if by_asgi(_gate(one), scope_of(one.request)).site is not None
    ]


def on_the_function(made: Sequence[BypassAttempt], script: str, name: str = "node") -> list[int]:
    """Return the numbers of the attempts that a published function lets pass."""
    given = {
        "items": store_items(events(), KEYS),
        "attempts": [{"now": one.now, "request": _plain(one)} for one in made],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "attempts.json"
        file.write_text(json.dumps(given), encoding="utf-8")
        text = f"{script}\nexport default handler;"
        run_script(engine(name), Path(folder), "edge_attempts", str(file), gate=text)
        results = json.loads((Path(folder) / "results.json").read_text(encoding="utf-8"))
    assert len(results) == len(made)
    return [at for at, result in enumerate(results) if isinstance(result, str)]


def _view() -> GateView:
    return GateView.of(
        GateConfiguration.of_event(one, 1, KEYS.keys(one.event_id)) for one in events()
    )


VIEW = _view()


def _gate(one: BypassAttempt) -> SiteGate:
    return SiteGate(SECURE, Fixed(VIEW), lambda: one.now)  # type: ignore[arg-type]


def _plain(one: BypassAttempt) -> dict[str, Any]:
    asked = one.request
    query = {} if asked.query is None else {"query": asked.query}
    return {
        "method": asked.method, "host": asked.host, "path": asked.path,
        "headers": asked.headers, "cookies": asked.cookies, **query,
    }  # fmt: skip
