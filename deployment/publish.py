# SPDX-License-Identifier: Apache-2.0
"""Upload the assets of `make dist` to a bucket of yours, and print the command that deploys.

    make publish BUCKET=my-bucket [PREFIX=waiting-room/] [REGION=eu-central-1]
        [PARAMETERS="EventId=Sale ValidityPeriod=900"]

The parameters are checked first, together with those that `make dist` fixed. The bucket must exist
in the region of the stacks, belong to your account, and block public access. Files that it has
already are not uploaded again. Nothing is made public.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infrastructure.assets.bundle import ROOT
from infrastructure.parameters.account import AccountConfig
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.optional_stacks import (
    PARAMETERS,
    AuthorizerArn,
    AuthorizerConfig,
    InletConfig,
    InletRoomConfig,
    OpenIdConfig,
    OpenIdRoomConfig,
    SampleConfig,
)
from infrastructure.parameters.parameter import ParameterError, reject_unknown
from infrastructure.parameters.without_cdk import FIXED, FIXED_VALUES, NO_PART
from waiting_room.adapters.operator_access import new_session

BUILD = ROOT / "build" / "dist"
GETTING_STARTED, SERVERLESS = "getting-started", "getting-started-serverless"
NESTING = "WaitingRoom"  # the name of the stack by default

# The nesting template gives the values of these.
PASSED = (AuthorizerConfig, SampleConfig, OpenIdRoomConfig, AuthorizerArn)
# Parameters of stacks with a template that the nesting template does not contain.
BESIDE = {
    known.name: template
    for template, kinds in (("openid", (OpenIdConfig,)), ("inlet", (InletRoomConfig, InletConfig)))
    for kind in kinds
    for _, known in kind.known()
}
# Parameters that the checks or the command use, or that the template for a profile lacks.
USED = (
    "AccountApiRate", "AccountApiBurst", "ChallengeOnJoin", "Profile", "RedisPort", "StackName",
    "Tags",
)  # fmt: skip
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
PREFIX = re.compile(r"([A-Za-z0-9!_.*'()/-]{1,199}/)?")


class PublishError(Exception):
    """Nothing can be published; the message contains the reason and the next step."""


def parameters(settings: str, fixed: Mapping[str, str]) -> dict[str, str]:
    """Return ``Name=value`` texts by name, checked as CDK checks them.

    ``fixed`` are the values that the templates fix. Raises ParameterError, which names the
    parameter.
    """
    found = {}
    for setting in shlex.split(settings):
        name, equals, value = setting.partition("=")
        if not equals:
            raise ParameterError(f"{setting!r} is not Name=value.")
        found[name] = value
    reject_unknown(found, CoreConfig, *(kind for kind in PARAMETERS if kind not in PASSED))
    every = {**fixed, **found}
    CoreConfig.from_context(every).check_api_quota(1)  # the API of the sample
    AccountConfig.from_context(every)
    return found


def _check_declared(
    values: Mapping[str, str], declared: Mapping[str, Any], fixed: Mapping[str, str]
) -> None:
    """Raise PublishError for a parameter that the template does not declare."""
    for name, value in values.items():
        if name in declared or name in USED or fixed.get(name) == value:
            continue
        if name in FIXED:
            raise PublishError(
                f'{name} is fixed in the templates ({FIXED[name]}): make dist SET="{name}={value}"'
            )
        reason = NO_PART.get(name, "it belongs to a stack that needs CDK")
        if name in BESIDE:
            reason = f"give it when you deploy the template {BESIDE[name]} (docs/deploy.md)"
        raise PublishError(f"The templates have no parameter {name}: {reason}.")


def check_bucket(session: boto3.Session, bucket: str, region: str) -> str:
    """Return the account that owns the bucket; raise PublishError unless it can be used."""
    owner = str(session.client("sts").get_caller_identity()["Account"])
    s3 = session.client("s3")
    try:
        found = s3.get_bucket_location(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        reason = error.response["Error"]["Code"]
        raise PublishError(
            f"The bucket {bucket} cannot be used ({reason}): create it in your account first, with"
            f" `aws s3 mb s3://{bucket} --region {region}`."
        ) from None
    place = found["LocationConstraint"] or "us-east-1"
    if place != region:
        raise PublishError(
            f"The bucket {bucket} is in {place}, the stacks in {region}: Lambda reads its code only"
            " from a bucket of its own region. Set REGION, or use another bucket."
        )
    try:
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError:
        block = {}
    if not all(block.get(name) for name in BLOCKS):
        every = ",".join(f"{name}=true" for name in BLOCKS)
        raise PublishError(
            f"The bucket {bucket} does not block public access. Run `aws s3api"
            f" put-public-access-block --bucket {bucket}"
            f" --public-access-block-configuration {every}`."
        )
    return owner


def upload(s3: Any, folder: Path, bucket: str, prefix: str, owner: str) -> tuple[int, int]:
    """Upload the files of a folder; return the numbers of new and of known files.

    A file is known if the bucket has its key with its SHA-256 in the metadata.
    """
    new = known = 0
    for path in sorted(folder.iterdir()):
        key = f"{prefix}{path.name}"
        content = path.read_bytes()
        digest = hashlib.sha256(content)
        where = {"Bucket": bucket, "Key": key, "ExpectedBucketOwner": owner}
        try:
            there = s3.head_object(**where)["Metadata"].get("sha256")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey", "NotFound"):
                raise PublishError(f"{key} of {bucket}: {error}") from None
            there = None
        if there == digest.hexdigest():
            known += 1
            continue
        s3.put_object(
            **where,
            Body=content,
            ChecksumSHA256=base64.b64encode(digest.digest()).decode(),  # S3 checks the content
            Metadata={"sha256": digest.hexdigest()},
        )
        new += 1
    return new, known


def command(
    template: Path, bucket: str, prefix: str, region: str, declared: Iterable[str],
    values: Mapping[str, str],
) -> str:  # fmt: skip
    """Return the command that deploys a template, which declares some of the parameters."""
    stack = values.get("StackName", "") or NESTING
    tags = AccountConfig.from_context(values).tags
    given = [f"{name}={value}" for name, value in values.items() if name in declared]
    words = [
        "aws", "cloudformation", "deploy", "--region", region, "--stack-name", stack,
        "--template-file", str(template), "--s3-bucket", bucket,
        *(["--s3-prefix", prefix.rstrip("/")] if prefix else []),
        "--capabilities", *CAPABILITIES,
        "--parameter-overrides", f"AssetsBucket={bucket}",
        *([f"AssetsPrefix={prefix}"] if prefix else []), *given,
        *(["--tags", *tags] if tags else []),
    ]  # fmt: skip
    return shlex.join(words)


def publish(
    session: boto3.Session, build: Path, bucket: str, prefix: str, region: str, settings: str
) -> str:
    """Check, upload, and return the command that deploys the getting-started template."""
    if not PREFIX.fullmatch(prefix):
        raise PublishError(f"PREFIX must be empty or end with a slash, not {prefix!r}.")
    known = build / FIXED_VALUES
    fixed = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else {}
    values = parameters(settings, fixed)
    name = SERVERLESS if values.get("Profile") == "serverless" else GETTING_STARTED
    template = build / "templates" / f"{name}.template.json"
    if not template.is_file():
        raise PublishError("There are no templates: run `make dist` first.")
    declared = json.loads(template.read_text(encoding="utf-8"))["Parameters"]
    _check_declared(values, declared, fixed)
    owner = check_bucket(session, bucket, region)
    new, there = upload(session.client("s3"), build / "assets", bucket, prefix, owner)
    print(f"{new} files uploaded to s3://{bucket}/{prefix}; {there} existed already")
    return command(template, bucket, prefix, region, declared, values)


def main() -> int:
    """Publish, and print the command or the reason why not."""
    parser = argparse.ArgumentParser(prog="make publish", description=__doc__)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--region", default="")
    parser.add_argument("--parameters", default="")
    chosen = parser.parse_args()
    session = boto3.Session(botocore_session=new_session(), region_name=chosen.region or None)
    region = session.region_name
    if not chosen.bucket or not region:
        missing = "REGION or AWS_REGION" if chosen.bucket else "BUCKET"
        print(f"{missing} is missing: make publish BUCKET=my-bucket REGION=eu-central-1")
        return 1
    try:
        line = publish(session, BUILD, chosen.bucket, chosen.prefix, region, chosen.parameters)
    except (PublishError, ParameterError, ClientError, BotoCoreError) as error:
        print(error)
        return 1
    print(f"Deploy the room with:\n\n{line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
