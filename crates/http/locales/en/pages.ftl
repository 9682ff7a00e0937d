skip_to_content = Skip to content
keys_kept = Keys kept by Claviger
provider_said = The provider said:
error_code = Code
error_reference = Reference
back_to_tools = Back to your tools

connected_page = { $integration } is connected
    .detail = { $product } can use it from now on. You can close this window.

account_question = Which account?
    .lead = You just signed in to { $integration } as { $after }. Until now { $product } has worked with { $before } there.
    .detail = If you switch, { $product } works with { $after } from now on and forgets its key for { $before }.
    .use = Use { $account }
    .keep = Keep { $account }

onboarding = Connect your tools
    .lead = Connect the tools that { $product } should work with. You can add or remove tools at any time.
    .tools = Tools
    .assurance = You sign in at the tool itself, so { $product } never sees your password. You can disconnect at any time.
nothing_to_connect = There is nothing to connect yet. As soon as { $product } offers a tool, it stands here. You need do nothing.

next = Next
    .help = Connect one tool to go on.
    .waiting = One moment…
onboarding_done = You are done
    .detail = { $product } can use what you connected from now on. You can close this window.

invitation = Invitation
    .for = For
    .again = Email me a new link
    .again_to = It goes to the address that was invited.
invitation_sent = A new link is on its way
    .detail = { $product } has sent it to the address of your invitation. It can take a minute. You can close this window.
invitation_not_sent = The mail could not be sent
    .detail = The address of your invitation does not take our mail. Nothing is lost. Ask { $product } for another link.
stripe_done = Stripe is connected
    .detail = { $product } knows your account from now on. You can close this window.

settings = Settings
    .integrations = Integrations
    .empty = Nothing is connected yet. What you connect stands here with its account and with what { $product } may do there.
    .assurance = Disconnecting never deletes what is stored at the tool itself.
back_to = Back to { $product }
back_to_onboarding = Back to connecting your tools

connected = Connected
    .as = as
    .checked = checked
partly = Partly connected
    .missing = Still to connect: { $missing }.
broken = Needs you again
    .was = was connected as
    .grant_revoked = { $integration } ended { $product }’s access { $when }, as tools do when a password changes. Nothing that { $product } already read is lost. Connect again to go on.
    .interaction_required = { $integration } asked you to sign in again { $when }. Nothing that { $product } already read is lost. Connect again to go on.
    .no_refresh_token = { $integration } gave access for a limited time, which was over { $when }. Nothing that { $product } already read is lost. Connect again to go on.
    .grant_ended = The access to { $integration } was over { $when }, since it is given for a fixed time. Nothing that { $product } already read is lost. Connect again to go on.
    .inactivity = { $integration } ended { $product }’s access { $when }, because it had not been used for long. Nothing that { $product } already read is lost. Connect again to go on.
    .answer_lost = An answer of { $integration } was lost { $when }, and { $product } can’t go on without it. Nothing that { $product } already read is lost. Connect again to go on.
not_set_up = { $product } can’t connect { $integration } again at the moment, because it is not set up for that any more. Nothing is lost, and you need do nothing.
scopes = What { $product } may do there
scopes_lacking = { $product } asks for more than it was allowed: { $scopes }. Connect again and allow it, or leave it as it is.
coming_soon = Coming soon
connect = Connect
    .rest = Connect the rest
reconnect = Reconnect
try_again = Try again
opening = Opening { $integration }…
disconnect = Disconnect
    .question = Disconnect { $integration }?
    .detail = { $product } will give its key back and stop reading. What it already made stays.
    .keep = Keep connected
disconnecting = Disconnecting…

failed = { $integration } is not connected
    .stays = { $integration } stays connected as it was
failed_nowhere = Nothing was connected
    .detail = What is connected stays connected. Choose a tool below, or come back later.
failed_disconnect = { $integration } is not disconnected completely
    .detail = Something went wrong on our side. What is still connected is shown here. Try again.
failed_access_denied = You chose not to allow it, and nothing was shared. Try again when you like.
failed_admin_consent_required = Your organisation lets only an administrator approve new applications. Nothing was shared. Ask them to approve { $product }, then try again.
failed_expired_state = Connecting took longer than { $minutes ->
        [one] a minute
       *[other] { $minutes } minutes
    }, so it was stopped. Nothing was changed. Connect again.
failed_provider_unavailable = { $integration } is not answering. Nothing was changed. Try again in a few minutes.
failed_provider_configuration = { $integration } does not accept { $product } at the moment. Nothing was changed, and it is not your mistake. Tell { $product }.
failed_account_kept = You signed in with another account and kept the one from before. Nothing was changed. To switch, connect again.
failed_other = { $integration } did not complete the approval. Nothing was changed. Try again.

