# SPDX-License-Identifier: Apache-2.0
"""Sign-in of operators with OpenID Connect: a provider, an identity pool and a role for each group.

The console gets an ID token from the provider (code flow with PKCE), and from the identity pool
credentials that end after an hour. An operator without a group gets none. Nothing here has a price
without sign-ins.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import (
    Aws,
    CfnOutput,
    Duration,
    Fn,
    RemovalPolicy,
    Stack,
    Token,
    aws_cognito,
    aws_iam,
)
from constructs import Construct

from infrastructure.blueprint.gateway_responses import STAGE
from infrastructure.blueprint.operator_sign_in import (
    CALLBACK,
    COGNITO_SCOPES,
    ROLES,
    cognito_settings,
    identity_api,
    provider_rules,
    provider_settings,
)
from infrastructure.constructs.api.operator_access import route_statements
from infrastructure.parameters.operator_sign_in import OperatorSignInConfig

IDENTITY = "cognito-identity.amazonaws.com"
TOKEN_MINUTES = 5  # the shortest of Cognito: the console renews, and learns that a sign-in ended
SHIFT_HOURS = 12  # an operator signs in again after this time
STEP_MINUTES = 15  # for the password and the set-up of the authenticator app
PASSWORD_LENGTH = 12


class OperatorSignIn(Construct):
    """The sign-in of the console at ``page``, whose address ends with a slash.

    ``private_api`` is the address of the private API, ``api_region`` its region. ``settings`` is
    the member ``sign_in`` of the console's ``config.json``.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        page: str,
        private_api: str,
        api_region: str,
        config: OperatorSignInConfig,
    ) -> None:
        super().__init__(scope, name)
        self._stage = stage_arn(private_api, api_region)
        self.settings = self._provider(config) if config.issuer else self._user_pool(page)
        for output, value in {
            "OperatorSignInCallback": f"{page}{CALLBACK}",
            "OperatorIdentityPool": self.settings["identity_pool"],
        }.items():
            CfnOutput(scope, output, value=value)

    def _user_pool(self, page: str) -> dict[str, Any]:
        users = aws_cognito.CfnUserPool(
            self,
            "Users",
            username_attributes=["email"],
            username_configuration={"caseSensitive": False},
            auto_verified_attributes=["email"],
            admin_create_user_config={"allowAdminCreateUserOnly": True},
            mfa_configuration="ON",
            enabled_mfas=["SOFTWARE_TOKEN_MFA"],
            account_recovery_setting={
                "recoveryMechanisms": [{"name": "verified_email", "priority": 1}]
            },
            policies={
                "passwordPolicy": {
                    "minimumLength": PASSWORD_LENGTH,
                    "requireLowercase": True,
                    "requireNumbers": True,
                    "requireSymbols": True,
                    "requireUppercase": True,
                    "temporaryPasswordValidityDays": 3,
                }
            },
            user_pool_tier="ESSENTIALS",
        )
        users.apply_removal_policy(RemovalPolicy.DESTROY)
        aws_cognito.CfnUserPoolDomain(
            self,
            "Domain",
            user_pool_id=users.ref,
            domain=login_prefix(),
            managed_login_version=2,
        )
        client = aws_cognito.CfnUserPoolClient(
            self,
            "Client",
            user_pool_id=users.ref,
            client_name="console",
            generate_secret=False,
            allowed_o_auth_flows_user_pool_client=True,
            allowed_o_auth_flows=["code"],
            allowed_o_auth_scopes=list(COGNITO_SCOPES),
            callback_ur_ls=[f"{page}{CALLBACK}"],
            logout_ur_ls=[page],
            supported_identity_providers=["COGNITO"],
            explicit_auth_flows=["ALLOW_REFRESH_TOKEN_AUTH"],
            read_attributes=["email", "email_verified"],
            write_attributes=["name"],  # operators cannot change their address
            prevent_user_existence_errors="ENABLED",
            enable_token_revocation=True,
            auth_session_validity=STEP_MINUTES,
            access_token_validity=TOKEN_MINUTES,
            id_token_validity=TOKEN_MINUTES,
            refresh_token_validity=SHIFT_HOURS,
            token_validity_units={
                "accessToken": "minutes",
                "idToken": "minutes",
                "refreshToken": "hours",
            },
        )
        aws_cognito.CfnManagedLoginBranding(
            self,
            "LoginPages",
            user_pool_id=users.ref,
            client_id=client.ref,
            use_cognito_provided_values=True,
        )
        issuer_name = f"cognito-idp.{Aws.REGION}.amazonaws.com/{users.ref}"
        pool = self._identity_pool(
            cognito_identity_providers=[
                {
                    "clientId": client.ref,
                    "providerName": users.attr_provider_name,
                    # a token of an operator who has signed out everywhere gives no credentials
                    "serverSideTokenCheck": True,
                }
            ]
        )
        roles = self._roles(pool)
        for precedence, (group, role) in enumerate(roles.items(), 1):
            aws_cognito.CfnUserPoolGroup(
                self,
                f"{group.capitalize()}Group",
                user_pool_id=users.ref,
                group_name=group,
                precedence=precedence,  # the lowest number decides
                role_arn=role.role_arn,
            )
        # The token names the role of the first group; a user without a group gets no credentials.
        self._attach(pool, f"{issuer_name}:{client.ref}", "Token")
        CfnOutput(Stack.of(self), "OperatorUserPool", value=users.ref)
        return cognito_settings(
            issuer=f"https://{issuer_name}",
            login=login_address(),
            client_id=client.ref,
            identity_pool=pool.ref,
            region=Aws.REGION,
            users=users_api(),
        )

    def _provider(self, config: OperatorSignInConfig) -> dict[str, Any]:
        arn = config.provider_arn
        if not arn:
            made = aws_iam.CfnOIDCProvider(
                self, "Provider", url=config.issuer, client_id_list=[config.client_id]
            )
            arn = made.attr_arn
        pool = self._identity_pool(open_id_connect_provider_arns=[arn])
        roles = self._roles(pool)
        rules = aws_cognito.CfnIdentityPoolRoleAttachment.RulesConfigurationTypeProperty(
            rules=[
                aws_cognito.CfnIdentityPoolRoleAttachment.MappingRuleProperty(
                    claim=config.groups_claim,
                    match_type="Contains",  # the claim is a list of groups
                    value=group,
                    role_arn=roles[role].role_arn,
                )
                for group, role in provider_rules(config.group_prefix)
            ]
        )
        self._attach(pool, arn, "Rules", rules_configuration=rules)
        return provider_settings(
            issuer=config.issuer,
            client_id=config.client_id,
            scopes=config.scopes,
            groups_claim=config.groups_claim,
            group_prefix=config.group_prefix,
            identity_pool=pool.ref,
            identity_api=identity_api(Aws.REGION),
        )

    def _identity_pool(self, **providers: Any) -> aws_cognito.CfnIdentityPool:
        return aws_cognito.CfnIdentityPool(
            self,
            "Identities",
            allow_unauthenticated_identities=False,
            allow_classic_flow=False,  # with it, a caller chooses the role
            **providers,
        )

    def _roles(self, pool: aws_cognito.CfnIdentityPool) -> dict[str, aws_iam.Role]:
        return {
            name: aws_iam.Role(
                self,
                f"{name.capitalize()}Role",
                description=f"Operators who may {name}, signed in with OpenID Connect",
                assumed_by=_trusted(pool),
                max_session_duration=Duration.hours(1),
                inline_policies={
                    "Routes": aws_iam.PolicyDocument(
                        statements=list(route_statements(self._arn, routes))
                    )
                },
            )
            for name, routes in ROLES.items()
        }

    def _attach(
        self, pool: aws_cognito.CfnIdentityPool, provider: str, kind: str, **rules: Any
    ) -> None:
        mapping = aws_cognito.CfnIdentityPoolRoleAttachment.RoleMappingProperty(
            type=kind, ambiguous_role_resolution="Deny", identity_provider=provider, **rules
        )
        default_role = aws_iam.Role(
            self,
            "NobodyRole",
            description="Has no permissions: an identity pool needs a default role",
            assumed_by=_trusted(pool),
        )
        aws_cognito.CfnIdentityPoolRoleAttachment(
            self,
            "Mapping",
            identity_pool_id=pool.ref,
            roles={"authenticated": default_role.role_arn},
            role_mappings={"operators": mapping},
        )

    def _arn(self, method: str, path: str) -> str:
        return f"{self._stage}/{method}{path}"


