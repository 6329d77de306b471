# SPDX-License-Identifier: Apache-2.0
"""The parameters of the optional stacks. Names are those of the AWS solution.

If core is deployed by the same command, the other stacks refer to its addresses and names. The
authorizer, the sample, openid and inlet can be deployed without core; they then need these values
as parameters.

The module has more than 300 lines because it is one flat list of parameters with its checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infrastructure.blueprint.resources import INLETS
from infrastructure.blueprint.site_config import origin
from infrastructure.parameters.account import AccountConfig
from infrastructure.parameters.core import AN_EVENT
from infrastructure.parameters.domains import DomainsConfig
from infrastructure.parameters.gate import GateConfig
from infrastructure.parameters.operator_sign_in import OperatorSignInConfig
from infrastructure.parameters.parameter import (
    ParameterError,
    Parameters,
    choice,
    content,
    flag,
    number,
    text,
    texts,
)
from infrastructure.parameters.restored import RestoredConfig
from waiting_room.domain.events.brand import checked_brand
from waiting_room.domain.limits import EVENT_ID, MAX_INCREMENT
from waiting_room.gate.origins import is_origin, origin_of
from waiting_room.inlet.settings import MAX_EPOCH, MAX_TICKS
from waiting_room.openid.protocol import TRANSACTION_LIFE, check_redirect_uris
from waiting_room.openid.settings import RESTART_AFTER

CORE, AUTHORIZER, SAMPLE, OPENID, INLET = "core", "authorizer", "sample", "openid", "inlet"
GATE, EDGE_ALARMS, POLICIES = "gate", "edge-alarms", "policies"
STACKS = (CORE, AUTHORIZER, SAMPLE, OPENID, INLET, GATE, EDGE_ALARMS, POLICIES)
GETTING_STARTED = f"{CORE},{AUTHORIZER},{SAMPLE}"
ENTRANCE = r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~/%-]+"
ORIGIN = r"https://[a-z0-9.-]+(:[0-9]{1,5})?"
ADDRESS = r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?"
AN_ADDRESS = "an https address without a query"
REGION = r"[a-z]{2}(-[a-z]+)+-[0-9]"
A_REGION = "a region like eu-central-1"
REDIRECT = r"(https?://[^\s,*]+)"


@dataclass(frozen=True, kw_only=True)
class StacksConfig(Parameters):
    """The stacks that a command deploys."""

    chosen: str = text(
        "Stacks",
        f"stacks to deploy, separated by commas: {', '.join(STACKS)}",
        default=GETTING_STARTED,
        pattern=r"[a-z, -]+",
        constraint=f"some of {', '.join(STACKS)}, separated by commas",
    )

    def __post_init__(self) -> None:
        if not self.names or self.names - set(STACKS):
            raise ParameterError(
                f"The parameter Stacks must be some of {', '.join(STACKS)},"
                f" not {self.chosen[:40]!r}."
            )
        if POLICIES in self.names and len(self.names) > 1:
            raise ParameterError(
                "The stack policies is deployed alone, once per account: the parameter Stacks must"
                " name no other."
            )
        if GATE in self.names and CORE not in self.names:
            raise ParameterError(
                f"The stack {GATE} needs core: the parameter Stacks must name both."
            )

    @property
    def names(self) -> frozenset[str]:
        """The names of the stacks."""
        return frozenset(name.strip() for name in self.chosen.split(",") if name.strip())


@dataclass(frozen=True, kw_only=True)
class AuthorizerConfig(Parameters):
    """Parameters of the authorizer if it is deployed without core."""

    public_api: str = text(
        "PublicAPIEndpoint", "core's PublicApiInvokeURL", pattern=ADDRESS, constraint=AN_ADDRESS
    )
    event_id: str = text(
        "WaitingRoomEventID",
        "core's EventId",
        pattern=EVENT_ID.pattern,
        constraint=AN_EVENT,
        default="Sample",
    )
    issuer: str = text(
        "IssuerURI", "core's PublicTokenIssuer", pattern=ADDRESS, constraint=AN_ADDRESS
    )


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Parameters):
    """Parameters of the sample if it is deployed without core."""

    public_api: str = text(
        "PublicAPIEndpoint", "core's PublicApiInvokeURL", pattern=ADDRESS, constraint=AN_ADDRESS
    )
    private_api: str = text(
        "PrivateAPIEndpoint", "core's PrivateApiInvokeURL", pattern=ADDRESS, constraint=AN_ADDRESS
    )
    region: str = text(
        "APIGatewayRegion",
        "core's region",
        pattern=REGION,
        constraint=A_REGION,
    )
    event_id: str = text(
        "EventID",
        "core's EventId",
        pattern=EVENT_ID.pattern,
        constraint=AN_EVENT,
        default="Sample",
    )


@dataclass(frozen=True, kw_only=True)
class OpenIdRoomConfig(Parameters):
    """Parameters of the OpenID provider if it is deployed without core."""

    public_api: str = text(
        "PublicAPIEndpoint", "core's PublicApiInvokeURL", pattern=ADDRESS, constraint=AN_ADDRESS
    )
    region: str = text(
        "APIRegion",
        "core's region, which is that of the stack",
        pattern=REGION,
        constraint=A_REGION,
    )
    event_id: str = text(
        "EventID",
        "core's EventId",
        pattern=EVENT_ID.pattern,
        constraint=AN_EVENT,
        default="Sample",
    )


@dataclass(frozen=True, kw_only=True)
class InletRoomConfig(Parameters):
    """Parameters of the inlet if it is deployed without core; `EventId` is one of core."""

    private_api: str = text(
        "PrivateCoreApiEndpoint",
        "core's PrivateApiInvokeURL",
        pattern=ADDRESS,
        constraint=AN_ADDRESS,
    )
    region: str = text(
        "CoreApiRegion",
        "core's region, which is that of the stack",
        pattern=REGION,
        constraint=A_REGION,
    )


@dataclass(frozen=True, kw_only=True)
class BrandConfig(Parameters):
    """The brand of the waiting pages."""

    brand: dict[str, Any] | None = content(  # noqa: RUF009 - it is a field
        "PageBrand",
        "name, logo, colours and texts of the waiting page, as JSON (`docs/pages.md`)",
        check=checked_brand,
        constraint="a JSON object",
    )


@dataclass(frozen=True, kw_only=True)
class PageConfig(Parameters):
    """The sample's waiting page for a site with the Python gate."""

    entrance: str = text(
        "SiteEntrance",
        "address at which the gate of your site accepts the token, such as"
        " `https://shop.example/waiting-room/enter`; the page sends its visitors there",
        default="",
        pattern=ENTRANCE,
        constraint="an https address with a path and without a query",
    )
    redirects: tuple[str, ...] = texts(
        "SiteRedirectOrigins",
        "origins to which your site redirects right after the entrance, separated by commas",
        pattern=ORIGIN,
        constraint="origins such as https://www.shop.example, separated by commas",
    )

    def __post_init__(self) -> None:
        if self.redirects and not self.entrance:
            raise ParameterError("The parameter SiteRedirectOrigins needs SiteEntrance.")
        if self.entrance and origin_of(self.entrance) is None:
            raise ParameterError("The parameter SiteEntrance must have a valid host and port.")
        if not all(is_origin(one) for one in self.redirects):
            raise ParameterError(
                "The parameter SiteRedirectOrigins must be origins such as"
                " https://www.shop.example, with a valid host and port."
            )

    @property
    def forms(self) -> list[str]:
        """Return the CSP sources of the page's form: the entrance and its redirect targets."""
        return list(
            dict.fromkeys([origin(self.entrance), *self.redirects] if self.entrance else ())
        )


