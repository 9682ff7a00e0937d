# Päring
malformed_json = Päringu sisu ei ole korrektne JSON.
    .detail = Saada üks JSON-väärtus päisega Content-Type: application/json ja kontrolli süntaksit.
validation_failed = Mõned väljad ei ole õiged.
    .detail = Paranda loendis errors olevad väljad; esimene on { $field }.
invalid_parameter = Parameeter ei ole õige.
    .detail = { $name }: { $rule }.
    .page_title = See ei õnnestunud
    .page = Aadress või vorm ei ole täielik ja midagi ei tehtud. Mine tagasi ja kasuta lehe nuppe.
payload_too_large = Päring on liiga suur.
    .detail = Saada kuni 1 MiB.
    .page_title = See on liiga suur
    .page = Saadetu on liiga suur ja midagi ei tehtud. Mine tagasi ja saada vähem.
unsupported_media_type = Seda sisutüüpi siin ei loeta.
    .detail = Saada päis Content-Type: application/json.
method_not_allowed = See meetod ei ole siin lubatud.
    .detail = Päises Allow on selle aadressi meetodid.
    .page_title = See ei õnnestunud
    .page = Seda aadressi nii kasutada ei saa ja midagi ei tehtud. Mine tagasi ja kasuta lehe nuppe.
route_not_found = Sellel aadressil ei ole midagi.
    .detail = Kontrolli teed; kõik aadressid on failis /openapi.json taustaliidese aadressil.
    .page_title = Seda lehte ei ole
    .page = Aadress ei ole õige või on siin olnu kadunud. Midagi ei läinud kaotsi. Mine tagasi või ava link, mille said.

# Kutsuja
foreign_form = See vorm tuli teiselt saidilt.
    .detail = Ava leht ise ja proovi uuesti.
    .page = See ei tulnud meie lehelt, nii et midagi ei tehtud ja midagi ei läinud kaotsi. Ava leht ise ja proovi uuesti.
invalid_api_key = API võti puudub või ei kehti.
    .detail = Saada kehtiv võti päises Authorization: Bearer cvk_….
insufficient_scope = Sellel API võtmel ei ole selleks õigust.
    .detail = Kasuta võtit, millel on õigus { $scope }.

# Subjektid, integratsioonid, ühendused
subject_not_found = Sellist subjekti ei ole.
    .detail = Loo see päringuga PUT /api/subjects/{ $subject } või määra subjects.must_exist = false.
    .page_title = Sind siin enam ei tunta
    .page = { $product } ei tunne sind enam ja midagi ei saa ühendada. Midagi ei muudetud. Küsi uus link: { $product }.
integration_not_found = Sellist integratsiooni ei ole.
    .detail = Nimega { $integration } ei ole midagi; GET /api/integrations loetleb olemasolevad.
    .page_title = Seda tööriista ei saa siin ühendada
    .page = Seda tööriista siin ühendada ei saa. Midagi ei muudetud. Mine tagasi ja vali mõni muu.
group_not_found = Sellist rühma ei ole.
    .detail = Kataloogis ei ole rühma { $group }.
group_not_configured = Ükski selle rühma tööriist ei ole seadistatud.
    .detail = Määra rühmale { $group } või mõnele selle liikmele client_id ja client_secret.
    .page_title = Seda tööriista ei saa praegu ühendada
    .page = { $product } ei saa seda tööriista praegu ühendada, sest see pole seadistatud. Midagi ei muudetud. Proovi hiljem uuesti.
provider_not_found = Sellist teenust ei ole.
    .detail = Kataloogis ei ole kirjet { $provider }; lisa see kausta catalog.directory või kontrolli kirjapilti.
integration_not_configured = See integratsioon ei ole seadistatud.
    .detail = { $integration } vajab veel: { $missing }. Määra see jaotises [integrations.{ $integration }] või päringuga PUT /api/integrations/{ $integration }.
    .page_title = Seda tööriista ei saa praegu ühendada
    .page = { $product } ei saa seda tööriista praegu ühendada, sest see pole seadistatud. Midagi ei muudetud. Proovi hiljem uuesti.
