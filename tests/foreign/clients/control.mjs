// oidc-provider in the place of our own server: a client that fails there too tells nothing about us.
// Its argument is a JSON object: {redirect_uri, resource, clients, documents, mcp_server}. `documents` are client ID
// metadata documents by their URL; `mcp_server` is the address of an MCP server that nobody protects, and that is
// /protected/mcp here, behind a token. The first line that it prints is its issuer.
import { generateKeyPairSync } from "node:crypto";
import { createServer, request as forward } from "node:http";
import Provider from "oidc-provider";

const { redirect_uri, resource, clients, documents, mcp_server } = JSON.parse(process.argv[2]);
const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const server = createServer((request, response) => answer(request, response));
let answer;

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const mcp = `${issuer}/protected/mcp`;
  const provider = new Provider(issuer, {
    clients: clients.map(({ jwk, ...client }) => ({
      redirect_uris: [redirect_uri],
      grant_types: ["authorization_code", "refresh_token", "client_credentials"],
      id_token_signed_response_alg: "ES256",
      ...(jwk && { jwks: { keys: [{ ...jwk, d: undefined }] }, token_endpoint_auth_signing_alg: jwk.alg }),
      ...client,
    })),
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    claims: { openid: ["sub"], email: ["email"] },
    cookies: { keys: ["only for this test"] },
    enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
    features: {
      clientCredentials: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
      devInteractions: { enabled: true },
      introspection: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, indicator) => ({
          scope: "tools notes",
          accessTokenFormat: indicator === resource ? "jwt" : "opaque",
          jwt: { sign: { alg: "ES256" } },
        }),
      },
      revocation: { enabled: true },
    },
    fetch: async (url) => Response.json(documents[url]),
    findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id, email: id }) }),
    jwks: { keys: [{ ...key, alg: "ES256", use: "sig" }] },
    pkce: { required: (_, client) => client.clientId !== "zapier" },
    rotateRefreshToken: true,
    scopes: ["openid", "offline_access", "email", "tools", "notes"],
    ttl: {
      AccessToken: 3600,
      ClientCredentials: 600,
      RefreshToken: 86400,
      Grant: 86400,
      Interaction: 600,
      Session: 600,
    },
  });
  const authorize = provider.callback();
  const protectedResource = {
    resource: mcp,
    authorization_servers: [issuer],
    scopes_supported: ["tools", "offline_access"],
  };
  answer = async (request, response) => {
    if (request.url === "/.well-known/oauth-protected-resource/protected/mcp") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(protectedResource));
    } else if (request.url === "/.well-known/oauth-authorization-server") {
      request.url = "/.well-known/openid-configuration";
      authorize(request, response);
    } else if (request.url === "/protected/mcp") {
      const token = await provider.AccessToken.find(request.headers.authorization?.replace("Bearer ", "") ?? "");
      if (token?.aud !== mcp) {
        const metadata = `${issuer}/.well-known/oauth-protected-resource/protected/mcp`;
        response.writeHead(401, { "www-authenticate": `Bearer resource_metadata="${metadata}"` }).end();
        return;
      }
      const headers = { ...request.headers, "x-user": token.accountId };
      delete headers.authorization;
      const onward = forward(mcp_server, { method: request.method, headers }, (from) => {
        response.writeHead(from.statusCode, from.headers);
        from.pipe(response);
      });
      request.pipe(onward);
    } else {
      // It takes the Bearer header that Zapier's apps send beside their secret for a second authentication.
      const { authorization } = request.headers;
      if (request.url === "/token" && authorization?.startsWith("Bearer")) delete request.headers.authorization;
      authorize(request, response);
    }
  };
  console.log(issuer);
});
