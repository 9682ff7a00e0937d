//! The words that people read, in English and Estonian. Both are one struct, so none can lack a message.

use axum::http::{HeaderMap, header};

use crate::scope;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Estonian,
}

/// Why a request can't go on.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) heading: &'static str,
    /// What is wrong, and what mends it.
    pub(crate) reason: &'static str,
}

/// Every message; `{app}` and `{provider}` stand for their names.
pub(crate) struct Words {
    /// RFC 5646.
    pub(crate) tag: &'static str,
    pub(crate) sandbox: &'static str,
    pub(crate) skip: &'static str,
    pub(crate) make_believe: &'static str,
    pub(crate) played_by: &'static str,
    pub(crate) own_note: &'static str,
    pub(crate) played_note: &'static str,
    pub(crate) about: &'static str,
    pub(crate) consent_title: &'static str,
    pub(crate) consent_heading: &'static str,
    pub(crate) played_heading: &'static str,
    pub(crate) account: &'static str,
    pub(crate) will: &'static str,
    pub(crate) openid: &'static str,
    pub(crate) profile: &'static str,
    pub(crate) email: &'static str,
    pub(crate) notes_read: &'static str,
    pub(crate) notes_write: &'static str,
    pub(crate) offline_access: &'static str,
    pub(crate) other_scope: &'static str,
    pub(crate) no_scope: &'static str,
    pub(crate) cannot: &'static str,
    pub(crate) before: &'static str,
    pub(crate) asked_by: &'static str,
    pub(crate) returns_to: &'static str,
    pub(crate) lasts: &'static str,
    pub(crate) until: &'static str,
    pub(crate) deny: &'static str,
    pub(crate) approve: &'static str,
    pub(crate) malformed: Fault,
    pub(crate) unknown_client: Fault,
    pub(crate) missing_redirect_uri: Fault,
    pub(crate) unknown_redirect_uri: Fault,
    pub(crate) other_origin: Fault,
    pub(crate) nothing_shared: &'static str,
    pub(crate) home_lead: &'static str,
    pub(crate) home_app: &'static str,
    pub(crate) client_id: &'static str,
    pub(crate) client_secret: &'static str,
    pub(crate) redirect_uri: &'static str,
    pub(crate) any_loopback: &'static str,
    pub(crate) accounts: &'static str,
    pub(crate) endpoints: &'static str,
    pub(crate) profiles: &'static str,
    pub(crate) profiles_lead: &'static str,
    pub(crate) stripe_lead: &'static str,
    pub(crate) secret_key: &'static str,
    pub(crate) look: &'static str,
    pub(crate) control: &'static str,
    pub(crate) log: &'static str,
    pub(crate) totals: &'static str,
    pub(crate) metadata: &'static str,
    pub(crate) try_this: &'static str,
}

