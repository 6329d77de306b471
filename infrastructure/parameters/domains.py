# SPDX-License-Identifier: Apache-2.0
"""Custom domains: host names of the room's distributions, their certificates and DNS records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infrastructure.parameters.parameter import ParameterError, Parameters, text

HOST = r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
A_HOST = "a host name in lower case, without https:// and without a path"
CERTIFICATE = r"arn:aws[a-z-]*:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f-]+"
A_CERTIFICATE = "the ARN of an ACM certificate in us-east-1"
ZONE = r"Z[A-Z0-9]{1,31}"
A_ZONE = "the id of a Route 53 hosted zone, such as Z0123456789ABCDEFGHIJ"


@dataclass(frozen=True, kw_only=True)
class CustomDomain:
    """The host ``names`` of a distribution, which ``certificate`` covers.

    With a ``zone`` the stack writes their DNS records into it.
    """

    names: tuple[str, ...]
    certificate: str
    zone: str = ""


def domain(name: str, what: str) -> Any:
    """A host name of one of the room's distributions."""
    return text(name, f"custom host name of {what}", default="", pattern=HOST, constraint=A_HOST)


def certificate(name: str, of: str) -> Any:
    """The certificate of the host name in the parameter ``of``."""
    return text(
        name,
        f"with {of}: ARN of its certificate, in the region us-east-1",
        default="",
        pattern=CERTIFICATE,
        constraint=A_CERTIFICATE,
    )


@dataclass(frozen=True, kw_only=True)
class DomainsConfig(Parameters):
    """Custom domains of the room's own distributions; that of a protected site is in GateConfig."""

    api_domain: str = domain("ApiDomain", "the public API")
    api_certificate: str = certificate("ApiCertificateArn", "ApiDomain")
    page_domain: str = domain("PageDomain", "the waiting page (stack sample)")
    page_certificate: str = certificate("PageCertificateArn", "PageDomain")
    panel_domain: str = domain("ConsoleDomain", "the console (stack sample)")
    panel_certificate: str = certificate("ConsoleCertificateArn", "ConsoleDomain")
    openid_domain: str = domain("OpenIdPageDomain", "the waiting page of the stack openid")
    openid_certificate: str = certificate("OpenIdPageCertificateArn", "OpenIdPageDomain")
    zone: str = text(
        "HostedZoneId",
        "Route 53 hosted zone into which the stacks write the records of these host names",
        default="",
        pattern=ZONE,
        constraint=A_ZONE,
    )

    def __post_init__(self) -> None:
        for (name, own), (other, covering) in self._pairs():
            if bool(own) != bool(covering):
                raise ParameterError(f"The parameters {name} and {other} need each other.")
        if self.zone and not self.hosts:
            raise ParameterError("The parameter HostedZoneId needs a domain, such as ApiDomain.")

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the host names that are set."""
        return tuple(own for (_, own), _ in self._pairs() if own)

    @property
    def api(self) -> CustomDomain | None:
        """Return the domain of the public API."""
        return self._domain(self.api_domain, self.api_certificate)

    @property
    def page(self) -> CustomDomain | None:
        """Return the domain of the sample's waiting page."""
        return self._domain(self.page_domain, self.page_certificate)

    @property
    def panel(self) -> CustomDomain | None:
        """Return the domain of the console."""
        return self._domain(self.panel_domain, self.panel_certificate)

    @property
    def openid_page(self) -> CustomDomain | None:
        """Return the domain of the OpenID stack's waiting page."""
        return self._domain(self.openid_domain, self.openid_certificate)

    def check_distinct(self, others: Iterable[str]) -> None:
        """Raise ParameterError for a host name that two distributions have.

        ``others`` are the host names of a protected site. CloudFront accepts each name once.
        """
        seen: set[str] = set()
        for host in (*self.hosts, *others):
            if host in seen:
                raise ParameterError(
                    f"The parameters of domains must not name {host} twice: each host name belongs"
                    " to one distribution."
                )
            seen.add(host)

    def _domain(self, name: str, certificate: str) -> CustomDomain | None:
        if not name:
            return None
        return CustomDomain(names=(name,), certificate=certificate, zone=self.zone)

    def _pairs(self) -> list[tuple[tuple[str, str], tuple[str, str]]]:
        """Return each domain and its certificate, with the names of their parameters."""
        named = [(known.name, getattr(self, part.name)) for part, known in self.known()]
        return list(zip(named[0:8:2], named[1:8:2], strict=True))
