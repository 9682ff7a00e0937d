// npm's oauth4webapi against an authorization server: each step by hand, no check left out.
// It takes besides what all take: `resource` (RFC 8707), `jwt` (true where its access tokens are JWTs by RFC 9068), and
// `introspection` (false where it has none for them).
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { Person, input, report, signingKey } from "./person.mjs";

const { scope, resource } = input;
const { client_secret, token_endpoint_auth_method: method, jwk, ...client } = input.client;
const authentication = {
  client_secret_basic: () => oauth.ClientSecretBasic(client_secret),
  client_secret_post: () => oauth.ClientSecretPost(client_secret),
  none: () => oauth.None(),
  private_key_jwt: (key) => oauth.PrivateKeyJwt({ key, kid: jwk.kid }),
}[method](jwk && (await signingKey(jwk)));
const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(input.issuer);

const metadata = [];
for (const algorithm of ["oidc", "oauth2"]) {
  const response = await oauth.discoveryRequest(issuer, { algorithm, ...insecure });
  metadata.push(await oauth.processDiscoveryResponse(issuer, response));
}
const [server] = metadata;
assert.deepEqual(metadata[1], server);
assert.equal(server.authorization_response_iss_parameter_supported, true);
assert.deepEqual(server.code_challenge_methods_supported, ["S256"]);

const person = new Person();
const also = resource ? { resource } : {};

// One authorization request, to the answer's parameters and what redeems its code.
async function ask(who, more) {
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const verifier = oauth.generateRandomCodeVerifier();
  const challenge = await oauth.calculatePKCECodeChallenge(verifier);
  const url = new URL(server.authorization_endpoint);
  const parameters = {
    ...input.parameters, ...also, scope, state, nonce, code_challenge: challenge, code_challenge_method: "S256",
    client_id: client.client_id, redirect_uri: input.redirect_uri, response_type: "code", ...more,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const callback = await who.authorize(url);
  assert.equal(callback.searchParams.get("iss"), server.issuer);
  return { parameters: () => oauth.validateAuthResponse(server, client, callback, state), verifier, nonce };
}

const redeem = ({ parameters, verifier }) =>
  oauth.authorizationCodeGrantRequest(
    server, client, authentication, parameters(), input.redirect_uri, verifier,
    { additionalParameters: also, ...insecure },
  );
const processed = (response, { nonce }) =>
  oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: nonce, requireIdToken: true });

async function refused(promise, code) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.error, code, error);
    return true;
  });
}

// Somebody who isn't signed in can't be asked: the error goes back, with `state` and `iss` as in a success.
const silent = await ask(new Person(), { prompt: "none" });
assert.throws(silent.parameters, { code: oauth.AUTHORIZATION_RESPONSE_ERROR, error: "login_required" });
const stolen = { ...(await ask(person)), verifier: oauth.generateRandomCodeVerifier() };
await refused(processed(await redeem(stolen), stolen), "invalid_grant");

const granted = await ask(person);
const answer = await redeem(granted);
assert.equal(answer.headers.get("cache-control"), "no-store");
const first = await processed(answer, granted);
const claims = oauth.getValidatedIdTokenClaims(first);
// TLS makes up for this where there is some; here it shows that the published keys are those that sign.
await oauth.validateApplicationLevelSignature(server, answer, insecure);

const userinfo = async (token, subject) =>
  oauth.processUserInfoResponse(server, client, subject, await oauth.userInfoRequest(server, client, token, insecure));
const me = resource ? undefined : await userinfo(first.access_token, claims.sub);

let accessToken;
if (input.jwt) {
  const request = new Request(resource, { headers: { authorization: `Bearer ${first.access_token}` } });
  accessToken = await oauth.validateJwtAccessToken(server, request, resource, insecure);
  assert.equal(accessToken.sub, claims.sub);
  assert.equal(accessToken.client_id, client.client_id);
  const elsewhere = oauth.validateJwtAccessToken(server, request, "https://elsewhere.example", insecure);
  await assert.rejects(elsewhere, { code: oauth.JWT_CLAIM_COMPARISON });
}

const refresh = async (token, more = {}) => {
  const options = { additionalParameters: { ...also, ...more }, ...insecure };
  const response = await oauth.refreshTokenGrantRequest(server, client, authentication, token, options);
  return oauth.processRefreshTokenResponse(server, client, response);
};
const second = await refresh(first.refresh_token);
assert.notEqual(second.refresh_token, first.refresh_token, "the refresh token was rotated");
await refused(refresh(second.refresh_token, { scope: `${scope} admin` }), "invalid_scope");

const introspect = async (token) => {
  const response = await oauth.introspectionRequest(server, client, authentication, token, insecure);
  return oauth.processIntrospectionResponse(server, client, response);
};
const introspects = input.introspection !== false && method !== "none";
let introspected;
if (introspects) {
  introspected = await introspect(second.access_token);
  assert.equal(introspected.active, true);
}

const revoke = async (token) =>
  oauth.processRevocationResponse(
    await oauth.revocationRequest(server, client, authentication, token, insecure),
  );
await revoke(second.refresh_token);
await revoke(second.refresh_token);
if (introspects) assert.deepEqual(await introspect(second.access_token), { active: false });
await refused(refresh(second.refresh_token), "invalid_grant");

report({ pages: person.pages, claims, userinfo: me, accessToken, introspected, scope: first.scope });
