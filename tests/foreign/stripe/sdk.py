"""Stripe's own library for Python against the sandbox at the address that is given."""

import json
import queue
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import stripe

BASE = sys.argv[1]


def client(key):
    return stripe.StripeClient(key, base_addresses={"api": BASE}, max_network_retries=0).v1


def control(path, method, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}/control/stripe{path}", data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


class Receiver(BaseHTTPRequestHandler):
    """Keeps each webhook octet by octet."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        deliveries.put((body, self.headers["stripe-signature"]))

    def log_message(self, *_):
        pass


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_):
        return None


def event(kind):
    body, signature = deliveries.get(timeout=30)
    found = stripe.Webhook.construct_event(body, signature, "whsec_sandbox")
    assert found.type == kind, found.type
    return found


def raised(kind, code, status, call):
    try:
        call()
    except kind as error:
        told = error.json_body["error"].get("code")
        assert (told, error.http_status) == (code, status), (told, error.http_status)
    else:
        raise AssertionError(f"{kind} was not raised")


deliveries = queue.Queue()
server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
control("", "PUT", {"webhook": {"url": f"http://127.0.0.1:{server.server_port}/hook"}})

sandbox = client("sk_test_sandbox")
details = {"type": "express", "country": "EE", "email": "anna@example.com", "metadata": {"client": "7"}}
account = sandbox.accounts.create(details, {"idempotency_key": "account-1"})
again = sandbox.accounts.create(details, {"idempotency_key": "account-1"})
assert again.id == account.id and again.last_response.headers["Idempotent-Replayed"] == "true"
assert account.metadata["client"] == "7" and not account.details_submitted

link = sandbox.account_links.create({
    "account": account.id,
    "type": "account_onboarding",
    "refresh_url": "https://shop.example/refresh",
    "return_url": "https://shop.example/return?state=1",
})
control("", "PUT", {"onboarding": "pending"})
try:
    urllib.request.build_opener(Stay).open(link.url)
    raise AssertionError("the link did not redirect")
except urllib.error.HTTPError as answer:
    assert (answer.code, answer.headers["location"]) == (303, "https://shop.example/return?state=1")
updated = event("account.updated")
assert updated.account == account.id
pending = sandbox.accounts.retrieve(account.id)
assert pending.details_submitted and not pending.charges_enabled
assert pending.requirements.currently_due == [] and pending.requirements.pending_verification
control(f"/accounts/{account.id}", "PUT", {"chargesEnabled": True, "requirements": {}})
assert event("account.updated").data.object.charges_enabled

for signature in ["wrong", "old"]:
    control(f"/events/{updated.id}/send", "POST", {"signature": signature})
    body, header = deliveries.get(timeout=30)
    try:
        stripe.Webhook.construct_event(body, header, "whsec_sandbox")
    except stripe.SignatureVerificationError:
        continue
    raise AssertionError(signature)

raised(stripe.AuthenticationError, None, 401, lambda: client("sk_test_wrong").accounts.list())
raised(stripe.InvalidRequestError, "parameter_unknown", 400, lambda: sandbox.accounts.create({"colour": "red"}))
raised(stripe.InvalidRequestError, "resource_missing", 404, lambda: sandbox.payment_intents.retrieve("pi_0"))
raised(stripe.PermissionError, "account_invalid", 403, lambda: sandbox.accounts.retrieve("acct_0000"))
other = {**details, "country": "FI"}
raised(
    stripe.IdempotencyError, None, 400, lambda: sandbox.accounts.create(other, {"idempotency_key": "account-1"})
)
control("", "PUT", {"fail": {"kind": 500}})
raised(stripe.APIError, None, 500, sandbox.accounts.list)
control("", "PUT", {"fail": {"kind": 429}})
raised(stripe.RateLimitError, "rate_limit", 429, sandbox.accounts.list)

details = {"amount": 1250, "currency": "eur", "payment_method_types": ["card"]}
intent = sandbox.payment_intents.create(details, {"stripe_account": account.id})
assert event("payment_intent.created").account == account.id
raised(stripe.InvalidRequestError, "resource_missing", 404, lambda: sandbox.payment_intents.retrieve(intent.id))
options = {"stripe_account": account.id}
raised(
    stripe.CardError,
    "card_declined",
    402,
    lambda: sandbox.payment_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"}, options),
)
event("payment_intent.payment_failed")
paid = sandbox.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}, options)
assert (paid.status, paid.amount_received) == ("succeeded", 1250)
event("payment_intent.succeeded")
unpaid = sandbox.payment_intents.create({**details, "confirm": "false"})
event("payment_intent.created")
assert sandbox.payment_intents.cancel(unpaid.id).status == "canceled"
event("payment_intent.canceled")

assert [row.id for row in sandbox.accounts.list({"limit": 1}).auto_paging_iter()] == [account.id]
assert sandbox.accounts.delete(account.id).deleted
print("done")
