# SPDX-License-Identifier: Apache-2.0
"""A static site: files and ``config.json`` in a bucket that only CloudFront can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from aws_cdk import (
    Duration,
    Fn,
    RemovalPolicy,
    aws_cloudfront,
    aws_cloudfront_origins,
    aws_s3,
    aws_s3_deployment,
)
from constructs import Construct

from infrastructure.assets.lambda_code import PLAIN
from infrastructure.blueprint.site_config import CONFIG, NOT_FOUND, READABLE, headers_of
from infrastructure.constructs.compute.encryption import bucket_encryption
from infrastructure.constructs.compute.function import FunctionDefaults
from infrastructure.constructs.edge.custom_domain import (
    add_records,
    address_of,
    domain_options,
)
from infrastructure.constructs.edge.policies import YEAR
from infrastructure.constructs.names import LONGEST_EDGE, account_wide_name
from infrastructure.parameters.domains import CustomDomain

ROOT = Path(__file__).resolve().parents[3]
BROWSERS_KEEP = 60  # s; browsers load a changed page after this time
# Headers with a setting of their own in CloudFront; all others are custom headers.
POLICY, FRAMES, REFERRER = "Content-Security-Policy", "X-Frame-Options", "Referrer-Policy"
KNOWN = (POLICY, FRAMES, REFERRER, "X-Content-Type-Options", *READABLE)


class Site(Construct):
    """One of the two sites. Browsers open its ``address``, which ends with a slash.

    ``calls`` are the addresses that its pages may call, ``forms`` the CSP sources of its forms.
    Its ``domain`` is a custom one, or None for that of CloudFront. ``config_at`` returns members
    of ``config.json`` that depend on the address.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        site: str,
        config: Mapping[str, Any],
        calls: Sequence[str],
        defaults: FunctionDefaults,
        forms: Sequence[str] = (),
        domain: CustomDomain | None = None,
        config_at: Callable[[str], Mapping[str, Any]] = lambda _: {},
    ) -> None:
        super().__init__(scope, name)
        bucket = aws_s3.Bucket(
            self,
            "Files",
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            **bucket_encryption(defaults.key),
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY,  # its content is built from the sources
            auto_delete_objects=True,
        )
        access = aws_cloudfront.S3OriginAccessControl(
            self,
            "Access",
            origin_access_control_name=account_wide_name(self, "Access", longest=LONGEST_EDGE),
        )
        origin = aws_cloudfront_origins.S3BucketOrigin.with_origin_access_control(
            bucket, origin_access_control=access
        )
        distribution = aws_cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"Waiting room: {site.replace('_', ' ')}",
            default_root_object="index.html",
            http_version=aws_cloudfront.HttpVersion.HTTP2_AND_3,
            default_behavior=aws_cloudfront.BehaviorOptions(
                origin=origin,
                viewer_protocol_policy=aws_cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                cache_policy=aws_cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=headers_policy(self, headers_for(site, calls, forms)),
            ),
            # S3 returns 403 for a missing key to a caller that may not list the bucket
            error_responses=[
                aws_cloudfront.ErrorResponse(
                    http_status=status,
                    response_http_status=404,
                    response_page_path=f"/{NOT_FOUND}",
                    ttl=Duration.seconds(BROWSERS_KEEP),
                )
                for status in (403, 404)
            ],
            **domain_options(self, domain),
        )
        add_records(self, distribution, domain)
        self.distribution = distribution
        self.address = f"{address_of(distribution, domain)}/"
        keep = f"public, max-age={BROWSERS_KEEP}"
        aws_s3_deployment.BucketDeployment(
            self,
            "Deployment",
            sources=[
                aws_s3_deployment.Source.asset(str(site_folder(self, site))),
                aws_s3_deployment.Source.json_data(CONFIG, {**config, **config_at(self.address)}),
            ],
            destination_bucket=bucket,
            distribution=distribution,
            distribution_paths=["/*"],
            cache_control=[aws_s3_deployment.CacheControl.from_string(keep)],
            log_group=defaults.log_group(self, "Logs"),
        )


def headers_for(site: str, calls: Sequence[str], forms: Iterable[str] = ()) -> dict[str, str]:
    """Return ``headers_of`` a site for addresses that may be known only at deployment.

    Such addresses cannot be parsed now. Placeholders are used and then replaced by the origins.
    """
    origins = {f"https://call-{index}.invalid": origin_of(one) for index, one in enumerate(calls)}
    aims = {f"https://form-{index}.invalid": one for index, one in enumerate(forms)}
    headers = headers_of(site, origins, aims)
    for stand_in, origin in {**origins, **aims}.items():
        headers = {name: text.replace(stand_in, origin) for name, text in headers.items()}
    return headers


def origin_of(address: str) -> str:
    """Return scheme and host of an https address, or a reference that resolves to them."""
    return f"https://{Fn.select(2, Fn.split('/', address))}"


def headers_policy(
    scope: Construct, headers: Mapping[str, str]
) -> aws_cloudfront.ResponseHeadersPolicy:
    """Return the policy that adds ``headers`` to the files of a site."""
    referrer = headers[REFERRER].upper().replace("-", "_")
    security = aws_cloudfront.ResponseSecurityHeadersBehavior(
        content_security_policy=aws_cloudfront.ResponseHeadersContentSecurityPolicy(
            content_security_policy=headers[POLICY], override=True
        ),
        content_type_options=aws_cloudfront.ResponseHeadersContentTypeOptions(override=True),
        frame_options=aws_cloudfront.ResponseHeadersFrameOptions(
            frame_option=aws_cloudfront.HeadersFrameOption[headers[FRAMES]], override=True
        ),
        referrer_policy=aws_cloudfront.ResponseHeadersReferrerPolicy(
            referrer_policy=aws_cloudfront.HeadersReferrerPolicy[referrer], override=True
        ),
        strict_transport_security=aws_cloudfront.ResponseHeadersStrictTransportSecurity(
            access_control_max_age=Duration.days(YEAR), include_subdomains=True, override=True
        ),
    )
    others = [
        aws_cloudfront.ResponseCustomHeader(header=name, value=value, override=True)
        for name, value in headers.items()
        if name not in KNOWN
    ]
    return aws_cloudfront.ResponseHeadersPolicy(
        scope,
        "Headers",
        response_headers_policy_name=account_wide_name(scope, "Headers"),
        comment="Waiting room: pages",
        security_headers_behavior=security,
        cors_behavior=_readable() if READABLE.items() <= headers.items() else None,
        custom_headers_behavior=aws_cloudfront.ResponseCustomHeadersBehavior(custom_headers=others),
    )


def _readable() -> aws_cloudfront.ResponseHeadersCorsBehavior:
    """Return the CORS setting; CloudFront does not accept these as custom headers."""
    return aws_cloudfront.ResponseHeadersCorsBehavior(
        access_control_allow_credentials=False,
        access_control_allow_headers=["*"],
        access_control_allow_methods=["GET", "HEAD"],
        access_control_allow_origins=list(READABLE.values()),
        origin_override=True,
    )


def site_folder(scope: Construct, site: str) -> Path:
    """Return the folder with the files of a site, built unless the context asks for plain ones."""
    if scope.node.try_get_context(PLAIN):
        return ROOT / "source" / "sites" / site
    return _built()[site]


@cache
def _built() -> dict[str, Path]:
    from infrastructure.assets.sites import build

    return build(ROOT, ROOT / "build" / "sites")
