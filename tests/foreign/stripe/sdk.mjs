// Stripe's own library for Node against the sandbox at the address that is given.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import Stripe from "stripe";

const base = new URL(process.argv[2]);
const client = (key) =>
  new Stripe(key, { protocol: "http", host: base.hostname, port: base.port, maxNetworkRetries: 0, telemetry: false });
const stripe = client("sk_test_sandbox");
const control = async (path, method, body) => {
  const answer = await fetch(new URL(`/control/stripe${path}`, base), { method, body: body && JSON.stringify(body) });
  assert.equal(answer.status, 200, `${method} ${path}`);
  return answer.json();
};

// A receiver of webhooks, which keeps each body octet by octet.
const received = [];
const waiting = [];
const receiver = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    response.end();
    const delivery = { body: Buffer.concat(chunks), signature: request.headers["stripe-signature"] };
    const next = waiting.shift();
    if (next) next(delivery);
    else received.push(delivery);
  });
}).listen(0, "127.0.0.1");
await once(receiver, "listening");
const delivery = () => received.shift() ?? new Promise((resolve) => waiting.push(resolve));
const event = async (type) => {
  const { body, signature } = await delivery();
  const event = stripe.webhooks.constructEvent(body, signature, "whsec_sandbox");
  assert.equal(event.type, type);
  return event;
};
await control("", "PUT", { webhook: { url: `http://127.0.0.1:${receiver.address().port}/hook` } });

const details = { type: "express", country: "EE", email: "anna@example.com", metadata: { client: "7" } };
const account = await stripe.accounts.create(details, { idempotencyKey: "account-1" });
assert.match(account.id, /^acct_/);
assert.equal(account.metadata.client, "7");
assert.equal(account.charges_enabled, false);
assert.ok(account.lastResponse.requestId.startsWith("req_"));
const again = await stripe.accounts.create(details, { idempotencyKey: "account-1" });
assert.equal(again.id, account.id);
assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");

const link = await stripe.accountLinks.create({
  account: account.id, type: "account_onboarding",
  refresh_url: "https://shop.example/refresh", return_url: "https://shop.example/return?state=a%20b",
});
assert.equal(link.expires_at - link.created, 300);
await control("", "PUT", { onboarding: "complete" });
const visited = await fetch(link.url, { redirect: "manual" });
assert.equal(visited.status, 303);
assert.equal(visited.headers.get("location"), "https://shop.example/return?state=a%20b");
const updated = await event("account.updated");
assert.equal(updated.account, account.id);
assert.equal(updated.data.previous_attributes.charges_enabled, false);
const done = await stripe.accounts.retrieve(account.id);
assert.ok(done.details_submitted && done.charges_enabled && done.payouts_enabled);
assert.deepEqual(done.requirements.currently_due, []);
const told = await stripe.events.retrieve(updated.id, {}, { stripeAccount: account.id });
assert.equal(told.id, updated.id);

// Wrong and old signatures are what the library refuses.
for (const signature of ["wrong", "old", "missing"]) {
  await control(`/events/${updated.id}/send`, "POST", { signature });
  const sent = await delivery();
  assert.throws(
    () => stripe.webhooks.constructEvent(sent.body, sent.signature, "whsec_sandbox"),
    Stripe.errors.StripeSignatureVerificationError,
    signature,
  );
}

const raised = async (call, type, code, status) => {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof type, `${error.type}: ${error.message}`);
    assert.equal(error.code, code);
    assert.equal(error.statusCode, status);
    return true;
  });
};
const { errors } = Stripe;
await raised(client("sk_test_wrong").accounts.list(), errors.StripeAuthenticationError, undefined, 401);
await raised(stripe.accounts.create({ colour: "red" }), errors.StripeInvalidRequestError, "parameter_unknown", 400);
await raised(stripe.accounts.retrieve("acct_0000"), errors.StripePermissionError, "account_invalid", 403);
await raised(stripe.paymentIntents.retrieve("pi_0"), errors.StripeInvalidRequestError, "resource_missing", 404);
await raised(
  stripe.accounts.create({ ...details, country: "FI" }, { idempotencyKey: "account-1" }),
  errors.StripeIdempotencyError, undefined, 400,
);
await control("", "PUT", { fail: { kind: 500 } });
await raised(stripe.accounts.list(), errors.StripeAPIError, undefined, 500);
await control("", "PUT", { fail: { kind: 429, retryAfter: 3 } });
await raised(stripe.accounts.list(), errors.StripeRateLimitError, "rate_limit", 429);
// The library tries once more by itself where a connection that it kept was reset.
await control("", "PUT", { fail: { kind: "reset_before", times: 9 } });
await raised(stripe.accounts.list(), errors.StripeConnectionError, undefined, undefined);
await control("", "PUT", { fail: null });

const intent = await stripe.paymentIntents.create({
  amount: 1250, currency: "eur", application_fee_amount: 50, transfer_data: { destination: account.id },
  payment_method_types: ["card"], metadata: { cart: "cart_1" }, capture_method: "manual",
});
assert.equal(intent.status, "requires_payment_method");
await event("payment_intent.created");
await raised(
  stripe.paymentIntents.confirm(intent.id, { payment_method: "pm_card_chargeDeclined" }),
  errors.StripeCardError, "card_declined", 402,
);
await event("payment_intent.payment_failed");
const held = await stripe.paymentIntents.confirm(intent.id, { payment_method: "pm_card_visa" });
assert.equal(held.status, "requires_capture");
await event("payment_intent.amount_capturable_updated");
const paid = await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 1000 });
assert.deepEqual([paid.status, paid.amount_received], ["succeeded", 1000]);
assert.equal((await event("payment_intent.succeeded")).data.object.id, intent.id);
await raised(
  stripe.paymentIntents.cancel(intent.id), errors.StripeInvalidRequestError, "payment_intent_unexpected_state", 400,
);

const ids = [];
for await (const { id } of stripe.accounts.list({ limit: 1 })) ids.push(id);
assert.deepEqual(ids, [account.id]);
await control(`/accounts/${account.id}/deauthorize`, "POST");
assert.equal((await event("account.application.deauthorized")).account, account.id);
await raised(stripe.accounts.retrieve(account.id), errors.StripePermissionError, "account_invalid", 403);

console.log("done");
receiver.close();
receiver.closeAllConnections();