static ENGLISH: Words = Words {
    tag: "en",
    sandbox: "Sandbox",
    skip: "Skip to content",
    make_believe: "A make-believe service. Nothing here is real.",
    played_by: "played by the sandbox",
    own_note: "This is a sandbox: its accounts are made up, and nothing that you decide here is real.",
    played_note: "This is a sandbox: its accounts are made up, and {provider} itself never hears of what you decide.",
    about: "About",
    consent_title: "{app} asks for access",
    consent_heading: "{app} asks for access to your Sandbox account",
    played_heading: "{app} asks for access to your account at {provider} (played by the sandbox)",
    account: "Account",
    will: "{app} will be able to",
    openid: "Know which account is yours",
    profile: "Read your name",
    email: "Read your email address",
    notes_read: "Read your notes",
    notes_write: "Write notes in your name",
    offline_access: "Keep this access while you are away",
    other_scope: "Use the permission",
    no_scope: "See what is public, and do what it was registered for",
    cannot: "It can’t see your password or change your account",
    before: "Before you decide",
    asked_by: "Asked by",
    returns_to: "Returns to",
    lasts: "Lasts",
    until: "Until {app} gives it back",
    deny: "Deny",
    approve: "Approve",
    malformed: Fault {
        heading: "The request can’t be read",
        reason: "A parameter is repeated, unreadable or too long. Go back to the app and start again.",
    },
    unknown_client: Fault {
        heading: "This app is not known here",
        reason: "The request names no app that is registered here. Check its client_id.",
    },
    missing_redirect_uri: Fault {
        heading: "There is no address to return to",
        reason: "The request does not say where to return. It needs a redirect_uri.",
    },
    unknown_redirect_uri: Fault {
        heading: "This app may not return there",
        reason: "The app asked to return to an address that is not registered for it. Check its redirect_uri.",
    },
    other_origin: Fault {
        heading: "This came from another site",
        reason: "The decision came from a page of another site. Go back to the app and start again.",
    },
    nothing_shared: "Nothing was shared. You can close this page.",
    home_lead: "A make-believe service for trying out OAuth, as strict and as unreliable as real ones. Everything is held in memory and gone when it stops.",
    home_app: "The app that is registered from the start",
    client_id: "Client id",
    client_secret: "Client secret",
    redirect_uri: "Redirect URI",
    any_loopback: "any http address on loopback",
    accounts: "Accounts",
    endpoints: "Endpoints",
    profiles: "Providers that are played",
    profiles_lead: "Each has an app of its own, whose secret is its client id and “-secret”. Put a provider’s host and path behind “/at/”.",
    stripe_lead: "Stripe’s own libraries take this address in place of api.stripe.com.",
    secret_key: "Secret key",
    look: "Behaviour",
    control: "Settings in force",
    log: "Calls so far",
    totals: "Refreshes in numbers",
    metadata: "Metadata",
    try_this: "To make the next two token requests fail:",
};

static ESTONIAN: Words = Words {
    tag: "et",
    sandbox: "Liivakast",
    skip: "Liigu sisu juurde",
    make_believe: "Väljamõeldud teenus. Siin pole midagi päris.",
    played_by: "seda mängib liivakast",
    own_note: "See on liivakast: kontod on välja mõeldud ja ükski otsus siin pole päris.",
    played_note: "See on liivakast: kontod on välja mõeldud ja {provider} ise sinu otsusest ei kuule.",
    about: "Mis see on",
    consent_title: "{app} soovib ligipääsu",
    consent_heading: "{app} soovib ligipääsu sinu Liivakasti kontole",
    played_heading: "{app} soovib ligipääsu sinu kontole teenuses {provider} (seda mängib liivakast)",
    account: "Konto",
    will: "{app} saab edaspidi",
    openid: "Teada, milline konto on sinu",
    profile: "Näha sinu nime",
    email: "Näha sinu e-posti aadressi",
    notes_read: "Lugeda sinu märkmeid",
    notes_write: "Kirjutada märkmeid sinu nimel",
    offline_access: "Kasutada ligipääsu ka siis, kui sind kohal ei ole",
    other_scope: "Kasutada õigust",
    no_scope: "Näha avalikku ja teha seda, milleks ta on registreeritud",
    cannot: "Sinu parooli näha ega kontot muuta see ei saa",
    before: "Enne kui otsustad",
    asked_by: "Küsija",
    returns_to: "Tagasi lehele",
    lasts: "Kehtib",
    until: "Kuni {app} loobub sellest",
    deny: "Keeldu",
    approve: "Luba",
    malformed: Fault {
        heading: "Seda päringut ei saa lugeda",
        reason: "Mõni parameeter kordub, pole loetav või on liiga pikk. Mine tagasi rakendusse ja alusta uuesti.",
    },
    unknown_client: Fault {
        heading: "Seda rakendust siin ei tunta",
        reason: "Päringus pole ühtki siin registreeritud rakendust. Kontrolli selle väärtust client_id.",
    },
    missing_redirect_uri: Fault {
        heading: "Tagasiaadress puudub",
        reason: "Päring ei ütle, kuhu tagasi minna. Lisa redirect_uri.",
    },
    unknown_redirect_uri: Fault {
        heading: "Sinna see rakendus naasta ei tohi",
        reason: "Rakendus soovib tagasi minna aadressile, mis pole selle jaoks registreeritud. Kontrolli väärtust redirect_uri.",
    },
    other_origin: Fault {
        heading: "See tuli teiselt saidilt",
        reason: "Otsus tuli teise saidi lehelt. Mine tagasi rakendusse ja alusta uuesti.",
    },
    nothing_shared: "Midagi ei jagatud. Võid selle lehe sulgeda.",
    home_lead: "Väljamõeldud teenus OAuthi proovimiseks, sama range ja sama ebakindel kui päris teenused. Kõik on mälus ja kaob, kui teenus peatub.",
    home_app: "Algusest peale registreeritud rakendus",
    client_id: "Kliendi id",
    client_secret: "Kliendi saladus",
    redirect_uri: "Tagasiaadress",
    any_loopback: "iga http-aadress oma masinas",
    accounts: "Kontod",
    endpoints: "Otspunktid",
    profiles: "Järeletehtud teenused",
    profiles_lead: "Igaühel on oma rakendus, mille saladus on kliendi id koos lõpuga „-secret“. Lisa teenuse nimi ja tee pärast „/at/“.",
    stripe_lead: "Stripe’i enda teegid võtavad selle aadressi api.stripe.com asemel.",
    secret_key: "Salajane võti",
    look: "Käitumine",
    control: "Kehtivad seaded",
    log: "Senised päringud",
    totals: "Uuendamised arvudes",
    metadata: "Metaandmed",
    try_this: "Et kaks järgmist tokenipäringut ebaõnnestuksid:",
};

