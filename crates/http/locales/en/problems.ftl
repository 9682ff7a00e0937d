# The request
malformed_json = The request is not valid JSON.
    .detail = Send one JSON value with Content-Type application/json, and check the syntax.
validation_failed = Some members are not right.
    .detail = Mend the members listed under errors; the first is { $field }.
invalid_parameter = A parameter is not right.
    .detail = { $name }: { $rule }.
    .page_title = This did not work
    .page = The address or the form is not complete, so nothing was done. Go back and use the buttons of the page.
payload_too_large = The request is too large.
    .detail = Send at most 1 MiB.
    .page_title = This is too large
    .page = What was sent is too large, so nothing was done. Go back and send less.
unsupported_media_type = This content type is not read here.
    .detail = Send Content-Type: application/json.
method_not_allowed = This method is not allowed here.
    .detail = The Allow header lists the methods of this address.
    .page_title = This did not work
    .page = This address can’t be used that way, so nothing was done. Go back and use the buttons of the page.
route_not_found = There is nothing at this address.
    .detail = Check the path; /openapi.json on the backend's address lists all of them.
    .page_title = This page does not exist
    .page = The address is not right, or what was here has gone. Nothing is lost. Go back, or open the link that you were given.

# The caller
foreign_form = This form came from another site.
    .detail = Open the page itself and try again.
    .page = It was not sent from a page of ours, so nothing was done and nothing is lost. Open the page itself and try again.
invalid_api_key = The API key is missing or not valid.
    .detail = Send a key that was not revoked as Authorization: Bearer cvk_….
insufficient_scope = The API key may not do this.
    .detail = Use a key with the scope { $scope }.

# Subjects, integrations, connections
subject_not_found = This subject does not exist.
    .detail = Make it first with PUT /api/subjects/{ $subject }, or set subjects.must_exist = false.
    .page_title = You are not known here any more
    .page = You are not known to { $product } any more, so nothing can be connected. Nothing was changed. Ask { $product } for a new link.
integration_not_found = This integration does not exist.
    .detail = Nothing is named { $integration }; GET /api/integrations lists what there is.
    .page_title = This tool can’t be connected here
    .page = This tool is not among those that you can connect here. Nothing was changed. Go back and choose another.
group_not_found = This group does not exist.
    .detail = No group of the catalog is named { $group }.
group_not_configured = No tool of this group is configured.
    .detail = Set client_id and client_secret for the group { $group } or one of its members.
    .page_title = This tool can’t be connected now
    .page = { $product } can’t connect this tool at the moment, because it is not set up. Nothing was changed. Try again later.
provider_not_found = This provider does not exist.
    .detail = The catalog has no entry { $provider }; add one in catalog.directory, or check the spelling.
integration_not_configured = This integration is not configured.
    .detail = { $integration } still needs: { $missing }. Set it under [integrations.{ $integration }] or with PUT /api/integrations/{ $integration }.
    .page_title = This tool can’t be connected now
    .page = { $product } can’t connect this tool at the moment, because it is not set up. Nothing was changed. Try again later.
integration_in_configuration = This integration is set in the configuration file.
    .detail = Change { $integration } under [integrations.{ $integration }] in claviger.toml and restart.
connection_not_found = There is no such connection.
    .detail = { $subject } is not connected to { $integration }; begin with GET /api/oauth/authorize/{ $subject }?provider={ $integration }.
    .page_title = It is disconnected already
    .page = It is disconnected already, so nothing was changed. Go back to see what is connected.
api_key_not_found = No API key with this id works.
    .detail = GET /api/api-keys lists them; { $id } is unknown or was revoked already.
reconnect_required = The connection needs the person again.
    .detail = The provider no longer accepts our access, for the reason given. Let the person connect again; nothing else helps.
no_refresh_token = There is nothing to refresh with.
    .detail = The provider gave no refresh token. The access token works until its end, or until the provider rejects it.
token_not_granted = The consent gave no such token.
    .detail = No tokens of the part { $part } came. Ask for its scopes, and let the person connect again.
provider_unavailable = The provider is not answering.
    .detail = The connection is safe. Try again after the time given in Retry-After.
provider_configuration = The provider refuses our app.
    .detail = It answered { $error }. Check client_id, client_secret and redirect URI of the integration; connections are not harmed.
    .page_title = This tool can’t be connected now
    .page = The tool does not accept { $product } at the moment. Nothing was changed, and it is not your mistake. Tell { $product }.
refresh_under_way = The connection is being refreshed.
    .detail = Nothing was changed. Try again after the time given in Retry-After.
grant_at_risk = This could end the whole grant.
    .detail = Refresh tokens of { $integration } work once. A provider that is shown one which it did not give may take it for a theft and end everything that the person allowed; then they have to connect again. Nothing was done. Repeat with yesReally if you want it all the same.
refreshing_held = Refreshing is held.
    .detail = The operator, or a restored backup, has stopped all refreshing. Tokens that are still good are handed out. PUT /api/refreshing lets it go on.
generation_conflict = The connection was changed meanwhile.
    .detail = Read it again, and repeat the change with the generation that it has now.
return_to_not_allowed = This address is not allowed in returnTo.
    .detail = Add it, or a path above it, to connect.return_to.

# The callback
invalid_state = This sign-in is not valid any more.
    .detail = It was already used, or did not begin here. Nothing was changed by this visit. Go back and connect again.
expired_state = This took too long.
    .detail = Connecting took longer than it may, so it was stopped. Nothing was changed. Go back and connect again.
