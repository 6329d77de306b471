# SPDX-License-Identifier: Apache-2.0
"""The join queue, its dead-letter queue, and the API route that writes to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration, Stack, aws_apigateway, aws_iam, aws_kms, aws_sqs
from constructs import Construct

from infrastructure.blueprint import join_integration
from infrastructure.blueprint.gateway_responses import HEADERS
from infrastructure.blueprint.permissions import Resource
from infrastructure.blueprint.resources import JOINS
from infrastructure.constructs.api.rest_api import RoomApi
from infrastructure.constructs.compute.encryption import key_statements, queue_encryption
from infrastructure.constructs.compute.function_context import ResourceRef


class JoinQueue(Construct):
    """``queue`` holds the joins; ``dead_letters`` is its dead-letter queue.

    Only the API and ``redrive_role`` may write to the queue. The worker identifies messages of a
    redrive by the id of the role. ``key`` encrypts both queues; None for the key of SQS.
    """

    def __init__(self, scope: Construct, name: str, *, key: aws_kms.IKey | None = None) -> None:
        super().__init__(scope, name)
        self._key = key
        self._api_roles: list[aws_iam.IRole] = []
        self.dead_letters = aws_sqs.Queue(
            self,
            "DeadLetters",
            retention_period=Duration.seconds(JOINS.dead_letter_retention),
            **queue_encryption(key),
            enforce_ssl=True,
        )
        self.queue = aws_sqs.Queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(JOINS.visibility_timeout),
            retention_period=Duration.seconds(JOINS.retention),
            **queue_encryption(key),
            enforce_ssl=True,
            dead_letter_queue=aws_sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=JOINS.max_receive_count
            ),
        )

        self.redrive_role = aws_iam.Role(
            self,
            "RedriveRole",
            assumed_by=aws_iam.AccountPrincipal(Stack.of(self).account),
            description="Redrives the dead-letter queue: python -m deployment.redrive",
        )
        redrive = (
            (self.queue, ("GetQueueAttributes", "SendMessage")),
            (self.dead_letters, ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")),
        )
        for statement in key_statements(
            key, (f"sqs:{one}" for _, calls in redrive for one in calls)
        ):
            self.redrive_role.add_to_policy(statement)
        for queue, calls in redrive:
            self.redrive_role.add_to_policy(
                aws_iam.PolicyStatement(
                    actions=[f"sqs:{call}" for call in calls], resources=[queue.queue_arn]
                )
            )

    def resource_refs(self) -> dict[Resource, ResourceRef]:
        """Return the references of the two queues."""
        return {
            resource: ResourceRef(name=queue.queue_url, arn=queue.queue_arn)
            for resource, queue in (
                (Resource.JOINS, self.queue),
                (Resource.DEAD_LETTERS, self.dead_letters),
            )
        }

    def allow_only(self, *workers: aws_iam.IRole, others: Sequence[str] = ()) -> None:
        """Deny sqs:SendMessage to every principal but the API, the redrive and these workers.

        ``others`` are the ARNs of roles in other stacks. The join worker requests admission steps
        by messages to its own queue, and ``admit`` sends messages that show that the queue is not
        delayed. With a VPC, ``send_outbox`` sends both. Call this once, after ``add_route``.
        """
        roles = (*self._api_roles, self.redrive_role, *workers)
        self.queue.add_to_resource_policy(
            aws_iam.PolicyStatement(
                effect=aws_iam.Effect.DENY,
                principals=[aws_iam.AnyPrincipal()],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={
                    "ArnNotEquals": {
                        "aws:PrincipalArn": [*(role.role_arn for role in roles), *others]
                    }
                },
            )
        )

    def add_route(
        self, api: RoomApi, *, event_id: str, secret_required: bool
    ) -> aws_apigateway.Method:
        """Add the route that writes joins to the queue, without a function.

        With ``secret_required``, joins of ``event_id`` need a ``client_secret_hash``.
        """
        role = aws_iam.Role(
            self, "ApiRole", assumed_by=aws_iam.ServicePrincipal("apigateway.amazonaws.com")
        )
        role.add_to_policy(
            aws_iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.queue.queue_arn])
        )
        for statement in key_statements(self._key, ["sqs:SendMessage"]):
            role.add_to_policy(statement)
        self._api_roles.append(role)
        return api.add_integration(
            path=join_integration.PATH,
            method="POST",
            integration=_integration(
                self.queue, role, join_integration.request_template(event_id, secret_required)
            ),
            model=api.api.add_model(
                "Join",
                content_type="application/json",
                schema=_schema(join_integration.request_model(event_id, secret_required)),
            ),
            responses=[_declared(status) for status in ("200", "400", "503")],
        )


def _integration(
    queue: aws_sqs.Queue, role: aws_iam.Role, template: str
) -> aws_apigateway.AwsIntegration:
    headers = {
        f"integration.request.header.{name}": f"'{value}'"
        for name, value in join_integration.REQUEST_HEADERS.items()
    }
    return aws_apigateway.AwsIntegration(
        service="sqs",
        path=f"{Stack.of(queue).account}/{queue.queue_name}",
        integration_http_method="POST",
        options=aws_apigateway.IntegrationOptions(
            credentials_role=role,
            passthrough_behavior=aws_apigateway.PassthroughBehavior.NEVER,
            request_parameters=headers,
            request_templates={"application/json": template},
            timeout=Duration.seconds(join_integration.TIMEOUT),
            integration_responses=[
                _answer("200", join_integration.RESPONSE_TEMPLATE),
                _answer("400", join_integration.REFUSAL_TEMPLATE, pattern=r"4\d{2}"),
                _answer("503", join_integration.FAILURE_TEMPLATE, pattern=r"5\d{2}"),
            ],
        ),
    )


def _schema(model: Mapping[str, Any]) -> aws_apigateway.JsonSchema:
    return aws_apigateway.JsonSchema(
        schema=aws_apigateway.JsonSchemaVersion.DRAFT4,
        title=model["title"],
        type=aws_apigateway.JsonSchemaType.OBJECT,
        required=model["required"],
        max_properties=model["maxProperties"],
        properties={name: _rule(rule) for name, rule in model["properties"].items()},
        any_of=[_alternative(one) for one in model["anyOf"]] if "anyOf" in model else None,
        additional_properties=aws_apigateway.JsonSchema(
            any_of=[_rule(rule) for rule in model["additionalProperties"]["anyOf"]]
        ),
    )


def _alternative(one: Mapping[str, Any]) -> aws_apigateway.JsonSchema:
    """Return an alternative: required members, or values that members may not have."""
    return aws_apigateway.JsonSchema(
        required=one.get("required"),
        properties={
            name: aws_apigateway.JsonSchema(
                not_=aws_apigateway.JsonSchema(enum=rule["not"]["enum"])
            )
            for name, rule in one["properties"].items()
        }
        if "properties" in one
        else None,
    )


def _rule(rule: Mapping[str, Any]) -> aws_apigateway.JsonSchema:
    return aws_apigateway.JsonSchema(
        type=aws_apigateway.JsonSchemaType[rule["type"].upper()],
        enum=rule.get("enum"),
        pattern=rule.get("pattern"),
        max_length=rule.get("maxLength"),
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
    return {**HEADERS, **(join_integration.FAILURE_HEADERS if status == "503" else {})}


def _declared(status: str) -> aws_apigateway.MethodResponse:
    return aws_apigateway.MethodResponse(
        status_code=status,
        response_parameters={f"method.response.header.{name}": True for name in _headers(status)},
        response_models={"application/json": aws_apigateway.Model.EMPTY_MODEL},
    )
