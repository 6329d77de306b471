# SPDX-License-Identifier: Apache-2.0
"""The page "Protect your API" is held to the code."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from infrastructure.assets import sites
from tests.support import tokens
from tests.support.in_memory_room import EVENT, ISSUER
from tests.support.servers import ROOT
from tests.support.tokens import VISITOR, room_over_http, token
from waiting_room.adapters import refreshing_value
from waiting_room.adapters.http import json_get
from waiting_room.authorizer import settings, verifier
from waiting_room.domain.room_settings import KEY_ACTIVATION_DELAY
from waiting_room.gate import GateSettings
from waiting_room.runtime.settings.authorizer import read_authorizer_settings

PAGE = (Path(__file__).parents[2] / "docs" / "protect-your-api.md").read_text("utf-8")
CLIENTS = ROOT / "tests" / "clients"
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_every_setting_is_on_the_page() -> None:
    read = inspect.getsource(read_authorizer_settings)
    names = set(re.findall(r'"([A-Z_]{5,})"', read))
    assert len(names) == 6
    names |= {field.name for field in dataclasses.fields(GateSettings)}
    assert [name for name in sorted(names) if f"`{name}`" not in PAGE] == []


def test_the_figures_on_the_page_are_those_of_the_code() -> None:
    for sentence in (
        f"longer than {verifier.MAX_TOKEN:,} characters",
        f"1 to {settings.MAX_KEY_CACHE_SECONDS} | {settings.KEY_CACHE_SECONDS} |",
        f"1 to {settings.MAX_REVOCATION_CACHE_SECONDS} | {settings.REVOCATION_CACHE_SECONDS} |",
        f"{json_get.TIMEOUT:.0f} s for each step on the network",
        f"{json_get.DEADLINE:.0f} s for the whole response",
        f"published {KEY_ACTIVATION_DELAY} s before it signs",
        f"the function ({settings.MAX_KEY_CACHE_SECONDS} s at most)",
    ):
        assert sentence in PAGE
    assert refreshing_value.MAX_STALE_SECONDS == 86_400


def test_the_example_for_a_python_site_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_SECRET", "s" * 32)
    names: dict[str, Any] = {"__name__": "shop"}
    exec(PYTHON[0], names)  # noqa: S102
    assert names["app"].test_client().get("/").status_code == 403


def test_the_example_for_other_languages_makes_the_five_checks() -> None:
    with room_over_http() as room:
        room.publish(tokens.keys())
        names: dict[str, Any] = {"PUBLIC_API": room.url, "EVENT_ID": EVENT, "ISSUER": ISSUER}
        exec(PYTHON[1], names)  # noqa: S102
        check, now = names["claims_of"], int(time.time())
        times = {"iat": now - 5, "nbf": now - 5, "exp": now + 60}
        assert check(token(at=now - 5))["sub"] == VISITOR
        for bad in (
            token(tokens.keys(2).keys[1], at=now - 5),
            token(at=now - 4000),
            token(at=now + 60),
            tokens.signed({**times, "aud": "Other"}),
            tokens.signed({**times, "iss": "https://other.example"}),
            token(at=now - 5, use="refresh"),
            tokens.signed(times, without="nbf"),
        ):
            with pytest.raises(jwt.PyJWTError):
                check(bad)


@pytest.mark.server
def test_the_example_in_javascript_makes_the_five_checks(tmp_path: Path) -> None:
    sites.fetch_modules(CLIENTS)
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    (code,) = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
    now = int(time.time())
    times = {"iat": now - 5, "nbf": now - 5, "exp": now + 60}
    sent = [
        token(at=now - 5), token(tokens.keys(2).keys[1], at=now - 5), token(at=now - 4000),
        token(at=now + 60), tokens.signed({**times, "aud": "Other"}),
        tokens.signed({**times, "iss": "https://other.example"}), token(at=now - 5, use="refresh"),
        tokens.signed(times, without="nbf"),
    ]  # fmt: skip
    with room_over_http() as room:
        room.publish(tokens.keys())
        known = {"PUBLIC_API": room.url, "EVENT_ID": EVENT, "ISSUER": ISSUER, "SENT": sent}
        told = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in known.items())
        ask = "await Promise.all(SENT.map((one) => claimsOf(one).then((to) => to.sub, () => null)))"
        file = tmp_path / "door.mjs"
        file.write_text(f"{told}{code}\nconsole.log(JSON.stringify({ask}));\n")
        done = subprocess.run(
            [Path(sys.executable).with_name("node"), file], capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [VISITOR, *[None] * (len(sent) - 1)]
