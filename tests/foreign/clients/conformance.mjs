// What the conformance suite of the Model Context Protocol asks of an authorization server. It needs Node 22.
// It takes besides what all take: `resource`. Its client has http://127.0.0.1/callback as redirect URI, where the suite
// listens on a port of its own (RFC 8252 §7.3), and is a public one: where the metadata names "none", the suite
// authenticates nobody.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Person, input, report } from "./person.mjs";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

const port = await freePort();
const program = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));
const results = await mkdtemp(join(tmpdir(), "conformance-"));
const options = {
  "--url": input.issuer,
  "--client-id": input.client.client_id,
  "--client-secret": input.client.client_secret,
  "--resource": input.resource,
  "--port": port,
  "--output-dir": results,
};
const given = Object.entries(options).filter(([, value]) => value !== undefined);
const suite = spawn(process.execPath, [program, "authorization", ...given.flat()], {
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = new Promise((resolve) => suite.on("close", resolve));

// It prints the authorization request, and waits for a person to have gone there.
const person = new Person();
const said = [];
for await (const line of createInterface({ input: suite.stdout })) {
  said.push(line);
  if (!/^https?:\/\/\S+[?&]code_challenge=/.test(line)) continue;
  const url = new URL(line);
  for (const [name, value] of Object.entries(input.parameters ?? {})) url.searchParams.set(name, value);
  const callback = await person.authorize(url, `http://127.0.0.1:${port}/callback`);
  assert.equal((await fetch(callback)).status, 200);
}
const status = await ended;
const checks = [];
for (const scenario of await readdir(results)) {
  checks.push(...JSON.parse(await readFile(join(results, scenario, "checks.json"), "utf8")));
}
const worse = checks.filter(({ status }) => status !== "SUCCESS");
assert.ok(status === 0 && checks.length > 0, `${said.join("\n")}\n${JSON.stringify(worse, null, 1)}`);
report({ pages: person.pages, checks: Object.fromEntries(checks.map(({ id, status }) => [id, status])) });
