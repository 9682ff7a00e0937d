"""PyPI's Authlib, with requests, against an authorization server. It takes what person.mjs describes."""

import secrets
import time

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet, import_key

from person import INPUT, Person, tell

issuer, client = INPUT["issuer"], INPUT["client"]
method = client["token_endpoint_auth_method"]
server = requests.get(f"{issuer}/.well-known/openid-configuration").json()
assert server["issuer"] == issuer

person = Person()
updates = []
session = OAuth2Session(
    client["client_id"],
    import_key(client["jwk"]) if "jwk" in client else client.get("client_secret"),
    token_endpoint_auth_method=method,
    revocation_endpoint_auth_method=method,
    scope=INPUT["scope"],
    redirect_uri=INPUT["redirect_uri"],
    code_challenge_method="S256",
    token_endpoint=server["token_endpoint"],
    update_token=lambda token, refresh_token=None, **_: updates.append((dict(token), refresh_token)),
)
if "jwk" in client:
    session.register_client_auth_method(PrivateKeyJWT(issuer, alg=client["jwk"]["alg"]))

verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
url, state = session.create_authorization_url(
    server["authorization_endpoint"], code_verifier=verifier, nonce=nonce, **INPUT.get("parameters", {})
)
callback = person.authorize(url)
# It compares the state itself.
first = dict(session.fetch_token(authorization_response=callback, state=state, code_verifier=verifier))
assert first["token_type"].lower() == "bearer"

keys = KeySet.import_key_set(requests.get(server["jwks_uri"]).json())
decoded = jwt.decode(first["id_token"], keys, algorithms=server["id_token_signing_alg_values_supported"])
options = {"iss": {"values": [issuer]}, "aud": {"values": [client["client_id"]]}}
parameters = {"nonce": nonce, "client_id": client["client_id"], "access_token": first["access_token"]}
claims = CodeIDToken(decoded.claims, decoded.header, options, parameters)
claims.validate(leeway=5)

userinfo = session.get(server["userinfo_endpoint"])
userinfo.raise_for_status()
assert userinfo.json()["sub"] == claims["sub"]

# By hand, and then by itself: it refreshes a token that has expired by its own clock.
second = dict(session.refresh_token(server["token_endpoint"], refresh_token=first["refresh_token"]))
assert second["refresh_token"] != first["refresh_token"], "the refresh token was rotated"
updates.clear()
session.token = {**second, "expires_at": int(time.time()) - 10}
session.get(server["userinfo_endpoint"]).raise_for_status()
[(third, used)] = updates
assert used == second["refresh_token"] and third["refresh_token"] != used

introspected = None
if method != "none":
    answer = session.introspect_token(server["introspection_endpoint"], token=third["access_token"])
    introspected = answer.json()
    assert introspected["active"], introspected

answer = session.revoke_token(
    server["revocation_endpoint"], token=third["refresh_token"], token_type_hint="refresh_token"
)
assert answer.status_code == 200, answer.text
try:
    session.refresh_token(server["token_endpoint"], refresh_token=third["refresh_token"])
    raise AssertionError("a revoked refresh token was good")
except OAuthError as error:
    assert error.error == "invalid_grant", error
session.token = {**third, "refresh_token": None}
assert session.get(server["userinfo_endpoint"]).status_code == 401

tell(pages=person.pages, claims=dict(claims), userinfo=userinfo.json(), introspected=introspected)
