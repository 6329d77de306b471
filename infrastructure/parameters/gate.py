# SPDX-License-Identifier: Apache-2.0
"""The parameters of the gate stack."""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.parameters.domains import (
    A_CERTIFICATE,
    A_ZONE,
    CERTIFICATE,
    HOST,
    ZONE,
    CustomDomain,
)
from infrastructure.parameters.parameter import (
    ParameterError,
    Parameters,
    choice,
    number,
    text,
    texts,
)

BALANCER = r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/app/[\w/-]+"
GROUP = r"sg-[0-9a-f]+"


@dataclass(frozen=True, kw_only=True)
class GateConfig(Parameters):
    """Parameters of the gate. Without an origin the stack creates no distribution."""

    origin: str = text(
        "SiteOrigin",
        "host name of the site's own server; the gate's distribution is in front of it",
        default="",
        pattern=HOST,
        constraint="a host name in lower case, without https:// and without a path",
    )
    balancer: str = text(
        "SiteLoadBalancerArn",
        "instead of SiteOrigin: ARN of an internal Application Load Balancer, reached through a"
        " VPC origin",
        default="",
        pattern=BALANCER,
        constraint="the ARN of an Application Load Balancer",
    )
    balancer_group: str = text(
        "SiteLoadBalancerSecurityGroup",
        "with SiteLoadBalancerArn: id of the load balancer's security group",
        default="",
        pattern=GROUP,
        constraint="the id of a security group, such as sg-0123456789abcdef0",
    )
    domains: tuple[str, ...] = texts(
        "SiteDomains",
        "host names under which visitors open the site, separated by commas",
        pattern=HOST,
        constraint="host names in lower case, separated by commas",
    )
    certificate: str = text(
        "SiteCertificateArn",
        "with SiteDomains: ARN of their certificate, in the region us-east-1",
        default="",
        pattern=CERTIFICATE,
        constraint=A_CERTIFICATE,
    )
    zone: str = text(
        "SiteHostedZoneId",
        "with SiteDomains: Route 53 hosted zone into which the stack writes their records",
        default="",
        pattern=ZONE,
        constraint=A_ZONE,
    )
    without_store: str = choice(
        "GateWithoutStore",
        "response while the gate can read no rule at all: `closed` (503 on all paths) or `open` "
        "(all requests pass)",
        default="closed",
        among=("closed", "open"),
    )

    key_number: int = number(
        "GateApiKeyVersion",
        "raise it for a new API key of the protected distributions; the previous key stays valid"
        " until you raise it again",
        default=1,
        low=1,
        high=10**6,
    )

    def __post_init__(self) -> None:
        if self.origin and self.balancer:
            raise ParameterError(
                "The parameters SiteOrigin and SiteLoadBalancerArn exclude each other."
            )
        if bool(self.balancer) != bool(self.balancer_group):
            raise ParameterError(
                "The parameters SiteLoadBalancerArn and SiteLoadBalancerSecurityGroup need each"
                " other."
            )
        if bool(self.domains) != bool(self.certificate):
            raise ParameterError(
                "The parameters SiteDomains and SiteCertificateArn need each other."
            )
        if self.zone and not self.domains:
            raise ParameterError("The parameter SiteHostedZoneId needs SiteDomains.")
        if self.balancer and not self.domains:
            raise ParameterError(
                "The parameter SiteLoadBalancerArn needs SiteDomains: the certificate of the load"
                " balancer has to name the first of them."
            )
        if self.domains and not self.has_distribution:
            raise ParameterError(
                "The parameter SiteDomains needs SiteOrigin or SiteLoadBalancerArn."
            )

    @property
    def domain(self) -> CustomDomain | None:
        """Return the domain of the protected site."""
        if not self.domains:
            return None
        return CustomDomain(names=self.domains, certificate=self.certificate, zone=self.zone)

    @property
    def has_distribution(self) -> bool:
        """Return whether the stack creates a distribution in front of the site."""
        return bool(self.origin or self.balancer)
