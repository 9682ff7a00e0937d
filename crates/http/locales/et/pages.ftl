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

cancel = Loobu
signed_in = Oled sisse logitud kontoga { $email }.

sign_in = Sisselogimine
    .to = Logi sisse teenusesse { $product }
    .lead = Seejärel otsustad, mida { $application } teha tohib. Enne seda ei jagata midagi.
    .lead_access = Seejärel näed, millistel rakendustel on ligipääs su kontole.
    .lead_access_or_elsewhere = Kui sul siin parooli ei ole, alusta mõnest neist: lase sel ligipääsu küsida, logi sisse ja tule samas brauseris sellele lehele tagasi.
    .lead_access_elsewhere = Et näha, millistel rakendustel on ligipääs su kontole, alusta mõnest neist: lase sel ligipääsu küsida, logi sisse ja tule samas brauseris sellele lehele tagasi.
    .email = E-posti aadress
    .password = Parool
    .forgot = Unustasid?
    .button = Logi sisse
    .link = Saada mulle sisselogimislink
    .with = Jätka: { $way }
sign_in_wrong = E-posti aadress või parool ei ole õige
    .detail = Proovi uuesti.
    .or_link = Proovi uuesti või lase saata sisselogimislink.
sign_in_email_missing = E-posti aadress puudub
    .detail = Kirjuta see väljale ja link saadetakse sinna.
sign_in_way_failed = Sisselogimine ei õnnestunud: { $way }
    .detail = Midagi ei jagatud. Kui soovid, proovi uuesti.
sign_in_link_failed = See sisselogimislink ei toiminud
    .detail = Seda on juba kasutatud või see on liiga vana. Midagi ei jagatud. Lase saata uus.
sign_in_too_many = Liiga palju katseid
    .detail = Midagi ei läinud kaotsi. Proovi uuesti { $minutes ->
        [one] minuti
       *[other] { $minutes } minuti
    } pärast.
sign_in_unavailable = Praegu ei saa sisse logida
    .detail = Sisselogimist ei saa kontrollida, sest vastust ei tule. Midagi ei jagatud ja see pole sinu viga. Proovi mõne minuti pärast uuesti.
sign_in_mailed = Vaata oma postkasti
    .detail = Kui aadressil { $email } on siin konto, on sisselogimislink sinna teel. Kohalejõudmine võib minuti aega võtta. Ava see selles brauseris.
    .other = Logi sisse muul viisil

consent = { $application } küsib ligipääsu
    .for_team = { $application } soovib tegutseda tiimi { $team } nimel teenuses { $product }
    .for_your_team = { $application } soovib tegutseda sinu tiimi nimel teenuses { $product }
    .for_you = { $application } soovib tegutseda sinu nimel teenuses { $product }
    .not_you = See pole sina?
    .team = Tiim
    .may = { $application } saab edaspidi
    .before = Enne kui otsustad
    .asked_by = Küsib
    .at = rakendus aadressil
    .registered = rakendus, mida { $product } tunneb
    .registered_itself = See registreeris end ise ja keegi pole kontrollinud, mida see enda kohta ütleb.
    .named_itself = Nime valis see endale ise.
    .returns_to = Vastus läheb
    .device = programmile selles seadmes
    .used_at = Kasutuskoht
    .lasts = Kehtib
    .until = Kuni võtad selle tagasi
    .until_away = Kuni võtad selle tagasi, ka siis, kui oled eemal
    .authorize = Luba
consent_unproven = See ei pruugi olla { $application }
    .detail = Iga programm selles seadmes võib end selleks nimetada. Jätka ainult siis, kui alustasid seda ise.
consent_elsewhere = Vastus läheb mujale
    .detail = Rakendus ütleb, et on aadressil { $claimed }, aga vastus läheb aadressile { $host }. Jätka ainult siis, kui tunned mõlemat.

permission_openid = Sind ära tunda, kui tagasi tuled
permission_profile = Näha su nime
permission_email = Näha su e-posti aadressi
permission_offline_access = Ligipääsu alles hoida, kui oled eemal
permission_unnamed = Tegutseda sinu nimel; ühtegi õigust ei ole nimetatud

access = Rakendused, millel on ligipääs su kontole
    .applications = Rakendused
    .sign_out = Logi välja
    .empty = Ühelgi rakendusel ei ole su kontole ligipääsu. Mida lubad, seisab siin ja selle saad igal ajal tagasi võtta.
    .for_team = Tegutseb tiimi { $team } nimel
    .for_you = Tegutseb sinu nimel
    .since = lubatud
    .used = viimati kasutatud
    .unused = veel kasutamata
    .may = Mida see teha tohib
    .withdraw = Võta tagasi
    .question = Kas võtta ligipääs tagasi: { $application }?
    .detail = { $application } kaotab ligipääsu teenusele { $product }. Juba saadu jääb sellele alles. Kui soovid uuesti ligipääsu anda, alusta seal.
    .keep = Jäta alles
    .withdrawing = Võtan tagasi…
    .assurance = Uut ligipääsu enam ei anta; antu lõpeb kohe või mõnes liideses varsti pärast seda. Sinu asjadest teenuses { $product } ei kustutata midagi.

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
