skip_to_content = Skip to content
keys_kept = Keys kept by Claviger
provider_said = The provider said:
error_code = Code
error_reference = Reference

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
onboarding_empty = The tools that you can connect will be listed here. An operator sets them up under [integrations] in claviger.toml.

next = Next
    .help = Connect one tool to go on.
onboarding_done = You are done
    .detail = { $product } can use what you connected from now on. You can close this window.

invitation = Invitation
    .for = For { $name }
    .again = Email me a new link
    .again_to = It goes to the address that was invited.
invitation_sent = A new link is on its way
    .detail = { $product } has sent it to the address of your invitation. It can take a minute. You can close this window.
invitation_not_sent = The mail could not be sent
    .detail = The address of your invitation does not take our mail. Nothing is lost. Ask { $product } for another link.
stripe_done = Stripe is connected
    .detail = { $product } knows your account from now on. You can close this window.

connected = Connected
    .as = as
broken = Needs you again.
    .detail = { $integration } ended the access. Connect again.
coming_soon = Coming soon
connect = Connect
reconnect = Reconnect
try_again = Try again
disconnect = Disconnect
    .question = Disconnect { $integration }?
    .detail = { $product } will forget its key and stop reading. What it already made stays.
    .keep = Keep connected

just_now = just now
minutes_ago = { $number } min ago
hours_ago = { $number } h ago
days_ago = { $number } d ago