integration_in_configuration = See integratsioon on määratud seadistusfailis.
    .detail = Muuda { $integration } jaotises [integrations.{ $integration }] failis claviger.toml ja taaskäivita.
connection_not_found = Sellist ühendust ei ole.
    .detail = { $subject } ei ole ühendatud: { $integration }; alusta päringuga GET /api/oauth/authorize/{ $subject }?provider={ $integration }.
    .page_title = Ühendus on juba katkestatud
    .page = Ühendus on juba katkestatud ja midagi ei muudetud. Mine tagasi ja vaata, mis on ühendatud.
api_key_not_found = Sellise tunnusega API võtit ei ole.
    .detail = GET /api/api-keys loetleb võtmed; { $id } on tundmatu või juba tühistatud.
reconnect_required = Ühendus vajab inimest uuesti.
    .detail = Teenus ei luba meid enam ligi; põhjus on antud. Lase inimesel uuesti ühendada, muu ei aita.
no_refresh_token = Uuendada ei ole millegagi.
    .detail = Teenus ei andnud uuendusluba. Ligipääsuluba töötab lõpuni või kuni teenus selle tagasi lükkab.
token_not_granted = Nõusolek sellist luba ei andnud.
    .detail = Osa { $part } lube ei tulnud. Küsi selle õigusi ja lase inimesel uuesti ühendada.
provider_unavailable = Teenus ei vasta.
    .detail = Ühendus on alles. Proovi uuesti päises Retry-After antud aja pärast.
provider_configuration = Teenus ei luba meie rakendust.
    .detail = Vastus oli { $error }. Kontrolli integratsiooni väljasid client_id, client_secret ja redirect URI; ühendused ei ole kannatada saanud.
    .page_title = Seda tööriista ei saa praegu ühendada
    .page = Tööriist ei võta rakendust { $product } praegu vastu. Midagi ei muudetud ja see pole sinu viga. Anna sellest teada: { $product }.
refresh_under_way = Ühendust parasjagu uuendatakse.
    .detail = Midagi ei muudetud. Proovi uuesti päises Retry-After antud aja pärast.
grant_at_risk = See võib kogu loa lõpetada.
    .detail = Teenuse { $integration } uuendusluba kehtib ühe korra. Kui teenusele näidatakse luba, mida ta ei ole andnud, võib ta seda varguseks pidada ja lõpetada kõik, mida inimene lubas; siis peab inimene uuesti ühendama. Midagi ei tehtud. Kui soovid seda siiski, korda päringut väljaga yesReally.
refreshing_held = Uuendamine on peatatud.
    .detail = Käitaja või taastatud varukoopia on ligipääsulubade uuendamise peatanud. Kehtivad load antakse edasi välja. PUT /api/refreshing laseb jätkata.
generation_conflict = Ühendust on vahepeal muudetud.
    .detail = Loe see uuesti ja korda muudatust praeguse numbriga generation.
return_to_not_allowed = See aadress ei ole parameetris returnTo lubatud.
    .detail = Lisa see või selle ülemtee seadesse connect.return_to.

# Tagasipöördumine
invalid_state = See sisselogimine enam ei kehti.
    .detail = Seda on juba kasutatud või see ei alanud siit. Selle külastusega ei muudetud midagi. Mine tagasi ja ühenda uuesti.
expired_state = See kestis liiga kaua.
    .detail = Ühendamine kestis lubatust kauem ja peatati. Midagi ei muudetud. Mine tagasi ja ühenda uuesti.
wrong_integration = See vastus kuulub teisele tööriistale.
    .detail = See saabus teise tööriista aadressile ja lükati tagasi. Midagi ei muudetud. Mine tagasi ja ühenda uuesti.
