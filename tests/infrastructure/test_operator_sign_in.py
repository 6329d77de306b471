# SPDX-License-Identifier: Apache-2.0
"""The operators' sign-in: user pool or another provider, identity pool, and the roles."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deployment.capacity.topology import FREE
from infrastructure.blueprint.operator_sign_in import ROLES
from infrastructure.blueprint.permissions import DENIED
from infrastructure.parameters.operator_sign_in import OperatorSignInConfig
from infrastructure.parameters.parameter import ParameterError
from tests.infrastructure.test_companion_stacks import config_of, headers_of, parsed
from tests.support.templates.intrinsics import Values
from tests.support.templates.synthesized import Assembly, Synthesized

POOL, CLIENT = "AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"
IDENTITIES = "AWS::Cognito::IdentityPool"
MAPPING, GROUP = "AWS::Cognito::IdentityPoolRoleAttachment", "AWS::Cognito::UserPoolGroup"
PROVIDER = "AWS::IAM::OIDCProvider"
ALONE = {
    "Stacks": "sample",
    "PublicAPIEndpoint": "https://d1.cloudfront.net",
    "PrivateAPIEndpoint": "https://a1b2.execute-api.eu-west-1.amazonaws.com/api",
    "APIGatewayRegion": "eu-west-1",
    "AuthorizerARN": "arn:aws:lambda:eu-central-1:123456789012:function:authorizer",
}
OTHER = {"OperatorIssuer": "https://login.shop.example/realm", "OperatorClientId": "console"}
API = "arn:aws:execute-api:eu-west-1:123456789012:a1b2/api"


@pytest.fixture(scope="module")
def default() -> Assembly:
    return Assembly(ALONE)


@pytest.fixture(scope="module")
def other() -> Assembly:
    return Assembly({**ALONE, **OTHER, "OperatorTokenOrigin": "https://tokens.shop.example"})


def sample(made: Assembly) -> tuple[Synthesized, Values]:
    return made.stacks["Sample"], Values(made.stacks)


def settings(made: Assembly) -> dict[str, Any]:
    return dict(config_of(*sample(made), "ControlPanel", made).get("sign_in", {}))


def connect(made: Assembly) -> set[str]:
    return parsed(headers_of(*sample(made), "ControlPanel"))["connect-src"]


def roles(made: Assembly) -> dict[str, dict[str, Any]]:
    """The roles of the sign-in by name, resolved."""
    stack, values = sample(made)
    return {
        found[1].lower(): values.of(stack, role)
        for name, role in stack.of_type("AWS::IAM::Role").items()
        if (found := re.fullmatch(r"SignIn(\w+)Role[0-9A-F]{8}", name))
    }


def test_nobody_signs_up_and_a_second_factor_without_sms_is_required(default: Assembly) -> None:
    pool = sample(default)[0].only(POOL)
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert (pool["MfaConfiguration"], pool["EnabledMfas"]) == ("ON", ["SOFTWARE_TOKEN_MFA"])
    assert "SmsConfiguration" not in pool
    assert pool["UserPoolTier"] == "ESSENTIALS"  # Plus has a price for each operator


def test_the_console_is_a_client_without_secret_for_the_code_flow(default: Assembly) -> None:
    stack, values = sample(default)
    client = values.of(stack, stack.only(CLIENT))
    page = values.output(stack, "ControlPanelURL")
    assert client["GenerateSecret"] is False
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthScopes"] == ["openid", "email", "aws.cognito.signin.user.admin"]
    assert client["CallbackURLs"] == [f"{page}callback.html"]
    assert client["LogoutURLs"] == [page]
    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["EnableTokenRevocation"] is True
    assert client["WriteAttributes"] == ["name"]
    lives = [client[f"{one}TokenValidity"] for one in ("Access", "Id", "Refresh")]
    assert lives == [5, 5, 12]
    assert set(client["TokenValidityUnits"].items()) == {
        ("AccessToken", "minutes"), ("IdToken", "minutes"), ("RefreshToken", "hours"),
    }  # fmt: skip
    assert values.output(stack, "OperatorSignInCallback") == f"{page}callback.html"


def test_the_domain_is_a_label_that_contains_the_id_of_the_stack(default: Assembly) -> None:
    stack, values = sample(default)
    domain = values.of(stack, stack.only("AWS::Cognito::UserPoolDomain"))["Domain"]
    assert domain == "waiting-room-0a1b2c3d-0000"
    assert len("waiting-room-") + 36 <= 63  # the id of a stack is a UUID
    assert not re.search("aws|amazon|cognito", "waiting-room-")  # Cognito refuses these words


@pytest.mark.parametrize("made", ["default", "other"])
def test_an_identity_pool_gives_credentials_to_signed_in_operators_only(
    made: str, request: pytest.FixtureRequest
) -> None:
    assembly: Assembly = request.getfixturevalue(made)
    pool = sample(assembly)[0].only(IDENTITIES)
    assert pool["AllowUnauthenticatedIdentities"] is False
    assert pool["AllowClassicFlow"] is False  # with it, a caller chooses the role
    found = roles(assembly)
    assert set(found) == {*ROLES, "nobody"}
    for role in found.values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Federated": "cognito-identity.amazonaws.com"}
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        (name,) = sample(assembly)[0].of_type(IDENTITIES)
        assert statement["Condition"] == {
            "StringEquals": {"cognito-identity.amazonaws.com:aud": name.lower()},
            "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"},
        }


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_the_routes_of_its_name(default: Assembly, role: str) -> None:
    found = roles(default)[role]
    assert found["MaxSessionDuration"] == 3600
    (policy,) = found["Policies"]
    allowed, denied = policy["PolicyDocument"]["Statement"]
    assert (allowed["Effect"], denied["Effect"]) == ("Allow", "Deny")

    def arns(routes: tuple[str, ...]) -> set[str]:
        return {f"{API}/{re.sub(r'{.*?}', '*', one).replace(' ', '')}" for one in routes}

    assert set(allowed["Resource"]) == arns(ROLES[role])
    assert {denied["Resource"]} == arns(DENIED)
    assert {allowed["Action"], denied["Action"]} == {"execute-api:Invoke"}


def test_the_default_role_of_the_identity_pool_has_no_permissions(default: Assembly) -> None:
    stack, values = sample(default)
    assert "Policies" not in roles(default)["nobody"]
    mapping = values.of(stack, stack.only(MAPPING))
    assert "Nobody" in mapping["Roles"]["authenticated"]


def test_the_role_of_the_first_group_counts_and_without_one_there_is_none(
    default: Assembly,
) -> None:
    stack, values = sample(default)
    groups = sorted(
        (values.of(stack, one) for one in stack.of_type(GROUP).values()),
        key=lambda one: one["Precedence"],
    )
    assert [one["GroupName"] for one in groups] == ["administer", "steer", "watch"]
    for one in groups:
        assert f"SignIn{one['GroupName'].capitalize()}Role" in one["RoleArn"]
    mapping = values.of(stack, stack.only(MAPPING))["RoleMappings"]["operators"]
    assert (mapping["Type"], mapping["AmbiguousRoleResolution"]) == ("Token", "Deny")
    (provider,) = stack.only(IDENTITIES)["CognitoIdentityProviders"]
    assert provider["ServerSideTokenCheck"] is True


def test_the_console_gets_the_addresses_and_may_call_no_others(default: Assembly) -> None:
    found = settings(default)
    login = "https://waiting-room-0a1b2c3d-0000.auth.eu-central-1.amazoncognito.com"
    assert found["issuer"].startswith("https://cognito-idp.eu-central-1.amazonaws.com/signinusers")
    assert found["endpoints"] == {
        "authorization_endpoint": f"{login}/oauth2/authorize",
        "token_endpoint": f"{login}/oauth2/token",
        "revocation_endpoint": f"{login}/oauth2/revoke",
        "end_session_endpoint": f"{login}/logout",
    }
    assert connect(default) == {
        "'self'", "https://d1.cloudfront.net", "https://a1b2.execute-api.eu-west-1.amazonaws.com",
        login, "https://cognito-identity.eu-central-1.amazonaws.com",
        "https://cognito-idp.eu-central-1.amazonaws.com",
    }  # fmt: skip


def test_another_provider_replaces_the_user_pool(other: Assembly) -> None:
    stack, values = sample(other)
    for kind in (POOL, CLIENT, GROUP):
        assert stack.of_type(kind) == {}
    provider = stack.only(PROVIDER)
    assert provider["Url"] == OTHER["OperatorIssuer"]
    assert provider["ClientIdList"] == ["console"]
    mapping = values.of(stack, stack.only(MAPPING))["RoleMappings"]["operators"]
    assert (mapping["Type"], mapping["AmbiguousRoleResolution"]) == ("Rules", "Deny")
    rules = mapping["RulesConfiguration"]["Rules"]
    assert [(one["Claim"], one["MatchType"], one["Value"]) for one in rules] == [
        ("groups", "Contains", "waiting-room-administer"),
        ("groups", "Contains", "waiting-room-steer"),
        ("groups", "Contains", "waiting-room-watch"),
    ]
    for one in rules:
        name = one["Value"].removeprefix("waiting-room-").capitalize()
        assert f"SignIn{name}Role" in one["RoleARN"]
    found = settings(other)
    assert (found["issuer"], found["client_id"]) == (OTHER["OperatorIssuer"], "console")
    assert "endpoints" not in found  # the provider publishes them
    assert connect(other) - connect_without_sign_in() == {
        "https://login.shop.example", "https://tokens.shop.example",
        "https://cognito-identity.eu-central-1.amazonaws.com",
    }  # fmt: skip


def connect_without_sign_in() -> set[str]:
    off = Assembly({**ALONE, "OperatorSignIn": "false"})
    stack, _ = sample(off)
    assert settings(off) == {}
    assert not [one for one in stack.resources.values() if "Cognito" in one["Type"]]
    assert roles(off) == {}
    return connect(off)


@pytest.mark.parametrize("made", ["default", "other"])
def test_an_idle_month_of_the_sign_in_costs_nothing(
    made: str, request: pytest.FixtureRequest
) -> None:
    stack, _ = sample(request.getfixturevalue(made))
    used = {one["Type"] for name, one in stack.resources.items() if name.startswith("SignIn")}
    assert used <= FREE


def test_an_account_that_has_the_provider_keeps_it() -> None:
    arn = "arn:aws:iam::123456789012:oidc-provider/login.shop.example/realm"
    made = Assembly({**ALONE, **OTHER, "OperatorProviderArn": arn})
    stack, _ = sample(made)
    assert stack.of_type(PROVIDER) == {}
    assert stack.only(IDENTITIES)["OpenIdConnectProviderARNs"] == [arn]
    mapping = stack.only(MAPPING)["RoleMappings"]["operators"]
    assert mapping["IdentityProvider"] == arn


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"OperatorIssuer": "https://login.shop.example"}, "OperatorClientId need each other"),
        ({"OperatorClientId": "console"}, "OperatorClientId need each other"),
        ({**OTHER, "OperatorSignIn": "false"}, "needs OperatorSignIn=true"),
        ({"OperatorScopes": "openid groups"}, "OperatorScopes needs OperatorIssuer"),
        ({"OperatorGroupPrefix": "room-"}, "OperatorGroupPrefix needs OperatorIssuer"),
        ({**OTHER, "OperatorIssuer": "http://login.shop.example"}, "an https address"),
        ({**OTHER, "OperatorIssuer": "https://login.shop.example:8443"}, "without port"),
        ({**OTHER, "OperatorScopes": "groups"}, "OperatorScopes must be openid"),
        (
            {**OTHER, "OperatorProviderArn": "arn:aws:iam::123456789012:oidc-provider/other"},
            "must end with OperatorIssuer",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(values: dict[str, str], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        OperatorSignInConfig.from_context(values)
