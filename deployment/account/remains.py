# SPDX-License-Identifier: Apache-2.0
"""What remains after the stacks of a room are deleted: ``python -m deployment.account.remains``.

``make destroy`` prints the list for the parameters of the deployment, with the commands that remove
each part. It prints none for a removal without core: the commands would destroy a room that is in
use. ``docs/deploy.md`` has the whole list. Tests compare it with the templates: each resource that
CloudFormation retains, and each function without a log group of its own, has an entry.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployment.account.context import ARGUMENTS, read_context
from infrastructure.parameters.account import STACK_TAG, AccountConfig
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.optional_stacks import CORE, EDGE_ALARMS, POLICIES, StacksConfig
from infrastructure.parameters.parameter import ParameterError
from infrastructure.parameters.restored import RestoredConfig


@dataclass(frozen=True, kw_only=True)
class Removal:
    """The parameters of the deployment that is removed."""

    core: CoreConfig
    account: AccountConfig
    restored: RestoredConfig
    stacks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """Something that remains: ``when``, its ``cost``, and the command to ``remove`` it.

    ``types`` are those of CloudFormation that it covers. ``{stack}`` in a command is the name of
    the core stack.
    """

    what: str
    when: str
    cost: str
    remove: str
    types: tuple[str, ...] = ()
    applies: Callable[[Removal], bool] = lambda _: True


def _retains(of: Removal) -> bool:
    return of.core.retain_data


REMAINING = (
    Remaining(
        what="tables of the room",
        when="`RetainData=true`",
        cost="storage and point-in-time recovery by the GB; nothing if empty",
        remove="aws dynamodb delete-table --table-name NAME",
        types=("AWS::DynamoDB::Table",),
        applies=_retains,
    ),
    Remaining(
        what="secrets of the room: keys that sign tokens, keys of the gate, password of Redis",
        when="`RetainData=true`",
        cost="the price of a secret each month (docs/capacity.md)",
        remove="aws secretsmanager delete-secret --secret-id NAME",
        types=("AWS::SecretsManager::Secret",),
        applies=_retains,
    ),
    Remaining(
        what="log groups of functions, APIs and the VPC",
        when="`RetainData=true`",
        cost="storage by the GB, until `LogRetentionDays` have passed",
        remove="aws logs delete-log-group --log-group-name NAME",
        types=("AWS::Logs::LogGroup",),
        applies=_retains,
    ),
    Remaining(
        what="KMS key of the room; logs and backups may need it",
        when="`CustomerManagedKey=true`",
        cost="the price of a key each month (docs/capacity.md)",
        remove="aws kms schedule-key-deletion --key-id ID --pending-window-in-days 30",
        types=("AWS::KMS::Key",),
        applies=lambda of: of.account.own_key,
    ),
    Remaining(
        what="IAM role for the logs of API Gateway, and its entry in the account's settings. Other"
        " APIs may use it. After the command delete the role, whose name contains ApiLogRole",
        when="`CreateApiLogRole=true`",
        cost="nothing",
        remove="aws apigateway update-account"
        " --patch-operations op=replace,path=/cloudwatchRoleArn,value=''",
        types=("AWS::IAM::Role", "AWS::ApiGateway::Account"),
        applies=lambda of: of.core.create_api_log_role,
    ),
    Remaining(
        what="log groups that API Gateway creates for its errors:"
        " `API-Gateway-Execution-Logs_…`, which never expire",
        when="always",
        cost="storage by the GB",
        remove="aws logs delete-log-group --log-group-name API-Gateway-Execution-Logs_ID/STAGE",
    ),
    Remaining(
        what="log groups that Lambda creates for the functions of CDK: `/aws/lambda/{stack}-…`,"
        " which never expire",
        when="always",
        cost="storage by the GB",
        remove="aws logs describe-log-groups --log-group-name-prefix /aws/lambda/{stack}",
    ),
    Remaining(
        what="system backups of deleted tables: `…$DeletedTableBackup`",
        when="unless `RetainData=true`",
        cost="nothing; DynamoDB deletes them after 35 days",
        remove="",
        applies=lambda of: not _retains(of),
    ),
    Remaining(
        what="restored tables",
        when="`RestoredTables`",
        cost="storage and point-in-time recovery by the GB",
        remove="aws dynamodb delete-table --table-name NAME",
        applies=lambda of: bool(of.restored.entries),
    ),
    Remaining(
        what="backups and snapshots that you made by hand or by AWS Backup, of tables and of Redis",
        when="if there are any",
        cost="storage by the GB",
        remove="aws dynamodb list-backups; aws elasticache describe-snapshots",
    ),
    Remaining(
        what="stack with the alarms of the distributions, in the region us-east-1",
        when="if it was deployed, and `Stacks` did not name edge-alarms",
        cost="the price of two alarm metrics each month for each distribution (docs/capacity.md)",
        remove="aws cloudformation delete-stack --stack-name {stack}-EdgeAlarms --region us-east-1",
        applies=lambda of: EDGE_ALARMS not in of.stacks,
    ),
    Remaining(
        what="stack with the shared policies of CloudFront; other rooms may use it. StackName is"
        " that of its own deployment",
        when="if it was deployed, and `Stacks` did not name policies",
        cost="nothing",
        remove='make destroy CDK_ARGS="-c Stacks=policies -c StackName={stack} -c EdgePolicies='
        ' -c CustomerManagedKey=false"',
        applies=lambda of: POLICIES not in of.stacks,
    ),
    Remaining(
        what="other stacks of the room that `Stacks` did not name. The command can list stacks of"
        " other rooms too, whose names begin in the same way: they may be in use",
        when="if they were deployed",
        cost="see docs/capacity.md",
        remove="aws cloudformation list-stacks --query"
        " \"StackSummaries[?starts_with(StackName, '{stack}') && StackStatus!='DELETE_COMPLETE']"
        '.[StackName,StackStatus]"',
    ),
    Remaining(
        what="hosted zones, certificates, DNS records that you wrote, your own VPCs and encryption"
        " keys, distributions of other stacks with the function of the gate",
        when="if the parameters name them",
        cost="as before",
        remove="",
    ),
    Remaining(
        what="roles linked to services (ElastiCache, API Gateway, CloudFront VPC origins)",
        when="always",
        cost="nothing",
        remove="aws iam delete-service-linked-role --role-name NAME",
    ),
    Remaining(
        what="values of metrics and traces of X-Ray",
        when="always",
        cost="nothing; CloudWatch deletes metrics after 15 months, X-Ray traces after 30 days",
        remove="",
    ),
    Remaining(
        what="resources of `make bootstrap`, which all CDK apps of the account share: the stack"
        " CDKToolkit, its bucket with the bundles, its roles, a repository of images and the"
        " parameter `/cdk-bootstrap/…` of Systems Manager. Empty the bucket and delete it by hand",
        when="always",
        cost="storage of the bucket by the GB",
        remove="aws cloudformation delete-stack --stack-name CDKToolkit",
    ),
)


def retained_types(template: Mapping[str, Any]) -> set[str]:
    """Return the types of the resources that CloudFormation does not delete with the stack."""
    return {
        str(one["Type"])
        for one in template["Resources"].values()
        if one.get("DeletionPolicy", "Delete") != "Delete"
    }


def table() -> str:
    """Return the list as the table of docs/deploy.md, with links to other pages."""
    rows = [
        f"| {one.what} | {one.when} | {one.cost} | {f'`{command}`' if command else ''} |"
        for one in REMAINING
        for command in [one.remove.format(stack="WaitingRoom").replace("|", "\\|")]
    ]
    head = ["| remains | when | cost if left | command |", "|---|---|---|---|"]
    text = "\n".join([*head, *rows]).replace("{stack}", "WaitingRoom")
    return re.sub(r"docs/([a-z-]+\.md)", r"[\1](\1)", text)


def lines(removal: Removal, remaining: Iterable[Remaining] = REMAINING) -> list[str]:
    """Return what remains after this removal, as lines of text."""
    name = removal.core.stack_name
    if CORE not in removal.stacks:
        return [
            f"The stack core of {name} was not removed. The list of what remains is not printed:"
            " its commands would destroy a room that is in use.",
            "docs/deploy.md has the list.",
        ]
    found = [f"These can remain after the removal of {name}:"]
    for one in remaining:
        if one.applies(removal):
            found.append(f"- {one.what} ({one.when}). Cost: {one.cost}.".replace("{stack}", name))
            if one.remove:
                found.append(f"    {one.remove}".replace("{stack}", name))
    tag = f"Key={STACK_TAG},Values={name}"
    return [
        *found,
        "Resources that still have the tag of the room, in the region and without a region:",
        f"    aws resourcegroupstaggingapi get-resources --tag-filters {tag}",
        f"    aws resourcegroupstaggingapi get-resources --tag-filters {tag} --region us-east-1",
    ]


def main(given: Sequence[str]) -> int:
    """Print what remains; return 2 for an invalid parameter."""
    argparse.ArgumentParser(
        prog="remains", description="Print what remains after the removal of a room."
    ).parse_args(given)
    try:
        values = read_context(os.environ.get(ARGUMENTS, "")).values
        removal = Removal(
            core=CoreConfig.from_context(values),
            account=AccountConfig.from_context(values),
            restored=RestoredConfig.from_context(values),
            stacks=tuple(StacksConfig.from_context(values).names),
        )
    except ParameterError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines(removal)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