@dataclass(frozen=True, kw_only=True)
class AuthorizerArn(Parameters):
    """Parameter of the sample if it is deployed without the authorizer."""

    arn: str = text(
        "AuthorizerARN",
        "output AuthorizerFunctionARN of the authorizer stack",
        pattern=r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?",
        constraint="the ARN of a Lambda function",
    )


@dataclass(frozen=True, kw_only=True)
class OpenIdConfig(Parameters):
    """Parameters of the OpenID provider."""

    redirect_uris: tuple[str, ...] = texts(
        "OpenIdRedirectUris",
        "registered redirect addresses, separated by commas",
        pattern=REDIRECT,
        constraint="addresses, separated by commas",
        required=True,
    )
    restart_url: str = text(
        "OpenIdRestartUrl",
        "address where the site starts a login, for visitors who wait longer than"
        " OpenIdRestartAfter",
        default="",
        pattern=REDIRECT,
        constraint="an address",
    )
    restart_after: int = number(
        "OpenIdRestartAfter",
        "seconds of waiting after which visitors go to OpenIdRestartUrl",
        default=RESTART_AFTER,
        low=60,
        high=TRANSACTION_LIFE,
    )
    waiting_room_url: str = text(
        "OpenIdWaitingRoomUrl",
        "address of your own waiting page; without it the stack deploys one",
        default="",
        pattern=ADDRESS,
        constraint=AN_ADDRESS,
    )
    request_id_codes: bool = flag(
        "OpenIdRequestIdCodes",
        "accept the AWS solution's waiting page, whose authorization code is the request id;"
        " less secure",
        default=False,
    )

    def __post_init__(self) -> None:
        self.check_required()
        if self.request_id_codes and not self.waiting_room_url:
            raise ParameterError(
                "The parameter OpenIdRequestIdCodes needs OpenIdWaitingRoomUrl, a waiting page of "
                "your own."
            )
        try:
            check_redirect_uris([*self.redirect_uris, *filter(None, [self.restart_url])])
        except ValueError as error:
            raise ParameterError(f"OpenIdRedirectUris or OpenIdRestartUrl: {error}.") from None


