# SPDX-License-Identifier: Apache-2.0
"""Members of an event that a gate uses: syntax, limits, bypass rules that open a whole site."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from waiting_room.domain.errors import EventConflict, InvalidInput
from waiting_room.domain.events.document import StoredEvent, is_gated
from waiting_room.domain.events.schema import MAX_TIME
from waiting_room.domain.events.site_rules import MAX_LIST, MAX_ORIGIN_LIST
from waiting_room.domain.events.validation import patch_document, replace_document
from waiting_room.domain.gate.credentials import GateKeys
from waiting_room.domain.gate.opening import ROOM_FOR_OPENING
from waiting_room.domain.gate.request import GateRequest
from waiting_room.domain.gate.rules import find_event
from waiting_room.domain.gate.shared_rules import MAX_PARTS, check_shared
from waiting_room.domain.gate.store import MAX_VALUE, GatedEvent, store_items

ID = "e" * 64
VALID = [
    {"path": "/"}, {"path": "/checkout"}, {"path": "/a b"}, {"path": "/**/cart"},
    {"path": "/*/cart/*.php"},
    {"host": "localhost"}, {"host": "www.shop-1.example"}, {"host": "10.0.0.1"},
    {"methods": ["POST"]}, {"methods": ["GET", "OPTIONS"], "path": "/a"},
    {"header": "x-shop"}, {"header": "X-Shop: on sale"}, {"header": "x-shop:on"},
    {"cookie": "staff"}, {"cookie": "staff=a:b/c=="}, {"user_agent": "Some Bot/1.0 (+x)"},
]  # fmt: skip
INVALID: list[tuple[Any, str]] = [
    ("/a", "must be an object"),
    ({}, "must have at least one member"),
    ({"paths": "/a"}, ".paths is not a member"),
    ({"path": "/a", "x": 1}, ".x is not a member"),
    ({"path": 5}, ".path must be a text"),
    ({"path": ""}, ".path must be a path"),
    ({"path": "checkout"}, ".path must be a path"),
    ({"path": "/é"}, ".path must be a path"),
    ({"path": "/a\n"}, ".path must be a path"),
    ({"path": "/a\t"}, ".path must be a path"),
    ({"path": "/" + "a" * 256}, ".path must have at most 256 characters"),
    *(({"path": one}, ".path must be a plain path") for one in (
        "/a?b", "/a#b", "/%61", "/a;b", "/a\\b", "//a", "/a//b", "/./a", "/a/..", "/a/../b",
    )),
    ({"path": "/**/a/**"}, ".path must have at most 2 wildcards"),
    ({"path": "/*/*/*"}, ".path must have at most 2 wildcards"),
    *(({"host": one}, ".host must be a host name") for one in (
        "", "*", "*.example", "Shop.example", "shop.example:443", "https://shop.example",
        "shop.example/", "shop.example.", "-a.example", "é.example", "a" * 64, "shop.example\n",
    )),
    ({"host": ".".join(["a" * 60] * 5)}, ".host must have at most 253 characters"),
    ({"methods": "GET"}, ".methods must be a list"),
    ({"methods": []}, ".methods must have at least 1 entries"),
    ({"methods": ["get"]}, ".methods[0] must be one of GET, HEAD"),
    ({"methods": ["BREW"]}, ".methods[0] must be one of GET, HEAD"),
    ({"methods": ["GET", "GET"]}, ".methods must not have an entry twice"),
    *(({"header": one}, ".header must be the name") for one in (
        "", ":", "x y", "x:", "x: ", "x:  a", "x: a ", "x: é", "x: a\r\ny: b", "ü",
    )),
    *(({"cookie": one}, ".cookie must be the name") for one in (
        "", "=", "=a", "a=", "a b", "a=b c", "a=b;c", 'a="b"', "a=b,c", "a=é", "a=b\n",
    )),
    *(({"user_agent": one}, ".user_agent must be a part") for one in ("", "é", "a\n")),
]  # fmt: skip
OPENS_ALL = [
    {"path": "/"}, {"path": "/**"}, {"path": "/*"}, {"path": "/**/*"}, {"methods": ["OPTIONS"]},
    {"user_agent": "Googlebot"}, {"header": "x-staff"}, {"header": "x-staff: short"},
    {"cookie": "staff"}, {"cookie": "staff=short"}, {"host": "shop.example"},
    {"header": "accept: text/html,application/xhtml+xml"},
    {"header": "Host: shop.example.com.example"}, {"header": "user-agent: Mozilla/5.0 (X11)"},
    {"header": "sec-fetch-dest: documentdocument"},
    {"path": "/*", "header": "x-staff", "user_agent": "a" * 40},
]  # fmt: skip
OPENS_A_PART = [
    {"path": "/health"}, {"path": "/**/*.css"}, {"path": "/*/health"},
    {"host": "static.example"}, {"header": f"x-staff: {'s' * 16}"}, {"cookie": f"staff={'s' * 16}"},
    {"path": "/", "header": f"Authorization: Bearer {'s' * 16}"},
]  # fmt: skip


def put(**members: Any) -> dict[str, Any]:
    return replace_document(members, "sale", None)


@pytest.mark.parametrize("rule", VALID, ids=map(json.dumps, VALID))
def test_a_valid_rule_is_kept_as_given(rule: Any) -> None:
    document = put(protect=[rule])
    assert document["protect"] == [rule]
    assert is_gated(document)
    assert not is_gated(put())


@pytest.mark.parametrize("name", ["protect", "bypass"])
@pytest.mark.parametrize(("rule", "text"), INVALID, ids=[json.dumps(one) for one, _ in INVALID])
def test_an_invalid_rule_is_named_with_its_member(name: str, rule: Any, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        put(**{name: [{"path": "/first"}, rule]})
    told = f"{name}[1]{text}" if text.startswith((".", "[")) else f"{name}[1] {text}"
    assert str(refused.value).startswith(told)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("rule", OPENS_ALL, ids=map(json.dumps, OPENS_ALL))
def test_a_bypass_rule_must_not_open_the_whole_site(rule: Any) -> None:
    """The same rule may protect; by a patch it is refused too."""
    protect = [{"host": "shop.example"}]
    with pytest.raises(InvalidInput, match=r"bypass\[0\] would open the whole site"):
        put(protect=protect, bypass=[rule])
    stored = StoredEvent("sale", 1, put(protect=[*protect, rule]))
    with pytest.raises(InvalidInput, match=r"bypass\[0\] would open the whole site"):
        patch_document({"bypass": [rule]}, stored)


@pytest.mark.parametrize("rule", OPENS_A_PART, ids=map(json.dumps, OPENS_A_PART))
def test_a_bypass_rule_opens_a_part_or_needs_a_secret(rule: Any) -> None:
    assert put(protect=[{"host": "shop.example"}], bypass=[rule])["bypass"] == [rule]


OTHERS: list[tuple[Any, str]] = [
    ({"protect": [{"path": f"/{at}"} for at in range(41)]}, "protect must have at most 40"),
    ({"bypass": [{"path": "/" + "a" * 120}] * 8}, "bypass must have at most 900 bytes"),
    ({"site": {"hosts": ["A.example"]}}, "site.hosts[0] must be a host name"),
    ({"site": {"hosts": ["a:80"]}}, "site.hosts[0] must be a host name"),
    ({"site": {"hosts": ["a", "a"]}}, "site.hosts must not have an entry twice"),
    ({"site": {"hosts": [f"a{at}" for at in range(41)]}}, "site.hosts must have at most 40"),
    ({"site": {"origins": ["https://a/"]}}, "site.origins[0] must be scheme, host and port"),
    ({"site": {"origins": ["null"]}}, "site.origins[0] must be scheme, host and port"),
    ({"site": {"origins": ["https://A"]}}, "site.origins[0] must be scheme, host and port"),
    ({"site": {"origins": ["https://a:443"]}}, "site.origins[0] must not have the default"),
    ({"site": {"origins": ["http://a:80"]}}, "site.origins[0] must not have the default"),
    (
        {"site": {"origins": [f"https://{'a' * 50}.{at}" for at in range(12)]}},
        "site.origins must have at most 600 bytes",
    ),
    ({"session": {"valid_for": 59}}, "session.valid_for must be from 60 to 86400"),
    ({"session": {"renew_every": 29}}, "session.renew_every must be from 30 to 86400"),
    ({"session": {"renew_every": 600}}, "session.renew_every must be less than session.val"),
    ({"session": {"when_unreachable": "ajar"}}, "session.when_unreachable must be one of"),
    ({"session": {"sliding": 1}}, "session.sliding must be true or false"),
]


@pytest.mark.parametrize(("members", "text"), OTHERS, ids=[text for _, text in OTHERS])
def test_another_invalid_member_is_named(members: Any, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        put(**members)
    assert str(refused.value).startswith(text)


def test_the_members_of_a_gate_are_kept() -> None:
    members = {
        "site": {"hosts": ["a.example"], "origins": ["https://a.example", "http://b:8080"]},
        "session": {
            "valid_for": 60, "renew_every": 30, "sliding": False, "when_unreachable": "open",
        },
    }  # fmt: skip
    document = put(**members)
    assert {name: document[name] for name in members} == members


PIECE = st.sampled_from(
    ["/", "a", "Z", "-", ".", "*", "**", "%", "?", ";", "/*/", "é", " ", "checkout"]
)


@given(st.lists(PIECE, max_size=8).map("".join))
def test_each_accepted_path_protects_itself(piece: str) -> None:
    """A rule that matches no request would leave a site open that its owner believes closed."""
    path = f"/{piece}"
    try:
        put(protect=[{"path": path}])
    except InvalidInput:
        return
    sample = path.replace("*", "x")
    rules = [("sale", False, {"path": path})]
    for spelling in (sample, sample.upper(), sample.replace("/", "//"), f"{sample}/below"):
        assert find_event(rules, GateRequest("GET", "a", spelling)) == "sale", spelling


@given(st.lists(PIECE, max_size=6).map("".join), st.sampled_from(["GET", "POST"]))
def test_no_accepted_bypass_path_opens_every_path(piece: str, method: str) -> None:
    rule = {"path": f"/{piece}"}
    try:
        put(bypass=[rule])
    except InvalidInput:
        return
    rules = [("sale", True, rule), ("sale", False, {"path": "/"})]
    assert find_event(rules, GateRequest(method, "a", "/some/other/Path")) == "sale"


TEXT = st.text("abcdefghijklmnopqrstuvwxyz\\/\"'*", min_size=1, max_size=250)
RULE = st.fixed_dictionaries(
    {"path": TEXT.map("/s{}".format)},
    optional={
        "host": st.text("abc", min_size=1, max_size=60),
        "methods": st.sampled_from([["GET"], ["GET", "POST", "PUT", "PATCH", "DELETE"]]),
        "header": TEXT.map("x-a: q{}q".format),
        "cookie": st.text("abc=!", min_size=1, max_size=200).map("c={}".format),
        "user_agent": TEXT,
    },
)
LONGEST_KEYS = GateKeys("n" * 16, {"n" * 16: "5" * 64, "o" * 16: "6" * 64})


class LongestKeys:
    """The longest keys that a store can have: two during a rotation."""

    def keys(self, event_id: str) -> GateKeys:
        return LONGEST_KEYS


@given(st.lists(RULE, min_size=1, max_size=20), st.lists(RULE, max_size=20), st.integers(0, 12))
def test_each_accepted_document_fits_into_the_store(
    protect: list[Any], bypass: list[Any], count: int
) -> None:
    """With the longest event id, the latest times and two keys: the writer never fails."""
    origins = [f"https://{'o' * 30}{at}.example:65535" for at in range(count)]
    members: dict[str, Any] = {
        "protect": protect, "bypass": bypass, "site": {"origins": origins},
        "session": {"valid_for": 86_400, "renew_every": 86_399, "when_unreachable": "open"},
    }  # fmt: skip
    try:
        document = replace_document(members, ID, None)
    except InvalidInput:
        assume(False)
    for name in ("protect", "bypass"):
        assert len(json.dumps(document[name], separators=(",", ":"))) <= MAX_LIST
    latest = {
        **document, "mode": "pass_through",
        "schedule": {**document["schedule"], "opens_at": MAX_TIME, "closes_at": MAX_TIME},
        "control": {**document["control"], "closed_at": MAX_TIME, "paused_at": MAX_TIME},
    }  # fmt: skip
    check_shared(ID, {ID: latest})
    items = store_items([GatedEvent(ID, latest, 10**10, MAX_TIME)], LongestKeys())
    for name, value in items.items():
        assert len(name.encode()) <= 512
        assert len(value.encode()) <= MAX_VALUE - ROOM_FOR_OPENING * name.startswith("e:")


def test_the_longest_lists_fit_into_the_store() -> None:
    origins = ["https://" + "o" * 63 + f".{at:03}" for at in range(7)]
    size = len(json.dumps(origins, separators=(",", ":")))
    origins[-1] = origins[-1].replace("o.", f"o.{'x' * (MAX_ORIGIN_LIST - size - 1)}.")
    document = put(
        protect=[{"path": "/" + "a" * 249}] * 3 + [{"path": "/" + "b" * 100}],
        site={"origins": origins},
        session={"valid_for": 86_400, "renew_every": 86_399, "when_unreachable": "open"},
    )
    sizes = [
        len(json.dumps(one, separators=(",", ":")))
        for one in (document["protect"], document["site"]["origins"])
    ]
    assert sizes == [MAX_LIST, MAX_ORIGIN_LIST]
    document["schedule"].update(opens_at=MAX_TIME, closes_at=MAX_TIME)
    document["control"].update(closed_at=MAX_TIME, paused_at=MAX_TIME)
    items = store_items([GatedEvent(ID, document, 10**10, MAX_TIME)], LongestKeys())
    assert max(len(value.encode()) for value in items.values()) <= MAX_VALUE
    assert len(items[f"e:{ID}"].encode()) + ROOM_FOR_OPENING <= MAX_VALUE


EQUAL = [
    ({"path": "/cart"}, {"path": "/Cart/"}),
    (
        {"path": "/cart", "methods": ["POST", "GET"]},
        {"methods": ["GET", "HEAD", "POST"], "path": "/cart"},
    ),
    ({"header": "X-Shop: a"}, {"header": "x-shop:a"}),
]  # fmt: skip
DIFFERENT = [
    ({"path": "/cart"}, {"path": "/cart/a"}), ({"path": "/cart"}, {"path": "/cart", "host": "a"}),
    ({"cookie": "a=b"}, {"cookie": "A=b"}), ({"header": "a: b"}, {"header": "a: B"}),
    ({"path": "/"}, {"methods": ["GET"]}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), EQUAL, ids=str)
def test_two_events_cannot_have_an_equal_rule(one: Any, two: Any) -> None:
    documents = {"a": put(protect=[one]), "b": put(protect=[{"path": "/other"}, two])}
    with pytest.raises(EventConflict, match="protect has a rule that the event a has too"):
        check_shared("b", documents)


@pytest.mark.parametrize(("one", "two"), DIFFERENT, ids=str)
def test_other_rules_may_overlap(one: Any, two: Any) -> None:
    check_shared("b", {"a": put(protect=[one]), "b": put(protect=[two], bypass=[{"path": "/x"}])})
    check_shared("b", {"a": put(bypass=[{"path": "/x"}]), "b": put(bypass=[{"path": "/x"}])})


def rules(number: int, **members: str) -> dict[str, Any]:
    """Members of an event whose rules fill almost one value of the store."""
    protect = [{"path": f"/{'a' * 200}/{number}/{at}", **members} for at in range(4)]
    return {"protect": protect, "bypass": []}


def test_the_rules_of_a_host_have_a_limit() -> None:
    documents = {f"event-{number}": rules(number) for number in range(MAX_PARTS)}
    check_shared("event-0", documents)
    documents["one-more"] = rules(MAX_PARTS)
    with pytest.raises(EventConflict, match="too many rules for all hosts"):
        check_shared("one-more", documents)


def test_the_rules_of_all_hosts_have_a_limit() -> None:
    documents = {
        f"event-{at}": {"protect": [{"host": f"h{at}", "path": f"/{'a' * 100}"}], "bypass": []}
        for at in range(999)
    }
    check_shared("event-0", documents)
    documents["everywhere"] = rules(0)
    with pytest.raises(EventConflict, match="too many hosts and rules"):
        check_shared("everywhere", documents)