def _trusted(pool: aws_cognito.CfnIdentityPool) -> aws_iam.FederatedPrincipal:
    """Return the principal of those whom an identity pool has signed in."""
    return aws_iam.FederatedPrincipal(
        IDENTITY,
        {
            "StringEquals": {f"{IDENTITY}:aud": pool.ref},
            "ForAnyValue:StringLike": {f"{IDENTITY}:amr": "authenticated"},
        },
        "sts:AssumeRoleWithWebIdentity",
    )


def stage_arn(private_api: str, region: str) -> str:
    """Return the ARN of the private API's stage, from its address ``https://<id>.…``.

    CloudFormation takes the id from the address, so that a template can declare the address.
    """
    host = {"Fn::Select": [2, {"Fn::Split": ["/", private_api]}]}
    api = Token.as_string({"Fn::Select": [0, {"Fn::Split": [".", host]}]})
    return f"arn:{Aws.PARTITION}:execute-api:{region}:{Aws.ACCOUNT_ID}:{api}/{STAGE}"


def called_addresses(config: OperatorSignInConfig) -> list[str]:
    """Return the addresses that the console calls to sign in, for its content security policy."""
    if not config.enabled:
        return []
    others = (
        [config.issuer, config.token_origin] if config.issuer else [login_address(), users_api()]
    )
    return [identity_api(Aws.REGION), *filter(None, others)]


def login_prefix() -> str:
    """Return the prefix of the managed login: unique, because the id of the stack is."""
    return f"waiting-room-{Fn.select(2, Fn.split('/', Aws.STACK_ID))}"


def login_address() -> str:
    """Return the address of the managed login."""
    return f"https://{login_prefix()}.auth.{Aws.REGION}.amazoncognito.com"


def users_api() -> str:
    """Return the address of the API of user pools."""
    return f"https://cognito-idp.{Aws.REGION}.amazonaws.com"
