// Zapier's platform with the app in zapier-app: what it does when somebody connects an account, and ever after.
// It takes besides what all take: `endpoints` {authorize, token, refresh, test}, which are typed in there as nothing is
// discovered, and `parallel` (true where a refresh that is repeated at once gets the same answer).
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import zapier from "zapier-platform-core";
import { Person, input, report } from "./person.mjs";

const { client, endpoints, redirect_uri } = input;
const path = fileURLToPath(new URL("zapier-app/index.js", import.meta.url));
const app = createRequire(import.meta.url)(path);
const handle = zapier.createAppHandler(path);
const environment = {
  CLIENT_ID: client.client_id,
  CLIENT_SECRET: client.client_secret,
  AUTHORIZE_URL: endpoints.authorize,
  TOKEN_URL: endpoints.token,
  REFRESH_URL: endpoints.refresh,
  TEST_URL: endpoints.test,
};
// As the platform's command line has it; elsewhere it prints how much memory it has.
const cli = { calledFromCli: true, calledFromCliInvoke: true };
const invoke = async (command, method, bundle) =>
  (await handle({ command, method, bundle, environment, ...cli })).results;
const execute = (method, bundle) => invoke("execute", `authentication.${method}`, bundle);
assert.deepEqual(await invoke("validate"), []);

const person = new Person();

async function code() {
  const state = crypto.randomUUID();
  let url = await execute("oauth2Config.authorizeUrl", { inputData: { redirect_uri, state, response_type: "code" } });
  // The platform adds the scope, and whatever somebody typed in there.
  for (const [name, value] of Object.entries({ scope: input.scope, ...input.parameters })) {
    url += `&${name}=${encodeURIComponent(value)}`;
  }
  const callback = await person.authorize(url);
  assert.equal(callback.searchParams.get("state"), state);
  return callback.searchParams.get("code");
}

const connect = async () => {
  const inputData = { code: await code(), redirect_uri };
  const authData = await execute("oauth2Config.getAccessToken", { authData: {}, inputData });
  assert.ok(authData.access_token && authData.refresh_token);
  return authData;
};
const test = async (authData) => {
  const { json } = await execute("test", { authData, meta: { isTestingAuth: true } });
  return json;
};
// As the platform's own command line renders it.
const label = (json) =>
  app.authentication.connectionLabel.replace(/{{json\.(\w+)}}/g, (_, name) => String(json[name]));
const refresh = async (authData) => {
  const fresh = await execute("oauth2Config.refreshAccessToken", { authData });
  assert.ok(fresh.access_token, "an access token");
  assert.ok(fresh.refresh_token, "without one the connection would be stored with none");
  return { ...authData, ...fresh };
};
const post = (url, fields, headers) => fetch(url, { method: "POST", body: new URLSearchParams(fields), headers });
const secrets = { client_id: client.client_id, client_secret: client.client_secret };

let authData = await connect();
const json = await test(authData);
assert.ok(!label(json).includes("undefined"), label(json));

// A 401 at any request, and nothing else, makes the platform refresh; with the token that was refused in the header.
const stale = { ...authData, access_token: `${authData.access_token}x` };
await assert.rejects(test(stale), { name: "RefreshAuthError" });
const refreshed = await refresh(stale);
assert.notEqual(refreshed.access_token, authData.access_token);
assert.deepEqual(await test(refreshed), json);
authData = refreshed;
if (input.parallel) {
  // Each run of a customer's workflows has met its own 401.
  const runs = await Promise.all([1, 2, 3].map(() => refresh(authData)));
  for (const run of runs) assert.deepEqual(run, runs[0]);
  authData = runs[0];
  assert.deepEqual(await test(authData), json);
}

// What was converted from Zapier's older builder first sends everything in the query string, and repeats it in the body
// only after an error that isn't a 401; the refresh is the other way round. So the code must be as good as before.
const grant = { ...secrets, grant_type: "authorization_code", code: await code(), redirect_uri };
const inQuery = await post(`${endpoints.token}?${new URLSearchParams(grant)}`, {});
assert.equal(inQuery.status, 400);
assert.equal((await inQuery.json()).error, "invalid_request");
const inBody = await post(endpoints.token, grant);
assert.equal(inBody.status, 200);
const legacy = await inBody.json();
const again = { ...secrets, grant_type: "refresh_token", refresh_token: legacy.refresh_token, redirect_uri };
const bearer = { authorization: `Bearer ${legacy.access_token}` };
const legacyRefresh = await post(endpoints.refresh, again, bearer);
assert.equal(legacyRefresh.status, 200);
assert.ok((await legacyRefresh.json()).refresh_token);

report({ pages: person.pages, test: json, label: label(json) });
