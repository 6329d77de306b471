# SPDX-License-Identifier: Apache-2.0
"""Rules between the members of an event that a gate uses: site, protect and bypass.

A rule that can never match protects nothing, and a bypass rule that always matches opens the site.
Both are mistakes that no visitor reports, so the document is rejected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.gate.path_readings import readings
from waiting_room.domain.gate.rules import WILDCARDS

Rule = Mapping[str, Any]
MAX_LIST: Final = 900  # bytes of a list of rules as compact JSON; the store of the edge has 1,024
MAX_ORIGIN_LIST: Final = 600  # bytes of site.origins as compact JSON
MAX_WILDCARDS: Final = 2  # in a path; more make a long path slow to compare
SECRET: Final = 16  # characters that a value needs to count as a secret
DEFAULT_PORTS: Final = re.compile(r"http://.*:80|https://.*:443")
# Headers that every client sends: their values are no secret.
SENT_BY_ALL: Final = re.compile(
    "accept.*|cache-control|cloudfront-.*|connection|content-.*|cookie|dnt|forwarded|from|host|if-.*"
    "|origin|pragma|priority|range|referer|sec-.*|upgrade-.*|user-agent|via|x-forwarded-.*"
    "|x-requested-with"
)


def check_site(document: Mapping[str, Any]) -> None:
    """Raise InvalidInput, which names the member, for rules that a gate cannot apply."""
    protect, bypass = document["protect"], document["bypass"]
    for name, rules in (("protect", protect), ("bypass", bypass)):
        for index, rule in enumerate(rules):
            if "path" in rule:
                _check_path(f"{name}[{index}].path", rule["path"])
        if _size(rules) > MAX_LIST:
            raise InvalidInput(f"{name} must have at most {MAX_LIST} bytes as compact JSON")
    hosts = {rule["host"] for rule in protect if "host" in rule}
    for index, rule in enumerate(bypass):
        if not _has_limit(rule, hosts):
            raise InvalidInput(
                f"bypass[{index}] would open the whole site: add a path, a host that protect does"
                f" not name, or a secret of {SECRET} characters as header or cookie"
            )
    origins = document["site"]["origins"]
    for index, origin in enumerate(origins):
        if DEFAULT_PORTS.fullmatch(origin):
            raise InvalidInput(f"site.origins[{index}] must not have the default port")
    if _size(origins) > MAX_ORIGIN_LIST:
        raise InvalidInput(
            f"site.origins must have at most {MAX_ORIGIN_LIST} bytes as compact JSON"
        )


def _check_path(name: str, path: str) -> None:
    if readings(path) != [path]:
        raise InvalidInput(
            f"{name} must be a plain path: without query, %, ;, \\, // and segments . and .."
        )
    wildcards = WILDCARDS.findall(path)
    if len(wildcards) > MAX_WILDCARDS or sum("**" in one for one in wildcards) > 1:
        raise InvalidInput(f"{name} must have at most {MAX_WILDCARDS} wildcards, and ** only once")


def _has_limit(rule: Rule, protected_hosts: set[str]) -> bool:
    """Return whether a bypass rule opens only a part of a site, or only for those with a secret."""
    if WILDCARDS.sub("", rule.get("path", "")).strip("/"):
        return True
    if "host" in rule and rule["host"] not in protected_hosts:
        return True
    header, _, header_value = rule.get("header", "").partition(":")
    if len(header_value.strip()) >= SECRET and not SENT_BY_ALL.fullmatch(header.lower()):
        return True
    return len(rule.get("cookie", "").partition("=")[2]) >= SECRET


def _size(values: Sequence[Any]) -> int:
    return len(json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode())