wrong_integration = This answer belongs to another tool.
    .detail = It arrived at another tool's address, so it was refused. Nothing was changed. Go back and connect again.
wrong_issuer = This answer came from somebody else.
    .detail = It does not name the service that you were sent to, so it was refused. Nothing was changed. Go back and connect again.
foreign_browser = This was started in another browser.
    .detail = For your safety it can only be finished in the browser where it began, and that browser has to keep cookies. Nothing was changed. Go back and connect again.
invalid_ticket = This link does not work any more.
    .detail = It works once and for a short time. Nothing was changed. Go back and connect again.
access_denied = Access was not allowed.
    .detail = You chose not to allow it, and nothing was shared. Try again when you like.
admin_consent_required = An administrator is needed.
    .detail = Your organisation lets only an administrator approve new applications. Nothing was shared. Ask them to approve it, then try again.
provider_refused = The provider refused.
    .detail = It sent an error instead of an approval. Nothing was changed. Go back and try again.
account_kept = The account was kept.
    .detail = Another account had signed in, and the one that was connected before was kept. Nothing was changed.
exchange_failed = Connecting did not work.
    .detail = The provider did not complete the approval. Nothing was changed. Go back and connect again.

# Portal sessions
portal_session_not_found = There is no such portal session.
    .detail = GET /api/portal-sessions lists them; { $id } is unknown, or ended long ago.
portal_session_over = This portal session is over.
    .detail = The person was done, or it was withdrawn. Make another with POST /api/portal-sessions.
nothing_to_mail = This portal session was not mailed.
    .detail = It was made without email. Make another with the address.
mail_not_configured = No mail can be sent.
    .detail = Set mail.host and mail.from in claviger.toml, or leave email out and hand the link over yourself.
too_many_mails = Too many mails.
    .detail = No more are sent to anybody within an hour. Nothing is lost. Try again in an hour at the latest; Retry-After says when. An operator can raise mail.per_subject_and_hour.
invalid_link = This link does not work.
    .detail = It was used already, has expired, was taken back, or a newer one was sent. Nothing was changed. Use the newest mail, or ask for another link where you got this one.
invitation_expired = This link has expired.
    .detail = Invitations work for a limited time. Nothing is lost. You can have a new link mailed to you.
already_done = This is done.
    .detail = You have finished this already, and nothing more is needed. You can close this window.
cookies_needed = Your browser keeps no cookies.
    .detail = Without them it can’t be told that you came with the link, so the page can’t be shown. Nothing is lost. Allow cookies for this address, then open your link again. If it works only once, ask for another.
portal_session_needed = Please open your link again.
    .detail = You have been away for a while, or came without a link. Nothing is lost. Open the link that you were given, or ask for another.
session_changed = Another link was opened.
    .detail = The form names another portal session than the cookie does, or none. Nothing was changed.
    .page = Another link to { $product } was opened in this browser meanwhile, so this page is not yours any more. Nothing was changed. Open your link again, or ask for another.

# Stripe
stripe_not_configured = Stripe is not set up here.
    .detail = Set stripe.secret_key in claviger.toml.
    .page_title = Payments can’t be set up now
    .page = { $product } can’t set up payments at the moment. Nothing was changed. Try again later.
stripe_unavailable = Stripe is not answering.
    .detail = Nothing was changed, and nothing is lost. Try again in a moment.
stripe_configuration = Stripe refuses the request.
    .detail = It answered { $error }. Nothing was changed. The operator has to check stripe.secret_key and the platform’s settings at Stripe.
account_mismatch = This is another account.
    .detail = The answer names another Stripe account than the one that was made for you, so it was refused. Nothing was changed. Open your invitation again.
stripe_account_unknown = Stripe does not know this account.
    .detail = It does not exist, or does not belong to this platform. Nothing was changed. Open your invitation again, or ask who invited you.
stripe_account_not_found = There is no account at Stripe.
    .detail = { $subject } has none; begin with POST /onboard-client/initiate.
account_taken = This account belongs to another client.
    .detail = One Stripe account belongs to one client. Nothing was changed. An operator can unlink it there first.
account_linked = This client has another account.
    .detail = Nothing was changed. An operator can unlink it with DELETE /api/subjects/{ $subject }/stripe first.
account_deauthorized = The account has ended the connection.
    .detail = The Stripe account took away our access. Nothing is lost. An operator has to unlink it before another can be connected.
invalid_signature = The signature is not valid.
    .detail = Check stripe.webhook_secrets, and the clock. Nothing was changed.

# Keys
master_key_changed = The master key was changed.
    .detail = This process was started with another one. Restart it with the new key; nothing was changed, and nothing is lost.
keys_outdated = This process lacks the newest data key.
    .detail = The master key was changed since it was started, and then a data key was added. It hands out good tokens that it can still open, and does nothing that would have to be sealed. Nothing is lost. Restart it with the new master key.

# Ourselves
store_unavailable = The store does not answer just now.
    .detail = Nothing was changed. Try again shortly.
    .page_title = This takes a moment
    .page = { $product } could not look it up just now. Nothing was changed. Wait a moment and load the page again.
not_ready = The server is not ready.
    .detail = It is starting or stopping. Try again shortly.
    .page_title = This takes a moment
    .page = { $product } is just starting or stopping. Nothing was changed. Wait a moment and load the page again.
internal_error = Something went wrong on our side.
    .detail = Tell the operator the request_id; the log says what happened.
    .page = Something went wrong on our side, and you did nothing wrong. What was connected stays connected. Try again, and if it stays like this, tell { $product } the reference below.
