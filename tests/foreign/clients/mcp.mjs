// The client of npm's MCP SDK against a protected MCP server: from a first 401 to a tool's answer.
// It takes besides what all take: `server` (the MCP server's URL) and, where no `client` is registered,
// `client_metadata_url` (its `client_id` is that URL), or neither: it registers itself.
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Person, input, report } from "./person.mjs";

const { client, client_metadata_url, redirect_uri, scope } = input;

class Provider {
  redirectUrl = redirect_uri;
  clientMetadataUrl = client_metadata_url;
  clientMetadata = {
    client_name: "Foreign MCP client",
    redirect_uris: [redirect_uri],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    ...(scope && { scope }),
  };
  stored = { client };
  requests = [];

  state() {
    this.stored.state = crypto.randomUUID();
    return this.stored.state;
  }
  clientInformation() {
    return this.stored.client;
  }
  saveClientInformation(information) {
    this.stored.client = information;
  }
  tokens() {
    return this.stored.tokens;
  }
  saveTokens(tokens) {
    this.stored.tokens = tokens;
  }
  redirectToAuthorization(url) {
    this.requests.push(url);
  }
  saveCodeVerifier(verifier) {
    this.stored.verifier = verifier;
  }
  codeVerifier() {
    return this.stored.verifier;
  }
  saveDiscoveryState(state) {
    this.stored.discovery = state;
  }
}

const provider = new Provider();
const transport = () => new StreamableHTTPClientTransport(new URL(input.server), { authProvider: provider });
const mcp = () => new Client({ name: "foreign", version: "1.0.0" });

// Nobody has authorized it yet: it discovers, registers where it must, and wants to send the person somewhere.
const unauthorized = transport();
await assert.rejects(mcp().connect(unauthorized), UnauthorizedError);
const [request] = provider.requests;
const asked = Object.fromEntries(request.searchParams);
for (const [name, value] of Object.entries(input.parameters ?? {})) request.searchParams.set(name, value);
const { authorizationServerUrl, authorizationServerMetadata, resourceMetadata } = provider.stored.discovery;
assert.equal(authorizationServerUrl, input.issuer);
assert.equal(authorizationServerMetadata.issuer, input.issuer);
assert.deepEqual(authorizationServerMetadata.code_challenge_methods_supported, ["S256"]);
assert.equal(asked.resource, resourceMetadata.resource);

const person = new Person();
const callback = await person.authorize(request);
assert.equal(callback.searchParams.get("state"), provider.stored.state);
assert.equal(callback.searchParams.get("iss"), input.issuer);
await unauthorized.finishAuth(callback.searchParams.get("code"));
const first = provider.stored.tokens;

const session = mcp();
await session.connect(transport());
assert.deepEqual((await session.listTools()).tools.map(({ name }) => name), ["whoami"]);
const whoami = async () => {
  const { content, isError } = await session.callTool({ name: "whoami" });
  assert.ok(!isError, JSON.stringify(content));
  return JSON.parse(content[0].text);
};
const headers = await whoami();

// A token that isn't good any more is a 401, after which it refreshes without asking anybody.
let refreshed;
if (first.refresh_token) {
  provider.stored.tokens = { ...first, access_token: "expired" };
  await whoami();
  refreshed = provider.stored.tokens;
  assert.notEqual(refreshed.access_token, first.access_token);
  assert.notEqual(refreshed.refresh_token, first.refresh_token, "the refresh token was rotated");
  assert.equal(provider.requests.length, 1);
}
await session.close();

report({
  pages: person.pages,
  client_id: provider.stored.client.client_id,
  resource: asked.resource,
  asked: asked.scope,
  scope: first.scope,
  refreshed: refreshed !== undefined,
  headers,
});
