# SPDX-License-Identifier: Apache-2.0
"""Generated attempts to pass a gate: none gets through, and a weaker gate is found."""

from __future__ import annotations

from collections import Counter

import pytest

from infrastructure.assets import edge
from tests.attack import bypass
from tests.attack.bypass_attempts import SERVERS, attempts, reaches_protected
from tests.support.servers import ROOT

SEED, COUNT = 20_261_129, 1_500
MADE = list(attempts(SEED, COUNT))


def test_the_attempts_are_of_all_kinds_and_differ() -> None:
    kinds = Counter(one.kind for one in MADE)
    assert set(kinds) == {
        "spelling", "below a bypass", "headers", "verbs", "forged", "foreign", "clock",
    }  # fmt: skip
    assert min(kinds.values()) >= COUNT / 10
    assert len({repr(one) for one in MADE}) > COUNT * 0.9
    assert list(attempts(SEED, COUNT)) == MADE, "a seed repeats a run"


def test_the_attempts_on_the_asgi_middleware_are_of_all_kinds() -> None:
    """As often as among all attempts."""
    some = Counter(one.kind for one in bypass.some_of(MADE))
    for kind, count in Counter(one.kind for one in MADE).items():
        assert some[kind] == pytest.approx(count / bypass.ASGI_EVERY, abs=2), kind


def test_the_models_of_servers_agree_on_what_is_protected() -> None:
    for path in ("/checkout", "/checkout/pay", "/cart", "/a/cart/1", "/shows/1/seats"):
        assert reaches_protected(path)
    for path in ("/", "/search", "/search/cart", "/checkout/static/a", "/checkouts", "/shows/1"):
        assert not reaches_protected(path)
    for path in ("/Checkout", "/a;b/..;c/cart", "/%2563heckout", "/x\\..\\cart", "//a/cart"):
        assert sum(path != server(path) for server in SERVERS) > 0
        assert reaches_protected(path), path


def test_no_attempt_passes_the_decision_or_a_middleware() -> None:
    assert [MADE[at] for at in bypass.on_the_decision(MADE)] == []
    assert [MADE[at] for at in bypass.on_wsgi(MADE)] == []
    assert [MADE[at] for at in bypass.on_wsgi(MADE, with_target=False)] == []
    some = bypass.some_of(MADE)
    assert [some[at] for at in bypass.on_asgi(some)] == []


@pytest.mark.parametrize("name", ["node", "njs"])
def test_no_attempt_passes_the_published_function(name: str) -> None:
    script = edge.cloudfront_function(ROOT)
    assert [MADE[at] for at in bypass.on_the_function(MADE, script, name)] == []


def with_change(right: str, wrong: str) -> str:
    """The function from a changed source."""
    decision, adapter = (
        (ROOT / edge.WORKSPACE / name).read_text(encoding="utf-8")
        for name in ("decision.js", "cloudfront.js")
    )
    assert decision.count(right) == 1, right
    decision = decision.replace(right, wrong).replace("export default", "const decision =")
    return decision + adapter.replace("import decision from './decision.js';\n", "")


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("found.some((one)", "found.slice(0, 1).some((one)", "spelling"),
        ("fold(one)", "one", "spelling"),
        ("!found.every(", "!found.some(", "below a bypass"),
        ("  withoutParameters,\n", "", "spelling"),
        ("  withoutFragment,\n", "", "spelling"),
        ("!same(hmac(key, label(kind, content)), fields[count - 1])", "false", "forged"),
        ("fields[2] !== event)", "false)", "foreign"),
        ("number(fields[3]) < state.g", "false", "foreign"),
        ("if (now >= expires) {", "if (false) {", "clock"),
        ("now < expires + POST_GRACE", "true", "clock"),
        ("same(one, marker)", "true", "clock"),
        ("has(request.headers(header[0].trim().toLowerCase()), value)", "true", "headers"),
    ],
)
def test_the_attempts_find_a_weaker_gate(right: str, wrong: str, kind: str) -> None:
    passed = bypass.on_the_function(MADE, with_change(right, wrong))
    kinds = Counter(MADE[at].kind for at in passed)
    assert kinds[kind] > 0
