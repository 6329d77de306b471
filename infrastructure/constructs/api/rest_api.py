# SPDX-License-Identifier: Apache-2.0
"""A REST API with the routes of a Chalice app and one function per view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack, aws_apigateway, aws_lambda, aws_logs
from constructs import Construct

from infrastructure.blueprint import preflight
from infrastructure.blueprint.gateway_responses import (
    HEADERS,
    NO_CACHE_HEADERS,
    RESPONSES,
    STAGE,
    GatewayResponse,
)
from infrastructure.blueprint.routes import Route
from infrastructure.constructs.compute.function import FunctionDefaults
from waiting_room.runtime.http_api import CORS

# The members of an access log line: no query, header, address or id that a caller can choose.
# `path` is that of the route. AWS sets the extended request id; a client can set the plain one.
ACCESS_LOG = {
    "requestId": aws_apigateway.AccessLogField.context_extended_request_id(),
    "method": aws_apigateway.AccessLogField.context_http_method(),
    "path": aws_apigateway.AccessLogField.context_resource_path(),
    "status": aws_apigateway.AccessLogField.context_status(),
    "latency": aws_apigateway.AccessLogField.context_response_latency(),
    "errorType": aws_apigateway.AccessLogField.context_error_response_type(),
    "integrationError": aws_apigateway.AccessLogField.context_integration_error_message(),
    "time": aws_apigateway.AccessLogField.context_request_time_epoch(),
    # the ARN of the signer (an operator or an inlet), "-" for visitors
    "caller": aws_apigateway.AccessLogField.context_identity_user_arn(),
}

DOCUMENT_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The rate limit of a stage in requests per second, and its burst limit."""

    rate: int
    burst: int


class RoomApi(Construct):
    """A regional REST API with one stage, ``api``.

    ``key_required`` requires an API key on every route. ``authorizer`` protects the routes with a
    token authorizer in the app; IAM protects those with an IAM authorizer. ``responses`` are the
    gateway responses. ``cors`` is for APIs that scripts of other origins call. ``documents`` are
    the limits of the paths of ``add_document``. ``route_metrics`` turns on the CloudWatch
    metrics of each route, which cost; those of the API are free. The stage writes
    ``access_logs``.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        api_name: str,
        description: str,
        defaults: FunctionDefaults,
        limits: Limits,
        responses: Sequence[GatewayResponse] = RESPONSES,
        key_required: bool = False,
        authorizer: aws_apigateway.IAuthorizer | None = None,
        cors: bool = True,
        documents: Mapping[str, Limits] | None = None,
        route_metrics: bool = False,
    ) -> None:
        super().__init__(scope, name)
        self._key_required, self._authorizer, self._cors = key_required, authorizer, cors
        self._preflights: set[str] = set()  # paths with a preflight
        self.access_logs = defaults.log_group(self, "AccessLogs")
        self.api = aws_apigateway.RestApi(
            self,
            "Api",
            rest_api_name=api_name,
            description=description,
            endpoint_types=[aws_apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,  # the account's: made once, in ApiLogRole
            deploy_options=_stage(self.access_logs, limits, documents or {}, route_metrics),
        )
        self.api.node.try_remove_child(
            "Endpoint"
        )  # an output of CDK's own; stacks have better ones
        self.validator = self.api.add_request_validator(
            "Validator", validate_request_body=True, validate_request_parameters=True
        )
        for response in responses:
            _add_gateway_response(
                self.api, response, {**(HEADERS if cors else NO_CACHE_HEADERS), **response.more}
            )

    @property
    def stage_address(self) -> str:
        """Return the address of the stage, without a final slash; it refers to the API only."""
        stack = Stack.of(self)
        domain = f"{self.api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}"
        return f"https://{domain}/{STAGE}"

    def add_routes(
        self,
        routes: Sequence[Route],
        *,
        targets: Mapping[str, aws_lambda.IFunction],
        queries: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Serve ``routes``; ``targets`` holds the function of each view.

        ``queries`` are the required query parameters of each path.
        """
        for route in routes:
            self._add(route, targets[route.view], (queries or {}).get(route.path, ()))

    def redeploy_with(self, authorizer: aws_apigateway.IAuthorizer, arn: str) -> None:
        """Make a new deployment if the function of an authorizer changes; CDK makes none."""
        deployment = self.api.latest_deployment
        assert deployment is not None
        deployment.node.add_dependency(authorizer)
        deployment.add_to_logical_id({"authorizer": arn})

    def add_integration(
        self,
        *,
        path: str,
        method: str,
        integration: aws_apigateway.Integration,
        model: aws_apigateway.IModel,
        responses: Sequence[aws_apigateway.MethodResponse],
    ) -> aws_apigateway.Method:
        """Add a route without a function; API Gateway validates bodies against ``model``."""
        return self._resource(path).add_method(
            method,
            integration,
            api_key_required=self._key_required,
            request_validator=self.validator,
            request_models={"application/json": model},
            method_responses=list(responses),
        )

    def add_document(self, path: str, body: str, headers: Mapping[str, str]) -> None:
        """Add a static document that API Gateway returns to every caller, without a key."""
        named = {f"method.response.header.{name}": f"'{value}'" for name, value in headers.items()}
        for method in DOCUMENT_METHODS:
            _add_mock(self._resource(path), method, named, body)

    def _add(self, route: Route, target: aws_lambda.IFunction, query: Sequence[str]) -> None:
        integration = aws_apigateway.LambdaIntegration(target, allow_test_invoke=False)
        resource = self._resource(route.path)
        for method in route.methods:
            resource.add_method(
                method,
                integration,
                api_key_required=self._key_required,
                authorization_type=aws_apigateway.AuthorizationType.IAM if route.iam else None,
                authorizer=self._authorizer if route.token else None,
                request_validator=self.validator if query else None,
                request_parameters={f"method.request.querystring.{one}": True for one in query},
            )

    def _resource(self, path: str) -> aws_apigateway.Resource:
        """Return the resource of a path; with CORS, a new one has a preflight route."""
        resource = self.api.root.resource_for_path(path)
        if self._cors and path not in self._preflights:
            self._preflights.add(path)
            _add_preflight(resource)
        return resource


