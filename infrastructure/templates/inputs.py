# SPDX-License-Identifier: Apache-2.0
"""The CloudFormation parameters of a template, from the deploy-time parameters of the CDK app.

Each input has a *sample*: an unusual value that the generator finds again in a synthesized
template. Some inputs change the shape of a template; these have a condition as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any

from infrastructure.parameters.core import LOG_PERIODS, CoreConfig
from infrastructure.parameters.optional_stacks import ADDRESS
from infrastructure.parameters.parameter import Parameter, Parameters

STACK_SAMPLE = "QzStack"
# Samples that a rule between parameters needs, or that a pattern does not suggest.
SAMPLES: Mapping[str, str] = {
    "EventId": "Qz-Event",
    "RequestRateLimitPerIp": "60013",
    "AccountApiRate": "900001",
    "AccountApiBurst": "900001",
    "StackName": STACK_SAMPLE,
    "APIGatewayRegion": "qz-qz-1",
    "APIRegion": "qz-qz-2",
    "CoreApiRegion": "qz-qz-3",
    "AuthorizerARN": "arn:aws-qz:lambda:qz-arn-2:998877665544:function:Qz-Authorizer",
    "LogRetentionDays": "1827",
    "StartTime": "1900000043",
    "EndTime": "1900000073",
    "OpenIdRedirectUris": "https://qz.example/callback",
}
# A text that matches the pattern of a parameter is its sample; {} is a number of its own.
CANDIDATES = ("Qz-{}", "qz{}@qz.example", "https://qz{}.example/qz", "cache.qz{}.qz", "qz-qz-{}")
# An address of a page of the template: with http, the page would need other headers.
REDIRECT = r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?][A-Za-z0-9._~:/?@!$&'()+;=%-]*)?"
A_REDIRECT = "an https address without a fragment, a star or a comma"
# What a pattern or limits of a parameter do not say to CloudFormation.
DECLARED: Mapping[str, Mapping[str, Any]] = {
    "LogRetentionDays": {"AllowedValues": [str(days) for days in LOG_PERIODS]},
    "KeyRotationDays": {
        "Type": "String",
        "AllowedPattern": "0|[2-9]|[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-5]",
        "ConstraintDescription": "must be 0, or between 2 and 365",
    },
    **{
        name: {
            "AllowedPattern": f"{ADDRESS}(?<!/)",
            "ConstraintDescription": "must be an https address without a query or final slash",
        }
        for name in ("PublicAPIEndpoint", "PrivateAPIEndpoint", "PrivateCoreApiEndpoint")
    },
    "OpenIdRedirectUris": {
        "AllowedPattern": f"{REDIRECT}(?:,{REDIRECT})*",
        "ConstraintDescription": f"must be {A_REDIRECT}; several are separated by commas",
    },
    "OpenIdRestartUrl": {
        "AllowedPattern": f"(?:{REDIRECT})?",
        "ConstraintDescription": f"must be {A_REDIRECT}",
    },
}
# What the CDK app writes between the entries of a list that it writes as one text.
JOINED: Mapping[str, str] = {"OpenIdRedirectUris": " "}
# Flags whose default depends on the profile, and the default.
BY_PROFILE: Mapping[str, Callable[[CoreConfig], bool]] = {
    "EnableWaf": lambda config: config.enable_waf,
}
WITH_REDIS = ("standard", "cheap")  # profiles that share a template
LARGEST_SAMPLE = 49_999


class DistError(Exception):
    """A template cannot be written; the message contains the reason."""


@dataclass(frozen=True)
class Input:
    """A parameter of a template.

    ``sample`` is its value in a synthesis, ``default`` that of the CDK app, both as text.
    ``switch`` is the name of its condition, which is true for ``sample`` and false for ``off``;
    empty if the input changes no shape. ``test`` defines the condition, ``starts_on`` is its value
    for the defaults. ``symbols`` are the texts of a template that stand for the value, longest
    first, and the expression of each.
    """

    name: str
    declaration: Mapping[str, Any]
    sample: str
    default: str
    switch: str = ""
    test: Mapping[str, Any] = field(default_factory=dict)
    off: str = ""
    symbols: tuple[tuple[str, Any], ...] = ()
    numeric: bool = False
    starts_on: bool = False


def inputs(
    kinds: Iterable[type[Parameters]], only: Iterable[str], profiles: Sequence[str] = WITH_REDIS
) -> list[Input]:
    """Return the inputs for the parameters ``only``, in the order of ``kinds``.

    ``profiles`` are those of the template. Raises DistError.
    """
    wanted, numbers = set(only), _primes()
    found: dict[str, Input] = {}
    for kind in kinds:
        for part, known in kind.known():
            if known.name in wanted and known.name not in found:
                found[known.name] = (
                    _by_profile(known, profiles)
                    if known.name in BY_PROFILE
                    else _input(known, part.default, len(found), numbers, profiles)
                )
    return list(found.values())


def _by_profile(known: Parameter, profiles: Sequence[str]) -> Input:
    """Return a flag whose default, an empty text, depends on the profile of the template."""
    ref = {"Ref": known.name}
    (starts_on,) = {BY_PROFILE[known.name](CoreConfig(profile=one)) for one in profiles}
    test = {"Fn::Not": [_equals(ref, "false")]} if starts_on else _equals(ref, "true")
    declaration = {
        "Type": "String",
        "Description": known.description.replace("`", ""),
        "Default": "",
        "AllowedValues": ["", "true", "false"],
    }
    return Input(
        known.name, declaration, "true", "", f"Is{known.name}", test, "false", starts_on=starts_on
    )


def _input(
    known: Parameter, default: Any, index: int, numbers: list[int], profiles: Sequence[str]
) -> Input:
    ref = {"Ref": known.name}
    shown = "" if default is MISSING else _text(default)
    declaration: dict[str, Any] = {
        "Type": "String",
        "Description": known.description.replace("`", ""),
        **({} if default is MISSING else {"Default": shown}),
    }
    if known.kind == "flag":
        declaration["AllowedValues"] = ["true", "false"]
        return Input(
            known.name, declaration, "true", shown, f"Is{known.name}", _equals(ref, "true"),
            "false", (("true", ref),), starts_on=bool(default),
        )  # fmt: skip
    if known.kind == "choice":
        words = profiles if known.name == "Profile" else known.among
        declaration["AllowedValues"] = list(words)
        return _choice(known.name, words, declaration, shown)
    if known.kind == "number":
        return _number(known, declaration, shown, numbers)
    if known.kind == "text":
        return _texts(known, declaration, shown, index)
    if known.name in JOINED:
        return _list(known, declaration)
    raise DistError(
        f"{known.name}: a template cannot declare a parameter of the kind {known.kind}. Move it to"
        " FIXED in infrastructure/parameters/without_cdk.py."
    )


def _choice(name: str, words: Sequence[str], declaration: Mapping[str, Any], default: str) -> Input:
    ref = {"Ref": name}
    (*_, sample) = (word for word in words if word != default)
    if len(words) > 2:
        return Input(name, declaration, sample, default, symbols=((sample, ref),))
    switch = f"{name}Is{sample[0].upper()}{sample[1:]}"
    test = _equals(ref, sample)
    return Input(name, declaration, sample, default, switch, test, default, ((sample, ref),))


def _equals(one: Any, other: str) -> dict[str, Any]:
    return {"Fn::Equals": [one, other]}


def _number(
    known: Parameter, declaration: dict[str, Any], default: str, numbers: list[int]
) -> Input:
    ref = {"Ref": known.name}
    declaration |= {"Type": "Number", "MinValue": known.low, "MaxValue": known.high}
    if known.name in DECLARED:
        declaration |= DECLARED[known.name]
    if declaration["Type"] != "Number" or "AllowedValues" in declaration:
        del declaration["MinValue"], declaration["MaxValue"]
    sample = SAMPLES.get(known.name) or str(_pick(known, numbers))
    switch = f"Has{known.name}" if default == "0" else ""
    test = {"Fn::Not": [_equals(ref, "0")]} if switch else {}
    symbols = ((sample, ref),)
    return Input(known.name, declaration, sample, default, switch, test, "0", symbols, True)


def _texts(known: Parameter, declaration: dict[str, Any], default: str, index: int) -> Input:
    ref = {"Ref": known.name}
    optional = default == "" and "Default" in declaration
    declaration |= {
        "AllowedPattern": f"(?:{known.pattern})?" if optional else known.pattern,
        "ConstraintDescription": f"must be {known.constraint}",
        **DECLARED.get(known.name, {}),
    }
    sample = SAMPLES.get(known.name) or _candidate(known, index)
    switch = f"Has{known.name}" if optional else ""
    test = {"Fn::Not": [_equals(ref, "")]} if switch else {}
    symbols = ((sample, ref), *_derived(sample, ref))
    return Input(known.name, declaration, sample, default, switch, test, "", symbols)


def _list(known: Parameter, declaration: Mapping[str, Any]) -> Input:
    """Return a list with at least one entry, whose entries the CDK app writes into one text."""
    required = {name: part for name, part in declaration.items() if name != "Default"}
    joined = {"Fn::Join": [JOINED[known.name], {"Fn::Split": [",", {"Ref": known.name}]}]}
    sample = SAMPLES[known.name]
    return Input(
        known.name, {**required, **DECLARED[known.name]}, sample, "", symbols=((sample, joined),)
    )


def _derived(sample: str, ref: Mapping[str, str]) -> tuple[tuple[str, Any], ...]:
    """Return parts that the CDK app takes from a text: origin and host, or the parts of an ARN."""
    if sample.startswith("arn:aws-qz:"):
        return tuple(
            (sample.split(":")[index], {"Fn::Select": [index, {"Fn::Split": [":", ref]}]})
            for index in (1, 3, 4)
        )
    if not sample.startswith("https://"):
        return ()
    host = sample.split("/")[2]
    found = {"Fn::Select": [2, {"Fn::Split": ["/", ref]}]}
    derived = ((f"https://{host}", {"Fn::Join": ["", ["https://", found]]}), (host, found))
    return tuple(one for one in derived if one[0] != sample)


def _candidate(known: Parameter, index: int) -> str:
    for candidate in CANDIDATES:
        text = candidate.format(index + 101)
        if re.fullmatch(known.pattern, text, re.ASCII):
            return text
    raise DistError(
        f"The parameter {known.name} needs a sample in infrastructure/templates/inputs.py."
    )


def _pick(known: Parameter, numbers: list[int]) -> int:
    """Take an unusual number within the limits; each is taken once."""
    for number in numbers:
        if known.low <= number <= known.high:
            numbers.remove(number)
            return number
    raise DistError(
        f"The parameter {known.name} needs a sample in infrastructure/templates/inputs.py."
    )


def _primes() -> list[int]:
    """Return prime numbers, the largest first: few other numbers of a template are prime."""
    sieve = bytearray([1]) * (LARGEST_SAMPLE + 1)
    for number in range(2, int(LARGEST_SAMPLE**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
    return [number for number in range(LARGEST_SAMPLE, 10, -1) if sieve[number]]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value in ((), None) else str(value)
