# SPDX-License-Identifier: Apache-2.0
"""The gate's settings, and its decisions while the room is unreachable."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from urllib.parse import unquote, urlsplit

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER, START, Clock
from tests.support.tokens import VISITOR, FakeEnded, FakeKeys, token
from tests.unit.gate.gate_site import (
    HTML,
    OLD_SECRET,
    SECRET,
    WAITING,
    Site,
    cookie_pair,
    cookies,
    header,
    settings,
)
from waiting_room.authorizer.verifier import Verifier
from waiting_room.domain.errors import SettingsError
from waiting_room.gate import Gate, GateSettings, path_rules
from waiting_room.gate.decision import Allow, Request
from waiting_room.gate.origins import origin_of
from waiting_room.gate.responses import Response


def test_the_gate_fails_closed_by_default_while_nothing_can_be_checked() -> None:
    site = Site()
    site.keys.empty = site.keys.out_of_reach = True
    answer = site.get(authorization=token(), accept="application/json")
    assert (answer.status, header(answer, "Retry-After")) == (503, "5")
    assert site.get(authorization=token(), accept=HTML).status == 503
    assert site.post_token(token()).status == 503
    assert site.get(accept=HTML).status == 302


def test_the_gate_fails_open_if_configured_while_the_room_is_unavailable(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(fail_open=True)
    assert isinstance(site.get(), Response)
    site.keys.out_of_reach = True
    for sent in ({}, {"authorization": "junk"}, {"authorization": token(at=START - 4000)}):
        assert site.get(**sent) == Allow(until=site.clock() + 60)
    assert "allowed without a check" in caplog.text
    checked = site.get(authorization=token())
    assert checked.claims is not None
    site.keys.empty = True
    assert site.get(authorization=token()) == Allow(until=site.clock() + 60)
    assert site.post_token(token()).status == 303
    assert cookies(site.post_token(token())) == {}
    site.keys.empty = site.keys.out_of_reach = False
    assert isinstance(site.get(), Response)


def test_sessions_stay_valid_while_the_room_is_unavailable() -> None:
    site = Site()
    pair = cookie_pair(site.get(authorization=token()))
    site.keys.empty = site.keys.out_of_reach = True
    assert isinstance(site.get(cookie=pair), Allow)


def test_an_ended_session_leaves_where_the_site_looks() -> None:  # 16
    ended = FakeEnded()
    site = Site(ended)
    pair = cookie_pair(site.get(authorization=token()))
    assert isinstance(site.get(cookie=pair), Allow)
    ended.ids.add(VISITOR)
    assert isinstance(site.get(cookie=pair), Response)
    assert isinstance(site.get(authorization=token()), Response)


def test_paths_that_are_not_behind_the_gate_are_let_through_unchecked() -> None:
    assert Site(exclude=("/static",)).get("/static/a.css") == Allow()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret", "short"), ("secret", b"s" * 32), ("secret", None), ("secret", "\udc80" * 32),
        ("old_secrets", ("short",)), ("old_secrets", "s" * 40), ("old_secrets", (None,)),
        ("event_id", ""), ("event_id", None), ("event_id", " Sample"), ("event_id", "a\nb"),
        ("issuer", ""), ("issuer", "https://issuer\n"), ("issuer", 5),
        ("waiting_room_url", ""), ("waiting_room_url", "javascript:alert(1)"),
        ("waiting_room_url", "https://a\r\nb"), ("waiting_room_url", "https://"),
        ("waiting_room_url", "https://[a/"), ("waiting_room_url", "https://a:x/"),
        ("waiting_room_url", "//room.example/"), ("waiting_room_url", "/\\room.example"),
        ("waiting_room_url", "https://me@room.example/"), ("waiting_room_url", "https://é.example/"),
        ("waiting_room_url", "/wait"), ("waiting_room_url", "https://a b/"),
        ("waiting_room_url", 5),
        ("public_api", "http://room.example"), ("public_api", ""), ("public_api", "https://[a"),
        ("public_api", None), ("public_api", "https://room.example/\n"),
        ("include", "/all"), ("include", ("all",)), ("include", ()), ("include", None),
        ("include", ("/a%62",)), ("include", ("/a//b",)), ("include", ("/a/../b",)),
        ("include", ("/a;b",)), ("include", ("/a?b",)), ("include", ("/a\\b",)), ("include", (5,)),
        ("include", ("/a\0",)), ("include", ("",)), ("include", ("https://shop.example/a",)),
        ("exclude", ("static",)), ("exclude", "/static"), ("exclude", ("/a/.",)),
        ("include", ("/checkout/*",)), ("include", ("/shop", "/user/{id}")),
        ("include", ("/user/<int:id>",)), ("exclude", ("/user/:id",)), ("exclude", ("/a$",)),
        ("include", ("/a[0-9]",)), ("include", ("/(a|b)",)), ("include", ("/^a",)),
        ("include", ("/checkout ",)), ("exclude", ("/a\t",)), ("include", ("/a#b",)),
        ("exclude", ("/a?b=c",)), ("exclude", ("/static/**",)), ("include", ("/a", "")),
        ("entrance", "enter"), ("entrance", "/"), ("entrance", ""), ("entrance", None),
        ("entrance", "/a/../b"), ("entrance", "/a?b"), ("entrance", "/a#b"), ("entrance", "/a/*"),
        ("entrance", "https://shop.example/enter"), ("entrance", "/" + "a" * 256), ("entrance", 5),
        ("header", "a b"), ("header", ""), ("header", None), ("header", "Cookie"),
        ("entrance_origins", "https://a.example"), ("entrance_origins", ("https://a.example/",)),
        ("entrance_origins", ("null",)), ("entrance_origins", ("*",)),
        ("cors_origins", ("*",)), ("cors_origins", ("https://*.example",)),
        ("cors_origins", ("null",)), ("cors_origins", ("https://A.example",)),
        ("cors_origins", ("https://a.example:443",)), ("cors_origins", ("a.example",)),
        ("header", "Sec-Fetch-Mode"), ("header", "Access-Control-Request-Headers"),
        ("header", "X-Requested-With"), ("header", "Purpose"),
        ("event_id", "x" * 65), ("waiting_room_url", "https://room.example/" + "x" * 2_048),
        ("waiting_room_url", "https://room..example/"), ("waiting_room_url", "https://-room/"),
        ("waiting_room_url", "https://room.example:0/"), ("waiting_room_url", "https://[::g]/"),
        ("waiting_room_url", "http://room.example/"), ("waiting_room_url", "room.example"),
        ("public_api", "https://me:secret@room.example/api"), ("public_api", "https://room\\x"),
        ("public_api", "https://room..example/api"), ("public_api", "https://-room/api"),
        ("public_api", "https://room.example/api?x=1"), ("public_api", "https://room.example/#x"),
        ("entrance_origins", ("http://shop.example",)), ("entrance_origins", ("https://a..b",)),
        ("site_origin", "shop.example"), ("site_origin", "https://shop.example/"),
        ("site_origin", "https://*.example"), ("site_origin", None), ("site_origin", 5),
        ("fail_open", "false"), ("fail_open", 0), ("secure_cookie", "no"),
        ("revocation_check", None),
        ("clock_skew", -1), ("clock_skew", 61), ("clock_skew", True), ("clock_skew", "10"),
        ("key_cache", 0), ("key_cache", 181), ("key_cache", 1.5), ("key_cache", "120"),
        ("revocation_cache", 0), ("revocation_cache", 61),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_work_is_named(name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"^The setting {name} ") as raised:
        settings(**{name: value})
    assert str(raised.value).count(".") <= 2


def test_a_site_says_its_origin_to_have_more_checked() -> None:
    with pytest.raises(SettingsError, match=r"^The setting secure_cookie .* site_origin"):
        settings(site_origin="http://127.0.0.1:8000")
    assert settings(site_origin="http://127.0.0.1:8000", secure_cookie=False)
    own: dict[str, Any] = {"site_origin": "https://shop.example", "exclude": ("/open",)}
    for page in ("", "/", "/wait", "/wait?x", "/waiting-room/enter", "/Open", "/open/../wait"):
        with pytest.raises(SettingsError, match=r"^The setting waiting_room_url is a path"):
            settings(waiting_room_url="https://shop.example" + page, **own)
    for page in ("https://shop.example/open", "https://shop.example:8443/", "https://x.example/"):
        assert settings(waiting_room_url=page, **own)
    behind_a_proxy = {"origin": "https://shop.example", "host": "10.0.0.1:8000"}
    assert Site().post_token(token(), **behind_a_proxy).status == 403
    assert (
        Site(site_origin="https://shop.example").post_token(token(), **behind_a_proxy).status == 303
    )


def test_a_configuration_with_an_unknown_or_a_missing_member_is_refused() -> None:
    members: dict[str, Any] = {
        "event_id": EVENT, "issuer": ISSUER, "public_api": "https://room.example/api",
        "waiting_room_url": WAITING, "secret": SECRET, "exclude": ["/static"],
    }  # fmt: skip
    made = GateSettings.from_mapping(members)
    assert made == settings(exclude=("/static",))
    with pytest.raises(SettingsError, match=r"'exlude'\. Did you mean exclude\?$"):
        GateSettings.from_mapping({**members, "exlude": []})
    for name in ("event_id", "secret"):
        with pytest.raises(SettingsError, match=f"^The setting {name} is missing"):
            GateSettings.from_mapping({key: members[key] for key in members if key != name})


def test_a_list_that_changes_later_changes_no_gate() -> None:
    include = ["/checkout"]
    made = settings(include=include)
    include.clear()
    assert made.include == ("/checkout",)


TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "/", "/a", "/a/*", "/a?b", "/a#b", "//a", "/a/../b", "/a%2Fb", "/wait", "/{id}", "", " ",
        "https://shop.example", "https://shop.example/", "http://shop.example", "http://127.0.0.1:1",
        "https://[::1]", "https://[", "https://a:x", "https://a@b", "javascript:x", "s" * 32, "X-A",
    ]
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = (
    TEXTS
    | st.lists(TEXTS, max_size=3).map(tuple)
    | st.none()
    | st.booleans()
    | st.integers(-1, 200)
    | st.binary(max_size=3)
    | st.floats()
)
NAMES = [one.name for one in fields(GateSettings)]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), VALUES, max_size=4))
def test_settings_work_or_are_refused_by_a_sentence_that_names_one(changes: dict[str, Any]) -> None:
    base = {
        "event_id": EVENT, "issuer": ISSUER, "public_api": "https://room.example/api",
        "waiting_room_url": WAITING, "secret": SECRET,
    }  # fmt: skip
    made, said = None, ""
    try:
        made = GateSettings.from_mapping({**base, **changes})
    except SettingsError as error:
        said = str(error)
    if made is None:
        assert [name for name in changes if name in said or repr(name[:40]) in said]
        assert SECRET not in said
        return
    assert set(changes) <= set(NAMES)
    for rule in made.include:  # protects what it names, and the waiting page is reachable
        assert path_rules.is_protected(rule, made.include, ())
    gate = Gate(made, Verifier(tokens.EXPECTED, FakeKeys(), Clock(START + 5)))
    page = urlsplit(made.waiting_room_url)
    if not page.netloc or origin_of(made.waiting_room_url) == made.site_origin:
        assert not gate.is_protected(Request("GET", unquote(page.path), "", {}))
    answer = gate.check(
        Request("GET", made.include[0], "", {"accept": HTML, "host": "shop.example"})
    )
    assert isinstance(answer, Response)
    for jar in cookies(answer).values():
        assert jar["secure"] or not made.secure_cookie
        assert jar.key.startswith("__Host-") is made.secure_cookie


def test_a_waiting_page_of_the_site_itself_must_be_outside_the_gate() -> None:
    for address in ("/wait", "/wait?event=a", "/Wait", "/waiting-room/enter"):
        with pytest.raises(SettingsError, match=r"^The setting waiting_room_url is a path"):
            settings(waiting_room_url=address, exclude=("/other", "/waiting-room/enter"))
    assert settings(waiting_room_url="/wait?event=a", exclude=("/wait",))
    assert settings(waiting_room_url="/wait", include=("/checkout",))


@pytest.mark.parametrize("version", ["2.3.0", "1.7.1", "2.0"])
def test_a_pyjwt_that_lacks_a_check_is_named_at_the_start(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwt, "__version__", version)
    with pytest.raises(SettingsError, match="PyJWT"):
        settings()


def test_an_older_pyjwt_that_takes_no_key_object_verifies_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decode = jwt.decode

    def older(token: str, key: Any, **options: Any) -> Any:
        if isinstance(key, jwt.PyJWK):
            raise TypeError("Expecting a PEM-formatted key.")
        return decode(token, key, **options)

    monkeypatch.setattr(jwt, "decode", older)
    assert isinstance(Site().get(authorization=token()), Allow)


def test_a_site_clock_that_is_some_seconds_behind_rejects_no_token() -> None:
    made = settings().authorizer.expected
    assert made.clock_skew == 60
    clock = Clock(START - 60)
    gate = Gate(settings(), Verifier(made, FakeKeys(), clock), clock)
    assert isinstance(gate.check(Request("GET", "/", "", {"authorization": token()})), Allow)
    clock.now = START - 61
    assert isinstance(gate.check(Request("GET", "/", "", {"authorization": token()})), Response)
    clock.now = START + 3600  # the end of a token has no leeway
    assert isinstance(gate.check(Request("GET", "/", "", {"authorization": token()})), Response)


def test_secrets_are_not_in_a_representation() -> None:
    assert SECRET not in repr(settings(old_secrets=(OLD_SECRET,)))
    assert OLD_SECRET not in repr(settings(old_secrets=(OLD_SECRET,)))
