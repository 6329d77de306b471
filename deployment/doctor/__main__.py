# SPDX-License-Identifier: Apache-2.0
"""Check the AWS account for a deployment: ``python -m deployment.doctor --visitors 50000``.

Calls only read operations of AWS (``checks.CHECKS``). The parameters are those of cdk.json
and, for CDK, of the environment variable DEPLOYMENT_ARGS, which ``make`` sets to CDK_ARGS. The exit
status is 1 if something must be fixed before the deployment, and 2 if the checks cannot run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deployment.account.context import ARGUMENTS, CdkContext, read_context
from deployment.capacity import quotas
from deployment.capacity.plan import Plan
from deployment.doctor import report
from deployment.doctor.checks import BOOTSTRAP, CHECKS
from deployment.doctor.needs import Needs
from deployment.doctor.results import Account, Deployment, Level, Result, run_check
from deployment.visitor_model.arrivals import CURVES
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.optional_stacks import CORE, PARAMETERS, StacksConfig
from infrastructure.parameters.parameter import ParameterError, reject_unknown
from infrastructure.parameters.region_rules import check_region
from infrastructure.parameters.restored import RestoredConfig
from waiting_room.adapters.operator_access import new_session

# A slow or unreachable endpoint ends a check after seconds, not minutes.
CLIENT = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 3, "mode": "standard"})


class AwsAccount:
    """The account of the credentials in the environment or of a profile."""

    def __init__(self, profile: str = "") -> None:
        self._session = new_session(profile or None)
        self.region = str(self._session.get_config_variable("region") or "")

    def client(self, service: str, region: str = "") -> Any:
        """Return a client of a service."""
        return self._session.create_client(
            service, region_name=region or self.region, config=CLIENT
        )


def examine(deployment: Deployment) -> list[Result]:
    """Run each check."""
    checks = CHECKS if CORE in deployment.stacks else (BOOTSTRAP,)
    return [one for check in checks for one in run_check(check, deployment)]


def main(given: Sequence[str], account: Account | None = None) -> int:
    """Check and print; return 1 if something must be fixed, 2 if the checks cannot run."""
    options = _arguments(given)
    try:
        context = read_context(os.environ.get(ARGUMENTS, ""))
        reject_unknown(context.values, CoreConfig, *PARAMETERS)
        needs = Needs.of(Plan(options.visitors, options.curve, options.seconds), quotas.load()[2])
        deployment = _deployment(context, needs, account or AwsAccount(context.profile))
        if not deployment.account.region:
            print("The AWS region is not set: set AWS_REGION.", file=sys.stderr)
            return 2
        check_region(deployment.account.region, context.values, deployment.stacks)
        identity = deployment.client("sts").get_caller_identity()
    except (ParameterError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError) as error:
        print(f"The credentials of AWS cannot be used: {error}", file=sys.stderr)
        return 2
    results = examine(deployment)
    where = (
        f"Account {identity['Account']}, region {deployment.account.region}, stack "
        f"{deployment.config.stack_name}"
    )
    must_fix = any(one.level is Level.MUST_FIX for one in results)
    if options.json:
        print(report.as_json(where, needs, results))
    elif must_fix or not options.before_deployment:
        print(report.as_text(where, needs, results, brief=options.before_deployment))
    if must_fix and options.before_deployment:
        print("Nothing was deployed. SKIP_DOCTOR=1 deploys without this check.", file=sys.stderr)
    return int(must_fix)


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="doctor", description="Check the AWS account for a deployment."
    )
    parser.add_argument("--visitors", type=int, default=50_000, help="visitors of the event")
    parser.add_argument("--curve", choices=sorted(CURVES), default="flash")
    parser.add_argument(
        "--seconds", type=float, default=600, help="seconds in which the visitors arrive"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--before-deployment",
        action="store_true",
        help="print only the problems that prevent a deployment; print nothing if there are none",
    )
    return parser.parse_args(given)


def _deployment(context: CdkContext, needs: Needs, account: Account) -> Deployment:
    """Return the deployment of the parameters; raises ParameterError."""
    config = CoreConfig.from_context(context.values)
    return Deployment(
        config=config,
        stacks=frozenset(StacksConfig.from_context(context.values).names),
        needs=needs,
        account=account,
        restored=RestoredConfig.from_context(context.values).of(serverless=config.serverless),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
