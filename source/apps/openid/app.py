# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider app, for load balancers, Cognito, web servers and CMSs.

Environment: ``EVENT_ID`` (= client_id), ``PUBLIC_API_ENDPOINT`` (the room, behind its edge),
``OPENID_ISSUER`` (address of this API, stage included), ``WAITING_ROOM_URL`` (the waiting page),
``OPENID_REDIRECT_URIS`` (registered addresses, space separated), ``OPENID_CODES_TABLE``
(``infrastructure.blueprint.resources.CODES``), ``SIGNING_KEYS_SECRET`` (the room's signing
keys), ``TOKEN_ISSUER`` (the room's, as the public API has it), and
``OPENID_CLIENT_SECRET_ID`` (a secret with ``{"client_secret": …, "transaction_key": …}``, 16
characters or more each; the second may be left out). Optional: ``OPENID_RESTART_URL``, where the
site starts a login, for those who waited ``OPENID_RESTART_AFTER`` (150) seconds or longer, which
is more than their client remembers them; ``SIGNING_KEY_CACHE_SECONDS``, how long both secrets are
kept; ``OPENID_REQUEST_ID_CODES``, with true: the waiting page of the AWS solution works.
"""

from __future__ import annotations

import functools
import logging
import os
import secrets
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from chalice import Chalice, Response

from waiting_room.domain.errors import InvalidInput, Unavailable
from waiting_room.openid.authlib_server import OpenIdResponse
from waiting_room.openid.protocol import form_pairs
from waiting_room.openid.provider import Provider, error_response
from waiting_room.openid.settings import REQUEST_ID_CODES_WARNING, ClientSecrets
from waiting_room.runtime.safe_traceback import safe_traceback
from waiting_room.runtime.settings.openid import read_openid_settings

app = Chalice(app_name="waiting-room-openid", configure_logs=False)
logger = logging.getLogger("waiting_room")
ANY = ["*/*"]  # content types are checked here, so that a wrong one gets an RFC 6749 error


@cache
def provider() -> Provider:
    """Return the provider of this function, built on first use."""
    from waiting_room.adapters.aws import client, silence_library_logs
    from waiting_room.adapters.cached_secret import CachedSecret
    from waiting_room.adapters.dynamodb.openid_codes import DynamoCodes
    from waiting_room.adapters.http.public_api import PublicApi
    from waiting_room.adapters.secrets_manager import SecretsManagerKeys

    silence_library_logs()
    chosen = read_openid_settings(os.environ)
    if chosen.request_id_codes:
        logger.warning("openid: %s", REQUEST_ID_CODES_WARNING)
    store, kept = client("secretsmanager"), chosen.signing_key_cache
    return Provider(
        chosen,
        secrets=CachedSecret(
            store, chosen.client_secret_id, ClientSecrets.from_json, time.monotonic, kept
        ).load,
        keys=SecretsManagerKeys(store, chosen.signing_secret, time.monotonic, kept),
        codes=DynamoCodes(client("dynamodb"), chosen.codes_table),
        room=PublicApi(chosen.public_api, chosen.event_id),
        clock=time.time,
        new_code=lambda: secrets.token_urlsafe(32),
    )


def handle_errors(view: Callable[[], OpenIdResponse]) -> Callable[[], Response]:
    """Decorate a view: convert exceptions to JSON errors, never to a traceback."""

    @functools.wraps(view)
    def answered() -> Response:
        try:
            answer = view()
        except InvalidInput as error:
            answer = error_response("invalid_request", str(error))
        except Unavailable as error:
            logger.warning("%s: unavailable: %s", view.__name__, error)
            wait = {"Retry-After": str(error.retry_after)}
            answer = error_response("temporarily_unavailable", "try again shortly", 503, **wait)
        except Exception as error:
            logger.error("%s: unexpected %s", view.__name__, safe_traceback(error))
            answer = error_response("server_error", "internal error", 500)
        return Response(answer.body, dict(answer.headers), answer.status)

    return answered


@app.route("/authorize", methods=["GET", "POST"], content_types=ANY)
@handle_errors
def authorize() -> OpenIdResponse:
    return provider().authorize(_query() if app.current_request.method == "GET" else _form())


@app.route("/authorize/continue", methods=["POST"], content_types=ANY)
@handle_errors
def resume() -> OpenIdResponse:
    return provider().resume(_form())


@app.route("/token", methods=["POST"], content_types=ANY)
@handle_errors
def token() -> OpenIdResponse:
    return provider().token(_form(), _header("authorization"))


@app.route("/userInfo", methods=["GET", "POST"], content_types=ANY)
@handle_errors
def user_info() -> OpenIdResponse:
    return provider().user_info(_header("authorization"))


@app.route("/.well-known/openid-configuration", methods=["GET"], content_types=ANY)
@handle_errors
def configuration() -> OpenIdResponse:
    return provider().configuration()


@app.route("/.well-known/jwks.json", methods=["GET"], content_types=ANY)
@handle_errors
def jwks() -> OpenIdResponse:
    return provider().jwks()


def _query() -> list[tuple[str, str]]:
    found = app.current_request.query_params
    return [(name, value) for name in found or () for value in found.getlist(name)]


def _form() -> list[tuple[str, str]]:
    request: Any = app.current_request
    try:
        raw = request.raw_body or b""
    except ValueError:  # not UTF-8, or invalid base64
        raise InvalidInput("the body is not a form") from None
    return form_pairs(raw, _header("content-type"))


def _header(name: str) -> str:
    return str(app.current_request.headers.get(name) or "")
