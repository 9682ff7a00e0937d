skip_to_content = Otse sisu juurde
keys_kept = Võtmeid hoiab Claviger
provider_said = Teenus vastas:
error_code = Kood
error_reference = Viide
back_to_tools = Tagasi tööriistade juurde

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
nothing_to_connect = Praegu pole midagi ühendada. Kui { $product } mõnda tööriista pakub, ilmub see siia. Sa ei pea midagi tegema.

next = Edasi
    .help = Jätkamiseks ühenda üks tööriist.
    .waiting = Üks hetk…
onboarding_done = Kõik on tehtud
    .detail = { $product } saab ühendatut nüüdsest kasutada. Selle akna võid sulgeda.

invitation = Kutse
    .for = Kellele:
    .again = Saada mulle uus link
    .again_to = See läheb aadressile, kuhu tuli kutse.
invitation_sent = Uus link on teel
    .detail = { $product } saatis selle sinu kutse aadressile. Kohalejõudmine võib minuti aega võtta. Selle akna võid sulgeda.
invitation_not_sent = Kirja ei saanud saata
    .detail = Sinu kutse aadress ei võta meie kirja vastu. Midagi ei läinud kaotsi. Küsi uus link: { $product }.
stripe_done = Stripe on ühendatud
    .detail = { $product } tunneb nüüdsest sinu kontot. Selle akna võid sulgeda.

settings = Seaded
    .integrations = Ühendused
    .empty = Midagi pole veel ühendatud. Mille ühendad, see seisab siin koos kontoga ja sellega, mida { $product } seal teha tohib.
    .assurance = Ühenduse katkestamine ei kustuta midagi, mis on tööriistas endas.
back_to = Tagasi: { $product }
back_to_onboarding = Tagasi tööriistade ühendamise juurde

connected = Ühendatud
    .as = kontoga
    .checked = kontrollitud
partly = Osaliselt ühendatud
    .missing = Veel ühendamata: { $missing }.
broken = Vajab sind uuesti
    .was = oli ühendatud kontoga
    .grant_revoked = { $integration } lõpetas ligipääsu { $when }, nagu juhtub näiteks parooli vahetamisel. Mida { $product } juba luges, jääb alles. Jätkamiseks ühenda uuesti.
    .interaction_required = { $integration } palus sul { $when } uuesti sisse logida. Mida { $product } juba luges, jääb alles. Jätkamiseks ühenda uuesti.
    .no_refresh_token = { $integration } andis ligipääsu piiratud ajaks, mis lõppes { $when }. Mida { $product } juba luges, jääb alles. Jätkamiseks ühenda uuesti.
    .grant_ended = { $integration } annab ligipääsu kindlaks ajaks ja see aeg lõppes { $when }. Mida { $product } juba luges, jääb alles. Jätkamiseks ühenda uuesti.
    .inactivity = { $integration } lõpetas ligipääsu { $when }, sest seda polnud kaua kasutatud. Mida { $product } juba luges, jääb alles. Jätkamiseks ühenda uuesti.
    .answer_lost = { $integration } saatis { $when } vastuse, mis läks kaduma, ja ilma selleta ei saa { $product } jätkata. Juba loetu on alles. Jätkamiseks ühenda uuesti.
not_set_up = { $product } ei saa praegu uuesti ühendada: { $integration } pole selleks enam seadistatud. Midagi ei läinud kaotsi ja sa ei pea midagi tegema.
scopes = Mida { $product } seal teha tohib
scopes_lacking = { $product } soovib rohkem, kui lubatud: { $scopes }. Ühenda uuesti ja luba see või jäta nii, nagu on.
coming_soon = Tulekul
connect = Ühenda
    .rest = Ühenda ülejäänu
reconnect = Ühenda uuesti
try_again = Proovi uuesti
opening = Avan: { $integration }…
disconnect = Katkesta ühendus
    .question = Kas katkestada ühendus: { $integration }?
    .detail = { $product } annab võtme tagasi ega loe enam midagi. Valminud asjad jäävad alles.
    .keep = Jäta ühendatuks
disconnecting = Katkestan…

failed = { $integration } ei ole ühendatud
    .stays = { $integration } jääb ühendatuks nagu enne
failed_nowhere = Midagi ei ühendatud
    .detail = Mis on ühendatud, jääb ühendatuks. Vali allpool mõni tööriist või tule hiljem tagasi.
failed_disconnect = Ühendus ei ole täielikult katkestatud: { $integration }
    .detail = Viga tekkis meie poolel. Mis on veel ühendatud, on siin näha. Proovi uuesti.
failed_access_denied = Sa ei andnud luba ja midagi ei jagatud. Kui soovid, proovi uuesti.
failed_admin_consent_required = Su asutuses saab uusi rakendusi lubada ainult administraator. Midagi ei jagatud. Palu tal rakendust { $product } lubada ja proovi siis uuesti.
failed_expired_state = Ühendamine kestis üle { $minutes } minuti ja peatati. Midagi ei muudetud. Ühenda uuesti.
failed_provider_unavailable = { $integration } ei vasta. Midagi ei muudetud. Proovi mõne minuti pärast uuesti.
failed_provider_configuration = { $integration } ei võta rakendust { $product } praegu vastu. Midagi ei muudetud ja see pole sinu viga. Anna sellest teada: { $product }.
failed_account_kept = Logisid sisse teise kontoga ja jätsid alles senise. Midagi ei muudetud. Konto vahetamiseks ühenda uuesti.
failed_other = { $integration } ei viinud loa andmist lõpule. Midagi ei muudetud. Proovi uuesti.

chip_accounts = Kontod
chip_boards = Tahvlid
chip_calendar = Kalender
chip_comments = Kommentaarid
chip_commits = Muudatused
chip_contacts = Kontaktid
chip_deals = Tehingud
chip_documents = Dokumendid
chip_files = Failid
chip_invoices = Arved
chip_issues = Teemad
chip_mail = E-post
chip_meetings = Koosolekud
chip_messages = Sõnumid
chip_notes = Märkmed
chip_orders = Tellimused
chip_projects = Projektid
chip_pull_requests = Ühendamistaotlused
chip_recordings = Salvestised
chip_reviews = Ülevaatused
chip_tasks = Ülesanded
chip_tickets = Pöördumised

on_day =
    { $day }.{"\u00A0"}{ $month ->
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
    }
    .with_year = { $on_day } { $year }
just_now = just praegu
minutes_ago = { $number } min tagasi
hours_ago = { $number } h tagasi
days_ago = { $number } p tagasi
