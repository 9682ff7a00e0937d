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