impl Language {
    /// RFC 9110 §12.5.4: Estonian where it is wanted more than English, otherwise English.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let wanted =
            headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if weight(wanted, "et") > weight(wanted, "en") { Self::Estonian } else { Self::English }
    }

    /// The messages.
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Estonian => &ESTONIAN,
        }
    }
}

impl Words {
    /// What a scope allows, as a verb phrase; `None` for one that has no meaning here.
    pub(crate) fn permission(&self, scope: &str) -> Option<&'static str> {
        match scope {
            "openid" => Some(self.openid),
            "profile" => Some(self.profile),
            "email" => Some(self.email),
            scope::NOTES_READ => Some(self.notes_read),
            "notes:write" => Some(self.notes_write),
            "offline_access" => Some(self.offline_access),
            _ => None,
        }
    }
}

/// How much a language is wanted, in thousandths; a region counts for its language, and the order decides between equals.
fn weight(wanted: &str, language: &str) -> (u16, i32) {
    let weights = wanted.split(',').take(32).zip(0..).filter_map(|(item, place)| {
        let mut parts = item.split(';').map(str::trim);
        let primary = parts.next()?.split('-').next()?;
        let quality =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a weight from 0 to 1000 fits"
        )]
        let thousandths = (quality.clamp(0.0, 1.0) * 1000.0) as u16;
        // A weight of 0 means "not at all" and must not win by its place.
        (thousandths > 0 && primary.eq_ignore_ascii_case(language)).then_some((thousandths, -place))
    });
    weights.max().unwrap_or((0, i32::MIN))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_language_that_is_wanted_most_is_spoken() {
        let cases = [
            ("et", Language::Estonian),
            ("et-EE,et;q=0.9,en;q=0.8", Language::Estonian),
            ("en-GB,et;q=0.5", Language::English),
            ("en;q=0.3, et;q=0.7", Language::Estonian),
            ("et, en", Language::Estonian),
            ("en, et", Language::English),
            ("fi, et;q=0", Language::English),
            ("de", Language::English),
            ("", Language::English),
            ("et;q=much", Language::English),
        ];
        for (wanted, expected) in cases {
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(wanted))]);
            assert_eq!(Language::of(&headers), expected, "{wanted}");
        }
    }

    #[test]
    fn every_known_scope_is_said_in_words() {
        for language in [Language::English, Language::Estonian] {
            for scope in scope::KNOWN {
                assert!(language.words().permission(scope).is_some(), "{scope}");
            }
        }
    }
}
