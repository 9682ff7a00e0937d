// npm's openid-client against an authorization server: everything that it offers for one client.
// It takes besides what all take: `resource`, `par` (false where the server has none), `client_credentials` (the scope
// of such a token, where the client may have one) and `dpop` (true to bind the tokens to a key).
import assert from "node:assert/strict";
import * as openid from "openid-client";
import { Person, input, report, signingKey } from "./person.mjs";

const { client, scope, resource } = input;
const authentication = {
  client_secret_basic: () => openid.ClientSecretBasic(client.client_secret),
  client_secret_post: () => openid.ClientSecretPost(client.client_secret),
  none: () => openid.None(),
  private_key_jwt: (key) => openid.PrivateKeyJwt({ key, kid: client.jwk.kid }),
}[client.token_endpoint_auth_method](client.jwk && (await signingKey(client.jwk)));
const confidential = client.token_endpoint_auth_method !== "none";

const discover = (algorithm) =>
  openid.discovery(new URL(input.issuer), client.client_id, undefined, authentication, {
    algorithm,
    execute: [openid.allowInsecureRequests],
  });
const server = await discover("oidc");
assert.deepEqual((await discover("oauth2")).serverMetadata(), server.serverMetadata());
assert.ok(server.serverMetadata().supportsPKCE());
const DPoP = input.dpop ? openid.getDPoPHandle(server, await openid.randomDPoPKeyPair("ES256")) : undefined;

const person = new Person();

async function tokens(build) {
  const [verifier, nonce, state] = [openid.randomPKCECodeVerifier(), openid.randomNonce(), openid.randomState()];
  const parameters = {
    ...input.parameters,
    ...(resource && { resource }),
    redirect_uri: input.redirect_uri,
    scope,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    nonce,
    state,
  };
  const callback = await person.authorize(await build(server, parameters, { DPoP }));
  assert.equal(callback.searchParams.get("iss"), input.issuer);
  const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state, idTokenExpected: true };
  return openid.authorizationCodeGrant(server, callback, checks, resource && { resource }, { DPoP });
}

const userinfo = (token, subject) => openid.fetchUserInfo(server, token, subject, { DPoP });
const isActive = async (token) => (await openid.tokenIntrospection(server, token)).active;

const first = await tokens(openid.buildAuthorizationUrl);
assert.equal(first.token_type, input.dpop ? "dpop" : "bearer");
assert.ok(first.expiresIn() > 0);
const { sub } = first.claims();
const me = resource ? undefined : await userinfo(first.access_token, sub);

const second = await openid.refreshTokenGrant(server, first.refresh_token, resource && { resource }, { DPoP });
assert.notEqual(second.refresh_token, first.refresh_token, "the refresh token was rotated");
assert.notEqual(second.access_token, first.access_token);
const refreshed = second.claims()?.sub;
if (refreshed) assert.equal(refreshed, sub);

let introspected;
if (confidential) {
  introspected = await openid.tokenIntrospection(server, second.access_token);
  assert.equal(introspected.active, true);
  assert.equal(introspected.client_id, client.client_id);
  assert.equal(introspected.sub, sub);
  assert.equal(await isActive("unknown"), false);
}

await openid.tokenRevocation(server, second.refresh_token, { token_type_hint: "refresh_token" });
if (confidential) {
  assert.equal(await isActive(second.refresh_token), false);
  assert.equal(await isActive(second.access_token), false, "it goes with its refresh token");
}
if (!resource) {
  await assert.rejects(userinfo(second.access_token, sub), (error) => {
    assert.ok(error instanceof openid.WWWAuthenticateChallengeError, error);
    assert.equal(error.status, 401);
    const challenge = error.cause.find(({ scheme }) => scheme === (input.dpop ? "dpop" : "bearer"));
    assert.equal(challenge.parameters.error, "invalid_token");
    return true;
  });
}
await assert.rejects(openid.refreshTokenGrant(server, second.refresh_token, undefined, { DPoP }), (error) => {
  assert.ok(error instanceof openid.ResponseBodyError, error);
  assert.equal(error.error, "invalid_grant");
  return true;
});
// RFC 7009 §2.2: also where there is nothing to revoke.
await openid.tokenRevocation(server, "unknown");

if (input.par !== false) {
  const pushed = await tokens(openid.buildAuthorizationUrlWithPAR);
  assert.equal(pushed.claims().sub, sub);
}
if (input.client_credentials) {
  const own = await openid.clientCredentialsGrant(server, { scope: input.client_credentials }, { DPoP });
  assert.equal(own.refresh_token, undefined);
  assert.notEqual((await openid.tokenIntrospection(server, own.access_token)).sub, sub);
}
report({ pages: person.pages, claims: first.claims(), userinfo: me, introspected, scope: first.scope });