wrong_issuer = See vastus tuli kelleltki teiselt.
    .detail = See ei nimeta teenust, mille juurde sind saadeti, ja lükati tagasi. Midagi ei muudetud. Mine tagasi ja ühenda uuesti.
foreign_browser = See algas teises brauseris.
    .detail = Sinu turvalisuse huvides saab selle lõpetada ainult brauseris, kus see algas, ja see brauser peab hoidma küpsiseid. Midagi ei muudetud. Mine tagasi ja ühenda uuesti.
invalid_ticket = See link enam ei tööta.
    .detail = See töötab ühe korra ja lühikest aega. Midagi ei muudetud. Mine tagasi ja ühenda uuesti.
access_denied = Ligipääsu ei lubatud.
    .detail = Sa ei andnud luba ja midagi ei jagatud. Kui soovid, proovi uuesti.
admin_consent_required = Vaja on administraatorit.
    .detail = Su asutuses saab uusi rakendusi lubada ainult administraator. Midagi ei jagatud. Palu tal see lubada ja proovi siis uuesti.
provider_refused = Teenus keeldus.
    .detail = Loa asemel saatis teenus vea. Midagi ei muudetud. Mine tagasi ja proovi uuesti.
account_kept = Konto jäi samaks.
    .detail = Sisse logis teine konto, kuid alles jäi see, mis oli ühendatud enne. Midagi ei muudetud.
exchange_failed = Ühendamine ei õnnestunud.
    .detail = Teenus ei viinud luba lõpule. Midagi ei muudetud. Mine tagasi ja ühenda uuesti.

# Portaali seansid
portal_session_not_found = Sellist portaali seanssi ei ole.
    .detail = GET /api/portal-sessions loetleb need; { $id } on tundmatu või lõppes ammu.
portal_session_over = See portaali seanss on läbi.
    .detail = Inimene sai valmis või seanss võeti tagasi. Tee uus: POST /api/portal-sessions.
nothing_to_mail = Seda portaali seanssi ei saadetud e-postiga.
    .detail = See tehti ilma e-posti aadressita. Tee uus koos aadressiga.
mail_not_configured = E-kirju ei saa saata.
    .detail = Määra failis claviger.toml mail.host ja mail.from või jäta email välja ja anna link ise edasi.
too_many_mails = Liiga palju e-kirju.
    .detail = Rohkem kirju ühe tunni jooksul kellelegi ei saadeta. Midagi ei läinud kaotsi. Proovi uuesti hiljemalt tunni pärast; täpse aja ütleb Retry-After. Haldur saab seadet mail.per_subject_and_hour suurendada.
invalid_link = See link ei tööta.
    .detail = Seda on juba kasutatud, see on aegunud, võeti tagasi või saadeti uuem. Midagi ei muudetud. Kasuta kõige uuemat kirja või küsi uus link sealt, kust selle said.
invitation_expired = See link on aegunud.
    .detail = Kutse kehtib piiratud aja. Midagi ei läinud kaotsi. Sa saad lasta endale uue lingi saata.
already_done = See on tehtud.
    .detail = Sa oled selle juba lõpetanud ja rohkem pole midagi vaja. Võid selle akna sulgeda.
cookies_needed = Su brauser ei hoia küpsiseid.
    .detail = Ilma nendeta ei ole näha, et tulid lingiga, ja lehte ei saa näidata. Midagi ei läinud kaotsi. Luba selle aadressi küpsised ja ava oma link uuesti. Kui link töötab ainult ühe korra, küsi uus.
portal_session_needed = Palun ava oma link uuesti.
    .detail = Sa olid mõnda aega eemal või tulid ilma lingita. Midagi ei läinud kaotsi. Ava sulle antud link või küsi uus.
