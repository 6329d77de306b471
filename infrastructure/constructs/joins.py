# SPDX-License-Identifier: Apache-2.0
"""The queue of joins, its dead letters, and the route that API Gateway writes to it from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack, aws_apigateway, aws_iam, aws_sqs
from constructs import Construct

from infrastructure import enqueue
from infrastructure.constructs.rest_api import RoomApi
from infrastructure.gateway_answers import HEADERS
from infrastructure.resources import JOINS


class Joins(Construct):
    """``queue`` takes the joins; ``dead_letters`` those that could not become a position."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.dead_letters = aws_sqs.Queue(
            self,
            "DeadLetters",
            retention_period=Duration.seconds(JOINS.dead_letter_retention),
            encryption=aws_sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        self.queue = aws_sqs.Queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(JOINS.visibility_timeout),
            retention_period=Duration.seconds(JOINS.retention),
            encryption=aws_sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=aws_sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=JOINS.max_receive_count
            ),
        )

    def add_route(
        self, api: RoomApi, *, event_id: str, secret_required: bool
    ) -> aws_apigateway.Method:
        """Let ``api`` write the joins of an event to the queue, without compute."""
        role = aws_iam.Role(
            self, "ApiRole", assumed_by=aws_iam.ServicePrincipal("apigateway.amazonaws.com")
        )
        role.add_to_policy(
            aws_iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.queue.queue_arn])
        )
        return api.add_integration(
            path=enqueue.PATH,
            method="POST",
            integration=_integration(self.queue, role),
            model=api.api.add_model(
                "Join",
                content_type="application/json",
                schema=_schema(enqueue.request_model((event_id,), secret_required)),
            ),
            responses=[_declared(status) for status in ("200", "400", "503")],
        )


def _integration(queue: aws_sqs.Queue, role: aws_iam.Role) -> aws_apigateway.AwsIntegration:
    form = {"integration.request.header.Content-Type": f"'{enqueue.FORM}'"}
    return aws_apigateway.AwsIntegration(
        service="sqs",
        path=f"{Stack.of(queue).account}/{queue.queue_name}",
        integration_http_method="POST",
        options=aws_apigateway.IntegrationOptions(
            credentials_role=role,
            passthrough_behavior=aws_apigateway.PassthroughBehavior.NEVER,
            request_parameters=form,
            request_templates={"application/json": enqueue.REQUEST_TEMPLATE},
            timeout=Duration.seconds(enqueue.TIMEOUT),
            integration_responses=[
                _answer("200", enqueue.RESPONSE_TEMPLATE),
                _answer("400", enqueue.REFUSAL_TEMPLATE, pattern=r"4\d{2}"),
                _answer("503", enqueue.FAILURE_TEMPLATE, pattern=r"5\d{2}"),
            ],
        ),
    )


def _schema(model: Mapping[str, Any]) -> aws_apigateway.JsonSchema:
    return aws_apigateway.JsonSchema(
        schema=aws_apigateway.JsonSchemaVersion.DRAFT4,
        title=model["title"],
        type=aws_apigateway.JsonSchemaType.OBJECT,
        required=model["required"],
        properties={
            name: aws_apigateway.JsonSchema(
                type=aws_apigateway.JsonSchemaType.STRING,
                enum=rule.get("enum"),
                pattern=rule.get("pattern"),
                max_length=rule.get("maxLength"),
            )
            for name, rule in model["properties"].items()
        },
    )


def _answer(
    status: str, template: str, pattern: str | None = None
) -> aws_apigateway.IntegrationResponse:
    return aws_apigateway.IntegrationResponse(
        status_code=status,
        selection_pattern=pattern,
        response_parameters={
            f"method.response.header.{name}": f"'{value}'"
            for name, value in _headers(status).items()
        },
        response_templates={"application/json": template},
    )


def _headers(status: str) -> dict[str, str]:
    return {**HEADERS, **(enqueue.FAILURE_HEADERS if status == "503" else {})}


def _declared(status: str) -> aws_apigateway.MethodResponse:
    return aws_apigateway.MethodResponse(
        status_code=status,
        response_parameters={f"method.response.header.{name}": True for name in _headers(status)},
        response_models={"application/json": aws_apigateway.Model.EMPTY_MODEL},
    )
