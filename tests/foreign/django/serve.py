# An authorization server that nobody here wrote: django-oauth-toolkit, with Django's own login form.
# Arguments: the client's id, its secret, its redirect URI. The first line that it prints is its address.
import sys
import tempfile
from pathlib import Path

import django
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

CLIENT_ID, CLIENT_SECRET, REDIRECT_URI = sys.argv[1:]
PERSON, PASSWORD = "anna", "any"

folder = tempfile.TemporaryDirectory(prefix="django")
signing_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    AUTH_PASSWORD_VALIDATORS=[],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(folder.name) / "db.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    LOGIN_URL="/login/",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
        # The server's clock is the real one, so no code may end while a test thinks.
        "AUTHORIZATION_CODE_EXPIRE_SECONDS": 600,
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
        "OAUTH2_VALIDATOR_CLASS": "__main__.Validator",
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": signing_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode(),
        "PKCE_REQUIRED": True,
        # Every refresh token works once, and its second use ends the whole family.
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "ROTATE_REFRESH_TOKEN": True,
        "SCOPES": {"openid": "Who you are", "email": "Your address", "notes": "Your notes"},
    },
    # The secrets are of this run alone: nothing is gained by hashing them slowly.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF="__main__",
    SECRET_KEY="only for this test",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {
                            "registration/login.html": '<form method="post">{% csrf_token %}{{ form }}'
                            '<input type="submit" value="Log in"></form>'
                        },
                    ),
                    "django.template.loaders.app_directories.Loader",
                ]
            },
        }
    ],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import get_application_model  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402


class Validator(OAuth2Validator):
    def get_additional_claims(self, request):
        return {"email": request.user.email}


urlpatterns = [
    path("login/", LoginView.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]

call_command("migrate", verbosity=0)
person = get_user_model().objects.create_user(PERSON, f"{PERSON}@foreign.example", PASSWORD)
get_application_model().objects.create(
    name="Claviger",
    client_id=CLIENT_ID,
    client_secret=CLIENT_SECRET,
    client_type="confidential",
    authorization_grant_type="authorization-code",
    redirect_uris=REDIRECT_URI,
    algorithm="RS256",
)

with ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler) as server:
    server.set_app(get_wsgi_application())
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
