# SPDX-License-Identifier: Apache-2.0
"""Parameters of the operators' sign-in with OpenID Connect at the console (stack sample)."""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.blueprint.operator_sign_in import SCOPES
from infrastructure.parameters.parameter import ParameterError, Parameters, flag, text

ISSUER = r"https://[a-z0-9.-]+(/[A-Za-z0-9._~/-]*)?"
PROVIDER = r"arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/[A-Za-z0-9._~/-]+"


@dataclass(frozen=True, kw_only=True)
class OperatorSignInConfig(Parameters):
    """The provider of operators: a user pool of Cognito, or another one."""

    enabled: bool = flag(
        "OperatorSignIn",
        "operators can sign in to the console with OpenID Connect"
        " ([console.md](console.md#sign-in-with-openid-connect)); with `false` only with IAM keys",
        default=True,
    )
    issuer: str = text(
        "OperatorIssuer",
        "issuer of your OpenID provider for operators; by default the stack makes a Cognito user"
        " pool",
        default="",
        pattern=ISSUER,
        constraint="an https address without port and query, as in the provider's tokens",
    )
    client_id: str = text(
        "OperatorClientId",
        "with OperatorIssuer: id of the console's client at the provider",
        default="",
        pattern=r"[A-Za-z0-9._~:/-]{1,255}",
        constraint="the id of a client",
    )
    scopes: str = text(
        "OperatorScopes",
        "with OperatorIssuer: scopes that the console requests, separated by spaces",
        default=SCOPES,
        pattern=r"openid( [A-Za-z0-9._~:/-]+){0,9}",
        constraint="openid and at most nine other scopes, separated by spaces",
    )
    groups_claim: str = text(
        "OperatorGroupsClaim",
        "with OperatorIssuer: claim of the ID token that contains the groups of an operator",
        default="groups",
        pattern=r"[A-Za-z0-9._:/-]{1,64}",
        constraint="the name of a claim",
    )
    group_prefix: str = text(
        "OperatorGroupPrefix",
        "with OperatorIssuer: text before `watch`, `steer` and `administer` in the names of the"
        " groups",
        default="waiting-room-",
        pattern=r"[A-Za-z0-9._:/-]{1,64}",
        constraint="1 to 64 letters, digits and signs of ._:/-",
    )
    provider_arn: str = text(
        "OperatorProviderArn",
        "with OperatorIssuer: ARN of the issuer's OpenID provider in IAM, if the account has one;"
        " by default the stack makes it",
        default="",
        pattern=PROVIDER,
        constraint="the ARN of an OpenID provider of IAM",
    )
    token_origin: str = text(
        "OperatorTokenOrigin",
        "with OperatorIssuer: origin of the provider's token endpoint, if it is not that of the"
        " issuer",
        default="",
        pattern=r"https://[a-z0-9.-]+",
        constraint="an origin such as https://login.shop.example",
    )

    def __post_init__(self) -> None:
        if bool(self.issuer) != bool(self.client_id):
            raise ParameterError(
                "The parameters OperatorIssuer and OperatorClientId need each other."
            )
        if self.issuer and not self.enabled:
            raise ParameterError("The parameter OperatorIssuer needs OperatorSignIn=true.")
        for part, known in self.known()[3:]:
            if getattr(self, part.name) != part.default and not self.issuer:
                raise ParameterError(f"The parameter {known.name} needs OperatorIssuer.")
        if self.provider_arn and self.provider_name != self.provider_arn.partition("/")[2]:
            raise ParameterError(
                "The parameter OperatorProviderArn must end with OperatorIssuer without https://."
            )

    @property
    def provider_name(self) -> str:
        """Return the name of the issuer in IAM and in an identity pool."""
        return self.issuer.removeprefix("https://")