def _stage(
    logs: aws_logs.ILogGroup,
    limits: Limits,
    documents: Mapping[str, Limits],
    route_metrics: bool,
) -> aws_apigateway.StageOptions:
    return aws_apigateway.StageOptions(
        stage_name=STAGE,
        access_log_destination=aws_apigateway.LogGroupLogDestination(logs),
        access_log_format=aws_apigateway.AccessLogFormat.custom(_access_log()),
        tracing_enabled=False,  # trace segments of a stage contain URL, query and client address
        method_options={
            f"{path}/{method}": aws_apigateway.MethodDeploymentOptions(
                **_method(one, route_metrics)
            )
            for path, one in documents.items()
            for method in DOCUMENT_METHODS
        },
        **_method(limits, route_metrics),
    )


def _method(limits: Limits, metrics: bool) -> dict[str, Any]:
    """Return the settings of a method in the stage."""
    return {
        "logging_level": aws_apigateway.MethodLoggingLevel.ERROR,
        "data_trace_enabled": False,  # data traces would write bodies with tokens to the log
        "metrics_enabled": metrics,
        "throttling_rate_limit": limits.rate,
        "throttling_burst_limit": limits.burst,
    }


def _access_log() -> str:
    parts = ", ".join(f'"{name}": "{value}"' for name, value in ACCESS_LOG.items())
    return f"{{{parts}}}"


def _add_preflight(resource: aws_apigateway.IResource) -> None:
    """Add a preflight with the CORS headers of the apps; it allows the requested headers."""
    headers = {f"method.response.header.{name}": f"'{value}'" for name, value in CORS.items()}
    _add_mock(resource, "OPTIONS", headers, preflight.RESPONSE_TEMPLATE)


def _add_mock(
    resource: aws_apigateway.IResource, method: str, headers: Mapping[str, str], template: str
) -> None:
    """Add a method that API Gateway serves itself, without authorization."""
    resource.add_method(
        method,
        aws_apigateway.MockIntegration(
            request_templates={"application/json": '{"statusCode": 200}'},
            integration_responses=[
                aws_apigateway.IntegrationResponse(
                    status_code="200",
                    response_parameters=headers,
                    response_templates={"application/json": template},
                )
            ],
        ),
        authorization_type=aws_apigateway.AuthorizationType.NONE,
        method_responses=[
            aws_apigateway.MethodResponse(
                status_code="200", response_parameters=dict.fromkeys(headers, True)
            )
        ],
    )


def _add_gateway_response(
    api: aws_apigateway.RestApi, answer: GatewayResponse, headers: Mapping[str, str]
) -> None:
    api.add_gateway_response(
        answer.kind.title().replace("_", ""),
        type=aws_apigateway.ResponseType.of(answer.kind),
        status_code=str(answer.status) if answer.status else None,
        response_headers={name: f"'{value}'" for name, value in headers.items()},
        templates={"application/json": answer.template},
    )
