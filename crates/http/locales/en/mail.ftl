mail_greeting = Hello,
    .named = Hello { $name },

mail_invites_to_tools = { $product } invites you to connect { $tools }
    .how = You sign in at each tool itself, so { $product } never sees your passwords. You can disconnect at any time.
    .button = Connect { $tools }
mail_invites_to_stripe = { $product } invites you to connect Stripe
    .how = You give your details to Stripe itself, on its own pages.
    .button = Connect Stripe
mail_your_tools = your tools
mail_and = { $first } and { $last }

mail_open = Open this link to begin:
mail_button_fails = If the button does not work, open this address:
mail_works_until =
    The link works until { $day }{"\u00A0"}{ $month ->
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
    }{"\u00A0"}{ $year }, { $time }{"\u00A0"}UTC.
mail_personal = It is meant for you alone, so please do not pass it on.
mail_ignore = If you did not expect this, you can ignore it: nothing is connected unless you open the link and agree.
mail_sent_through = { $product }, sent through Claviger
