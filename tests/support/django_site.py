# SPDX-License-Identifier: Apache-2.0
"""A Django site of some views. Django keeps one configuration per process: tests share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application


def django_site(urlpatterns: Sequence[Any]) -> Any:
    """The WSGI application of a site with these paths. It replaces the process's earlier site."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="x" * 50)
    # Django keeps what it resolved with the object, so each site has an object of its own.
    settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": list(urlpatterns)})
    return get_wsgi_application()
