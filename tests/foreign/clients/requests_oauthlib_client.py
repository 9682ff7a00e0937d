"""PyPI's requests-oauthlib against an authorization server, as its documentation has it. It takes what person.mjs
describes."""

import os
import time

# To oauthlib everything without TLS is an error, on the same machine too.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from oauthlib.oauth2 import InvalidGrantError, TokenExpiredError, WebApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from person import INPUT, Person, tell

client = INPUT["client"]
id_, secret = client["client_id"], client.get("client_secret")
method = client["token_endpoint_auth_method"]
server = requests.get(f"{INPUT['issuer']}/.well-known/oauth-authorization-server").json()
# How it authenticates: by Basic, unless it is told to put the secret, or the name alone, in the body.
credentials = {
    "client_secret_basic": {"auth": HTTPBasicAuth(id_, secret)},
    "client_secret_post": {"include_client_id": True, "client_secret": secret},
    "none": {"include_client_id": True},
}[method]
refreshing = {
    "client_secret_basic": {},
    "client_secret_post": {"client_id": id_, "client_secret": secret},
    "none": {"client_id": id_},
}[method]

person = Person()
updates = []


def session(**more):
    scope = INPUT["scope"].split()
    return OAuth2Session(client=WebApplicationClient(id_), redirect_uri=INPUT["redirect_uri"], scope=scope, **more)


def connect(oauth):
    url, _ = oauth.authorization_url(server["authorization_endpoint"], **INPUT.get("parameters", {}))
    # It compares the state itself, and takes another scope than the one it asked for as an error.
    callback = person.authorize(url)
    return oauth.fetch_token(server["token_endpoint"], authorization_response=callback, **credentials)


oauth = session(
    pkce="S256",
    auto_refresh_url=server["token_endpoint"],
    auto_refresh_kwargs=refreshing,
    token_updater=updates.append,
)
first = dict(connect(oauth))
userinfo = oauth.get(server["userinfo_endpoint"])
userinfo.raise_for_status()

authentication = {"auth": credentials["auth"]} if method == "client_secret_basic" else {}
second = dict(oauth.refresh_token(server["token_endpoint"], **refreshing, **authentication))
assert second["refresh_token"] != first["refresh_token"], "the refresh token was rotated"

# By itself, as it takes the token for expired. Basic takes the pair of a request from its arguments.
oauth.token = {**second, "expires_at": time.time() - 10}
pair = {"client_id": id_, "client_secret": secret} if method == "client_secret_basic" else {}
oauth.get(server["userinfo_endpoint"], **pair).raise_for_status()
[third] = updates
assert third["refresh_token"] != second["refresh_token"]

# The same by its older form: the caller catches the error and refreshes.
manual = session(token={**third, "expires_in": -10, "expires_at": time.time() - 10})
try:
    manual.get(server["userinfo_endpoint"])
    raise AssertionError("it took the token for expired")
except TokenExpiredError:
    fourth = dict(manual.refresh_token(server["token_endpoint"], **refreshing, **authentication))
manual.get(server["userinfo_endpoint"]).raise_for_status()

revocation, headers, body = manual._client.prepare_token_revocation_request(
    server["revocation_endpoint"], fourth["refresh_token"], "refresh_token", **refreshing
)
answer = requests.post(revocation, headers=headers, data=body, **authentication)
assert answer.status_code == 200, answer.text
try:
    manual.refresh_token(server["token_endpoint"], **refreshing, **authentication)
    raise AssertionError("a revoked refresh token was good")
except InvalidGrantError:
    pass
assert manual.get(server["userinfo_endpoint"]).status_code == 401

# Without PKCE, where the application may: most code that was written with this library.
classic = None
if INPUT.get("without_pkce"):
    classic = dict(connect(session())).get("scope")
tell(pages=person.pages, userinfo=userinfo.json(), scope=first.get("scope"), classic=classic)
