// A person with a browser that knows cookies, forms and redirects: signs in, picks a team, authorizes or cancels.
// The scripts beside this one get one JSON object as their argument (`input`) and print one (`report`):
//   issuer        the authorization server
//   redirect_uri  nobody needs to listen there
//   scope         what is asked for, separated by blanks
//   person        {email, password}, and perhaps `team` (a value of the page's choices) and `decision` ("cancel")
//   client        {client_id, client_secret, token_endpoint_auth_method, jwk}, as far as the client has them
//   parameters    more parameters of the authorization request
// Each says at its beginning what else it takes. An exit code other than 0 is a failure, told on standard error.
import assert from "node:assert/strict";

export const input = JSON.parse(process.argv[2] ?? "{}");
export const report = (seen) => console.log(JSON.stringify(seen));

const STEPS = 12;

export class Person {
  #cookies = new Map();
  // What was seen on the way: "login" and "consent", in order.
  pages = [];

  constructor(person = input.person) {
    this.person = person;
  }

  // Follows an authorization request to the end, and returns the URL that the client gets.
  async authorize(url, redirectUri = input.redirect_uri) {
    const end = String(redirectUri).split("?")[0];
    let step = { url: new URL(url) };
    for (let count = 0; count < STEPS; count += 1) {
      const response = await this.#send(step);
      const location = response.headers.get("location");
      if (location !== null) {
        // RFC 9700 §4.12: after a form another method than GET would carry the password on.
        if (step.fields) assert.equal(response.status, 303, `a redirect after the form of ${step.url}`);
        const next = new URL(location, step.url);
        if (next.href.split("?")[0] === end) return next;
        step = { url: next };
      } else {
        const page = await response.text();
        assert.equal(response.status, 200, `${step.url} answered ${response.status}: ${page}`);
        step = this.#fillIn(page, step.url, response.headers.get("referrer-policy"));
      }
    }
    assert.fail(`no end after ${STEPS} steps: ${step.url}`);
  }

  async #send({ url, fields, origin }) {
    const cookies = this.#cookies.get(url.origin) ?? new Map();
    this.#cookies.set(url.origin, cookies);
    const headers = { accept: "text/html", cookie: [...cookies].map((pair) => pair.join("=")).join("; ") };
    const form = fields && { method: "POST", body: new URLSearchParams(fields) };
    const response = await fetch(url, {
      redirect: "manual",
      headers: fields ? { ...headers, origin } : headers,
      ...form,
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const gone = attributes.some((attribute) => {
        const [key, when] = attribute.split("=");
        return /^max-age$/i.test(key) ? Number(when) <= 0 : /^expires$/i.test(key) && Date.parse(when) < Date.now();
      });
      if (gone) cookies.delete(name);
      else cookies.set(name, value);
    }
    return response;
  }

  #fillIn(page, url, referrerPolicy) {
    const forms = [...page.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)];
    const kinds = [/type="?password/, /name="?decision/, /name="?prompt/];
    const form = kinds.map((kind) => forms.find(([, , inside]) => kind.test(inside))).find(Boolean);
    assert.ok(form, `no form to fill in at ${url}: ${page}`);
    const [, head, inside] = form;
    this.pages.push(kinds[0].test(inside) ? "login" : "consent");
    const fields = [];
    const tags = [...inside.matchAll(/<(input|button)([^>]*)>/g)];
    const named = tags.map(([, tag, text]) => ({ tag, ...attributes(text) })).filter(({ name }) => name);
    for (const { tag, name, type, value = "" } of named) {
      if (name === "email" || name === "login") fields.push([name, this.person.email]);
      else if (type === "password") fields.push([name, this.person.password]);
      else if (tag === "input" && type !== "radio" && type !== "checkbox") fields.push([name, value]);
    }
    const teams = named.filter(({ name, type }) => name === "team" && type === "radio");
    if (teams.length > 0) {
      const wanted = teams.find(({ value }) => value === this.person.team);
      assert.ok(wanted || !this.person.team, `no team ${this.person.team} at ${url}`);
      fields.push(["team", (wanted ?? teams.find(({ checked }) => checked !== undefined) ?? teams[0]).value]);
    }
    const decision = this.person.decision ?? "authorize";
    if (named.some(({ tag, name, value }) => tag === "button" && name === "decision" && value === decision)) {
      fields.push(["decision", decision]);
    }
    const action = new URL(attributes(head).action ?? "", url);
    // So do browsers: under this policy even a form of the same origin has no origin (Fetch §3.2.6).
    const origin = referrerPolicy === "no-referrer" ? "null" : url.origin;
    return { url: action, fields, origin };
  }
}

function attributes(text) {
  const found = {};
  for (const [, name, quoted, bare] of text.matchAll(/([\w-]+)(?:="([^"]*)"|=([^\s"'>]+))?/g)) {
    found[name] = plain(quoted ?? bare ?? "");
  }
  return found;
}

function plain(text) {
  const names = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (entity, hex, decimal, name) => {
    if (name) return names[name] ?? entity;
    return String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal));
  });
}

// The private key of a client that signs its assertions: a JWK with its `alg`.
export function signingKey({ alg, ...jwk }) {
  const algorithm = alg === "ES256" ? { name: "ECDSA", namedCurve: "P-256" } : { name: "Ed25519" };
  return crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]);
}
