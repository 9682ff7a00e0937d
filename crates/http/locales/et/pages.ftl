skip_to_content = Otse sisu juurde
keys_kept = Võtmeid hoiab Claviger
provider_said = Teenus vastas:
error_code = Kood
error_reference = Viide

connected_page = { $integration } on ühendatud
    .detail = { $product } saab seda nüüdsest kasutada. Selle akna võid sulgeda.

account_question = Kumb konto?
    .lead = Logisid just teenusesse { $integration } sisse kontoga { $after }. Seni on { $product } kasutanud seal kontot { $before }.
    .detail = Kui vahetad, kasutab { $product } edaspidi kontot { $after } ja unustab konto { $before } võtme.
    .use = Kasuta kontot { $account }
    .keep = Jäta { $account }

onboarding = Ühenda oma tööriistad
    .lead = Ühenda tööriistad, millega { $product } peaks töötama. Neid saab igal ajal lisada ja eemaldada.
    .tools = Tööriistad
    .assurance = Sisse logid tööriista enda lehel, nii et { $product } ei näe kunagi su parooli. Ühenduse saad igal ajal katkestada.
onboarding_empty = Siin on tööriistad, mida saad ühendada. Haldur seadistab need faili claviger.toml jaotises [integrations].

next = Edasi
    .help = Jätkamiseks ühenda üks tööriist.
onboarding_done = Kõik on tehtud
    .detail = { $product } saab ühendatut nüüdsest kasutada. Selle akna võid sulgeda.

invitation = Kutse
    .for = Kellele: { $name }
    .again = Saada mulle uus link
    .again_to = See läheb aadressile, kuhu tuli kutse.
invitation_sent = Uus link on teel
    .detail = { $product } saatis selle sinu kutse aadressile. Kohalejõudmine võib minuti aega võtta. Selle akna võid sulgeda.
invitation_not_sent = Kirja ei saanud saata
    .detail = Sinu kutse aadress ei võta meie kirja vastu. Midagi ei läinud kaotsi. Küsi uus link: { $product }.
stripe_done = Stripe on ühendatud
    .detail = { $product } tunneb nüüdsest sinu kontot. Selle akna võid sulgeda.

connected = Ühendatud
    .as = kontoga
broken = Vajab sind uuesti.
    .detail = { $integration } lõpetas ligipääsu. Ühenda uuesti.
coming_soon = Tulekul
connect = Ühenda
reconnect = Ühenda uuesti
try_again = Proovi uuesti
disconnect = Katkesta ühendus
    .question = Kas katkestada ühendus: { $integration }?
    .detail = { $product } unustab võtme ega loe enam midagi. Valminud asjad jäävad alles.
    .keep = Jäta ühendatuks

just_now = just praegu
minutes_ago = { $number } min tagasi
hours_ago = { $number } h tagasi
days_ago = { $number } p tagasi