cancel = Cancel
signed_in = You are signed in as { $email }.

sign_in = Sign in
    .to = Sign in to { $product }
    .lead = Then you decide what { $application } may do. Nothing is shared before that.
    .lead_access = Then you see which applications have access to your account.
    .lead_access_or_elsewhere = If you have no password here, begin at one of them: have it ask for access, sign in, and come back to this page in the same browser.
    .lead_access_elsewhere = To see which applications have access to your account, begin at one of them: have it ask for access, sign in, and come back to this page in the same browser.
    .email = Email
    .password = Password
    .forgot = Forgot it?
    .button = Sign in
    .link = Email me a sign-in link
    .with = Continue with { $way }
sign_in_wrong = The email or the password is not right
    .detail = Try again.
    .or_link = Try again, or have a sign-in link emailed to you.
sign_in_email_missing = Your email is missing
    .detail = Fill it in, and the link is sent there.
sign_in_way_failed = { $way } did not sign you in
    .detail = Nothing was shared. Try again when you like.
sign_in_link_failed = That sign-in link did not work
    .detail = It was used already, or is too old. Nothing was shared. Have another one sent.
sign_in_too_many = Too many attempts
    .detail = Nothing is lost. Try again in { $minutes ->
        [one] a minute
       *[other] { $minutes } minutes
    }.
sign_in_unavailable = You can’t sign in just now
    .detail = What checks it is not answering. Nothing was shared, and it is not your mistake. Try again in a few minutes.
sign_in_mailed = Look into your mail
    .detail = If { $email } has an account here, a sign-in link is on its way there. It can take a minute. Open it in this browser.
    .other = Sign in another way

consent = { $application } asks for access
    .for_team = { $application } asks to act for { $team } in { $product }
    .for_your_team = { $application } asks to act for your team in { $product }
    .for_you = { $application } asks to act for you in { $product }
    .not_you = Not you?
    .team = Team
    .may = { $application } will be able to
    .before = Before you decide
    .asked_by = Asked by
    .at = an application at
    .registered = an application that { $product } knows
    .registered_itself = It registered itself, and nobody has checked what it says.
    .named_itself = It chose its name itself.
    .returns_to = Returns to
    .device = a program on this device
    .used_at = Used at
    .lasts = Lasts
    .until = Until you withdraw it
    .until_away = Until you withdraw it, also while you are away
    .authorize = Authorize
consent_unproven = This may not be { $application }
    .detail = Any program on this device could pose as it. Go on only if you started this yourself.
consent_elsewhere = The answer goes somewhere else
    .detail = The application says that it is at { $claimed }, but its answer goes to { $host }. Go on only if you know both.

permission_openid = Know you again when you come back
permission_profile = See your name
permission_email = See your email address
permission_offline_access = Keep its access while you are away
permission_unnamed = Act for you, with no permission named

access = Applications with access to your account
    .applications = Applications
    .sign_out = Sign out
    .empty = No application has access to your account. What you allow stands here, and you can withdraw it at any time.
    .for_team = Acts for { $team }
    .for_you = Acts for you
    .since = allowed
    .used = last used
    .unused = not used yet
    .may = What it may do
    .withdraw = Withdraw
    .question = Withdraw the access of { $application }?
    .detail = { $application } loses its access to { $product }. What it already got stays with it. To give it access again, begin there.
    .keep = Keep access
    .withdrawing = Withdrawing…
    .assurance = From then on nothing new is given; what was given ends at once, or at some APIs soon after. Nothing that is yours in { $product } is deleted.

chip_accounts = Accounts
chip_boards = Boards
chip_calendar = Calendar
chip_comments = Comments
chip_commits = Commits
chip_contacts = Contacts
chip_deals = Deals
chip_documents = Documents
chip_files = Files
chip_invoices = Invoices
chip_issues = Issues
chip_mail = Mail
chip_meetings = Meetings
chip_messages = Messages
chip_notes = Notes
chip_orders = Orders
chip_projects = Projects
chip_pull_requests = Pull requests
chip_recordings = Recordings
chip_reviews = Reviews
chip_tasks = Tasks
chip_tickets = Tickets

on_day =
    on { $day }{"\u00A0"}{ $month ->
        [january] January
        [february] February
        [march] March
        [april] April
        [may] May
        [june] June
        [july] July
        [august] August
        [september] September
        [october] October
        [november] November
       *[december] December
    }
    .with_year = { $on_day } { $year }
just_now = just now
minutes_ago = { $number } min ago
hours_ago = { $number } h ago
days_ago = { $number } d ago
