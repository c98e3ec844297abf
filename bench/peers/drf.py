"""Django REST framework with simplejwt: serializers, a ModelViewSet, its cursor pagination."""

from __future__ import annotations

from uuid import UUID, uuid4

import contract
import django
from django.conf import settings
from sqlalchemy import make_url

URL = make_url(contract.DATABASE)
SQLITE = URL.get_backend_name() == "sqlite"
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": URL.database,
            "OPTIONS": {"init_command": ";".join(f"PRAGMA {each}" for each in contract.PRAGMAS)},
            "CONN_MAX_AGE": None,
        }
        if SQLITE
        else {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": URL.database,
            "USER": URL.username,
            "HOST": URL.query["host"],
            "CONN_MAX_AGE": None,
        }
    },
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    SECRET_KEY="x",
    TIME_ZONE="UTC",
    USE_TZ=True,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
        ],
        "DEFAULT_RENDERER_CLASSES": [
            "rest_framework.renderers.JSONRenderer",
            "rest_framework_xml.renderers.XMLRenderer",
        ],
        "DEFAULT_PARSER_CLASSES": [
            "rest_framework.parsers.JSONParser",
            "rest_framework.parsers.FormParser",
        ],
        "UNAUTHENTICATED_USER": None,
    },
    SIMPLE_JWT={
        "ALGORITHM": "ES256",
        "SIGNING_KEY": contract.PRIVATE,
        "VERIFYING_KEY": contract.PUBLIC,
        "ISSUER": contract.ISSUER,
        "AUDIENCE": contract.AUDIENCE,
        "USER_ID_CLAIM": "sub",
        "TOKEN_TYPE_CLAIM": None,
        "JTI_CLAIM": "jti",
        "AUTH_TOKEN_CLASSES": ["rest_framework_simplejwt.tokens.UntypedToken"],
    },
)
django.setup()

from base64 import b64decode

from django.core.wsgi import get_wsgi_application
from django.db import models
from django.urls import path
from django.utils import timezone
from rest_framework import pagination, permissions, serializers, viewsets
from rest_framework.response import Response
from rest_framework.views import APIView


class Task(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)
    version = models.IntegerField(default=1)
    title = models.CharField(max_length=100)
    person_id = models.UUIDField()
    due_to = models.DateTimeField(null=True)
    done = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label, db_table, managed = "tasks", "tasks", False


class Client(models.Model):
    client_id = models.CharField(primary_key=True, max_length=100)
    secret = models.CharField(max_length=100)
    scope = models.CharField(max_length=100)

    class Meta:
        app_label, db_table, managed = "tasks", "bench_clients", False


class PersonField(serializers.Field):
    def to_representation(self, value):
        return f"{contract.PEOPLE}{value}"

    def to_internal_value(self, data):
        user = self.context["request"].user
        if data != contract.PEOPLE + user.id:
            raise serializers.ValidationError("There is no such person.")
        return UUID(user.id)


class TaskSerializer(serializers.ModelSerializer):
    url = serializers.HyperlinkedIdentityField(view_name="task", lookup_field="id")
    person = PersonField(source="person_id")
    due_to = serializers.DateTimeField(allow_null=True, default=None)

    class Meta:
        model = Task
        fields = ("url", "title", "person", "due_to", "done", "created_at", "updated_at")
        read_only_fields = ("created_at", "updated_at")


class HasScope(permissions.BasePermission):
    def has_permission(self, request, view):
        wanted = "tasks:read" if request.method == "GET" else "tasks:write"
        return request.auth is not None and wanted in request.auth["scope"].split()


class Pages(pagination.CursorPagination):
    ordering, page_size_query_param, page_size = "id", "limit", 50

    def get_paginated_response(self, data):
        return Response({"items": data, "next": self.get_next_link()})


class Tasks(viewsets.ModelViewSet):
    serializer_class, pagination_class, lookup_field = TaskSerializer, Pages, "id"
    permission_classes = (HasScope,)

    def get_queryset(self):
        return Task.objects.filter(person_id=self.request.user.id)

    def get_success_headers(self, data):
        return {"Location": data["url"]}


class Token(APIView):
    authentication_classes = permission_classes = ()

    def post(self, request):
        _, _, basic = request.headers.get("Authorization", "").partition(" ")
        name, _, secret = b64decode(basic).decode().partition(":")
        client = Client.objects.filter(pk=name).first()
        if client is None or not contract.holds(secret, client.secret):
            return Response({"error": "invalid_client"}, status=401)
        return Response(contract.grant(name, client.scope))


class Live(APIView):
    authentication_classes = permission_classes = ()

    def get(self, request):
        return Response({"status": "ok"})


urlpatterns = [
    path("tasks", Tasks.as_view({"get": "list", "post": "create"})),
    path("tasks/<uuid:id>", Tasks.as_view({"get": "retrieve", "put": "update"}), name="task"),
    path("oauth/token", Token.as_view()),
    path("health/live", Live.as_view()),
]
app = get_wsgi_application()
