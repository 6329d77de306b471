# SPDX-License-Identifier: Apache-2.0
"""A custom domain of a distribution: host names, certificate, DNS records."""

from __future__ import annotations

from typing import Any

from aws_cdk import (
    aws_certificatemanager,
    aws_cloudfront,
    aws_route53,
    aws_route53_targets,
)
from constructs import Construct

from infrastructure.parameters.domains import CustomDomain

RECORDS = ("A", "AAAA")  # a distribution has addresses of both kinds


def domain_options(scope: Construct, domain: CustomDomain | None) -> dict[str, Any]:
    """Return the arguments of a distribution for its custom domain; none without one."""
    if domain is None:
        return {}
    certificate = aws_certificatemanager.Certificate.from_certificate_arn(
        scope, "Certificate", domain.certificate
    )
    return {
        "domain_names": list(domain.names),
        "certificate": certificate,
        "minimum_protocol_version": aws_cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
    }


def add_records(
    scope: Construct, distribution: aws_cloudfront.Distribution, domain: CustomDomain | None
) -> None:
    """Write the records of each host name into the domain's zone, if it has one."""
    if domain is None or not domain.zone:
        return
    target = {
        "dnsName": distribution.distribution_domain_name,
        "hostedZoneId": aws_route53_targets.CloudFrontTarget.get_hosted_zone_id(scope),
    }
    aws_route53.CfnRecordSetGroup(
        scope,
        "Records",
        comment="Waiting room",
        hosted_zone_id=domain.zone,
        record_sets=[
            {"name": f"{name}.", "type": kind, "aliasTarget": target}
            for name in domain.names
            for kind in RECORDS
        ],
    )


def address_of(distribution: aws_cloudfront.Distribution, domain: CustomDomain | None) -> str:
    """Return the address that browsers open, without a final slash: custom, or CloudFront's."""
    host = domain.names[0] if domain else distribution.distribution_domain_name
    return f"https://{host}"


def target_output(
    name: str, distribution: aws_cloudfront.Distribution, domain: CustomDomain | None
) -> dict[str, str]:
    """Return the output with the target of DNS records outside Route 53; none without a domain."""
    return {name: distribution.distribution_domain_name} if domain else {}
