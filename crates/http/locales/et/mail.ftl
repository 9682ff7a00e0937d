mail_greeting = Tere
    .named = Tere, { $name }

mail_invites_to_tools = { $product } kutsub sind: ühenda { $tools }
    .how = Sisse logid iga tööriista enda lehel, nii et { $product } ei näe kunagi su paroole. Ühenduse saad igal ajal katkestada.
    .button = Ühenda { $tools }
mail_invites_to_stripe = { $product } kutsub sind Stripe’i ühendama
    .how = Oma andmed annad otse Stripe’ile, tema enda lehel.
    .button = Ühenda Stripe
mail_your_tools = oma tööriistad
mail_and = { $first } ja { $last }

mail_open = Alustamiseks ava see link:
mail_button_fails = Kui nupp ei tööta, ava see aadress:
mail_works_until =
    Link aegub { $day }.{"\u00A0"}{ $month ->
        [january] jaanuaril
        [february] veebruaril
        [march] märtsil
        [april] aprillil
        [may] mail
        [june] juunil
        [july] juulil
        [august] augustil
        [september] septembril
        [october] oktoobril
        [november] novembril
       *[december] detsembril
    }{"\u00A0"}{ $year } kell{"\u00A0"}{ $time }{"\u00A0"}(UTC).
mail_personal = See on mõeldud ainult sulle, nii et palun ära seda edasi saada.
mail_ignore = Kui sa seda kirja ei oodanud, võid selle tähelepanuta jätta: midagi ei ühendata enne, kui avad lingi ja oled nõus.
mail_sent_through = { $product }, saadetud Clavigeri kaudu
