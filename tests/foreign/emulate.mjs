// Vendors' services as somebody else understood them: emulate.
// Arguments: the service (github, google, microsoft, slack), the client's redirect URI.
// The first line that it prints is its address. At every line on its standard input it forgets all codes and refresh
// tokens, as if the persons had taken their consent back, and says so in a line.
import { createInterface } from "node:readline";
import { createEmulator } from "emulate";

const [service, redirectUri] = process.argv.slice(2);
const client = {
  client_id: "claviger-foreign",
  client_secret: "foreign secret/with:odd+characters",
  name: "Claviger",
  redirect_uris: [redirectUri],
};
// To its APIs a token that it doesn't know is one of the first person here, not an error: so that is nobody.
const users = ["nobody", "anna"].map((login) => ({ login, name: login, email: `${login}@foreign.example` }));
const emulator = await createEmulator({
  service,
  port: 0,
  seed: { tokens: {}, [service]: { users, oauth_apps: [client], oauth_clients: [client] } },
});
// It listens on 127.0.0.1 alone, but calls itself localhost.
console.log(emulator.url.replace("localhost", "127.0.0.1"));

for await (const _ of createInterface({ input: process.stdin })) {
  emulator.reset();
  console.log("forgotten");
}