session_changed = Avati teine link.
    .detail = Vorm nimetab teist portaali seanssi kui küpsis või ei nimeta ühtegi. Midagi ei muudetud.
    .page = Vahepeal avati selles brauseris teine link ({ $product }) ja see leht ei ole enam sinu. Midagi ei muudetud. Ava oma link uuesti või küsi uus.

# Stripe
stripe_not_configured = Stripe ei ole siin seadistatud.
    .detail = Määra failis claviger.toml stripe.secret_key.
    .page_title = Makseid ei saa praegu seadistada
    .page = { $product } ei saa praegu makseid seadistada. Midagi ei muudetud. Proovi hiljem uuesti.
stripe_unavailable = Stripe ei vasta.
    .detail = Midagi ei muudetud ja midagi ei läinud kaotsi. Proovi hetke pärast uuesti.
stripe_configuration = Stripe lükkas päringu tagasi.
    .detail = Ta vastas { $error }. Midagi ei muudetud. Operaator peab kontrollima seadet stripe.secret_key ja platvormi seadeid Stripe’is.
account_mismatch = See on teine konto.
    .detail = Vastuses on teine Stripe’i konto kui see, mis sinu jaoks tehti, ja seepärast lükati vastus tagasi. Midagi ei muudetud. Ava oma kutse uuesti.
stripe_account_unknown = Stripe ei tunne seda kontot.
    .detail = Seda ei ole olemas või see ei kuulu sellele platvormile. Midagi ei muudetud. Ava oma kutse uuesti või küsi kutsujalt.
stripe_account_not_found = Stripe’i kontot ei ole.
    .detail = Kliendil { $subject } seda ei ole; alusta päringuga POST /onboard-client/initiate.
account_taken = See konto kuulub teisele kliendile.
    .detail = Üks Stripe’i konto kuulub ühele kliendile. Midagi ei muudetud. Operaator saab selle seal enne lahti siduda.
account_linked = Sellel kliendil on teine konto.
    .detail = Midagi ei muudetud. Operaator saab selle enne lahti siduda: DELETE /api/subjects/{ $subject }/stripe.
account_deauthorized = Konto lõpetas ühenduse.
    .detail = Stripe’i konto võttis meilt ligipääsu ära. Midagi ei läinud kaotsi. Operaator peab selle lahti siduma, enne kui saab ühendada teise.
invalid_signature = Allkiri ei kehti.
    .detail = Kontrolli seadet stripe.webhook_secrets ja kella. Midagi ei muudetud.

# Võtmed
master_key_changed = Peavõtit on vahetatud.
    .detail = See protsess käivitati teisega. Käivita see uue võtmega uuesti; midagi ei muudetud ja midagi ei läinud kaotsi.
keys_outdated = Sellel protsessil puudub uusim andmevõti.
    .detail = Pärast protsessi käivitamist vahetati peavõti ja seejärel lisati andmevõti. Kehtivad load, mida ta veel avada oskab, annab ta edasi välja, aga ei tee midagi, mida tuleks pitseerida. Midagi ei läinud kaotsi. Käivita ta uue peavõtmega uuesti.

# Meie ise
store_unavailable = Andmehoidla praegu ei vasta.
    .detail = Midagi ei muudetud. Proovi varsti uuesti.
    .page_title = See võtab hetke aega
    .page = { $product } ei saanud seda praegu järele vaadata. Midagi ei muudetud. Oota hetk ja laadi leht uuesti.
not_ready = Server ei ole valmis.
    .detail = See käivitub või peatub. Proovi varsti uuesti.
    .page_title = See võtab hetke aega
    .page = { $product } alles käivitub või on peatumas. Midagi ei muudetud. Oota hetk ja laadi leht uuesti.
internal_error = Meie poolel läks midagi valesti.
    .detail = Ütle haldurile request_id; logi näitab, mis juhtus.
    .page = Viga tekkis meie poolel, sina ei teinud midagi valesti. Ühendatu jääb ühendatuks. Proovi uuesti ja kui viga kordub, ütle allolev viide edasi: { $product }.
