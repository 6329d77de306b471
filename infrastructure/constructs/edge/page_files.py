# SPDX-License-Identifier: Apache-2.0
"""Files of the waiting page for a protected host: below ``_waiting-room/`` in their own bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import (
    RemovalPolicy,
    Stack,
    aws_cloudfront,
    aws_cloudfront_origins,
    aws_iam,
    aws_s3,
    aws_s3_deployment,
)
from constructs import Construct

from infrastructure.blueprint.site_config import (
    CONFIG,
    SAME_HOST_REFERRER,
    SITES,
    login_forms,
    with_plain_room,
)
from infrastructure.constructs.compute.encryption import bucket_encryption
from infrastructure.constructs.compute.function import FunctionDefaults
from infrastructure.constructs.edge.site import (
    BROWSERS_KEEP,
    headers_for,
    headers_policy,
    site_folder,
)
from infrastructure.constructs.names import LONGEST_EDGE, account_wide_name
from waiting_room.domain.gate.rules import OWN_PATHS

INDEX = "index.html"


class PageFiles(Construct):
    """``origin`` of the files, and ``headers``, the policy of their response headers.

    The page calls addresses of its own host only. Each distribution of the account that uses
    ``access`` can read the files.
    """

    def __init__(
        self, scope: Construct, name: str, *, config: Mapping[str, Any], defaults: FunctionDefaults
    ) -> None:
        super().__init__(scope, name)
        page = SITES[0]
        folder = site_folder(self, page)
        index = (folder / INDEX).read_text(encoding="utf-8")
        bucket = aws_s3.Bucket(
            self,
            "Files",
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            **bucket_encryption(defaults.key),
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY,  # its content is built from the sources
            auto_delete_objects=True,
        )
        aws_s3_deployment.BucketDeployment(
            self,
            "Deployment",
            sources=[
                aws_s3_deployment.Source.asset(str(folder)),
                aws_s3_deployment.Source.data(INDEX, with_plain_room(index)),
                aws_s3_deployment.Source.json_data(CONFIG, dict(config)),
            ],
            destination_bucket=bucket,
            destination_key_prefix=OWN_PATHS.strip("/"),
            cache_control=[
                aws_s3_deployment.CacheControl.from_string(f"public, max-age={BROWSERS_KEEP}")
            ],
            log_group=defaults.log_group(self, "Logs"),
        )
        bucket.add_to_resource_policy(
            aws_iam.PolicyStatement(
                actions=["s3:GetObject"],
                resources=[bucket.arn_for_objects("*")],
                principals=[aws_iam.ServicePrincipal("cloudfront.amazonaws.com")],
                conditions={"StringEquals": {"AWS:SourceAccount": Stack.of(self).account}},
            )
        )
        self.address = bucket.bucket_regional_domain_name
        self.access = aws_cloudfront.S3OriginAccessControl(
            self,
            "Access",
            origin_access_control_name=account_wide_name(self, "Access", longest=LONGEST_EDGE),
        )
        self.origin = aws_cloudfront_origins.S3BucketOrigin.with_origin_access_control(
            bucket, origin_access_control=self.access
        )
        # The site may redirect the form with the token to any host, such as a hand-over.
        headers = {**headers_for(page, (), login_forms(())), **SAME_HOST_REFERRER}
        self.headers = headers_policy(self, headers)