@dataclass(frozen=True, kw_only=True)
class InletConfig(Parameters):
    """Parameters of the inlet. Each number belongs to one strategy; the others ignore it."""

    strategy: str = choice(
        "InletStrategy", "`Periodic` or `MaxSize`", default="Periodic", among=INLETS
    )
    increment_by: int = number(
        "IncrementBy",
        "Periodic: visitors admitted per minute",
        default=10,
        low=1,
        high=MAX_INCREMENT,
    )
    max_size: int = number(
        "MaxSize",
        "MaxSize: visitors on the site at the same time",
        default=100,
        low=1,
        high=MAX_INCREMENT,
    )
    start_time: int = number(
        "StartTime", "start of admission, in epoch seconds", default=0, low=0, high=MAX_EPOCH
    )
    end_time: int = number(
        "EndTime",
        "end of admission, in epoch seconds; 0 for never",
        default=0,
        low=0,
        high=MAX_EPOCH,
    )
    alarm: str = text(
        "CloudWatchAlarmName",
        "CloudWatch alarm that stops admission while it is in ALARM",
        default="",
        pattern=r"[^\x00-\x1f]{1,255}",
        constraint="the name of an alarm",
    )
    on_insufficient_data: str = choice(
        "OnInsufficientData",
        "`go` or `hold` while the alarm has no data",
        default="go",
        among=("go", "hold"),
    )
    ticks_per_minute: int = number(
        "TicksPerMinute",
        "ticks (actions) per minute; 0 means the default of 1",
        default=0,
        low=0,
        high=MAX_TICKS,
    )

    def __post_init__(self) -> None:
        if self.end_time and self.end_time <= self.start_time:
            raise ParameterError("The parameter EndTime must be 0 or after StartTime.")

    @property
    def settings(self) -> dict[str, str]:
        """Return the functions' environment; ``waiting_room.runtime.settings.inlet`` reads it."""
        ticks = {"TICKS_PER_MINUTE": self.ticks_per_minute} if self.ticks_per_minute else {}
        values = {
            "INLET_STRATEGY": self.strategy,
            "INCREMENT_BY": self.increment_by,
            "MAX_SIZE": self.max_size,
            "START_TIME": self.start_time,
            "END_TIME": self.end_time,
            "CLOUDWATCH_ALARM_NAME": self.alarm,
            "ON_INSUFFICIENT_DATA": self.on_insufficient_data,
            **ticks,
        }
        return {name: str(value) for name, value in values.items() if value != ""}


@dataclass(frozen=True, kw_only=True)
class EdgeAlarmsConfig(Parameters):
    """Parameters of the alarms of the edge."""

    distributions: tuple[str, ...] = texts(
        "EdgeDistributions",
        "ids of the distributions, separated by commas: the outputs EdgeDistribution of core and"
        " GateDistribution of gate",
        pattern=r"E[0-9A-Z]{5,19}",
        constraint="ids of distributions like E1A2B3C4D5E6F7, separated by commas",
        required=True,
    )

    def __post_init__(self) -> None:
        self.check_required()
        if len(set(self.distributions)) < len(self.distributions):
            raise ParameterError("The parameter EdgeDistributions names a distribution twice.")


PARAMETERS = (
    StacksConfig,
    AccountConfig,
    RestoredConfig,
    DomainsConfig,
    AuthorizerConfig,
    SampleConfig,
    PageConfig,
    BrandConfig,
    OperatorSignInConfig,
    AuthorizerArn,
    OpenIdRoomConfig,
    InletRoomConfig,
    OpenIdConfig,
    InletConfig,
    GateConfig,
    EdgeAlarmsConfig,
)
