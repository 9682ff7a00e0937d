//! The words of the onboarding page, in English and Estonian. Both are one struct, so none can lack a message.

use crate::language::Language;

/// Every message; `{platform}` stands for the platform's name.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) heading: &'static str,
    pub(super) lead: &'static str,
    pub(super) account: &'static str,
    pub(super) address: &'static str,
    pub(super) country: &'static str,
    pub(super) returns_to: &'static str,
    pub(super) ask: &'static str,
    pub(super) complete: &'static str,
    pub(super) pending: &'static str,
    pub(super) incomplete: &'static str,
    pub(super) expired: &'static str,
    pub(super) unknown_heading: &'static str,
    pub(super) unknown: &'static str,
    pub(super) other_origin_heading: &'static str,
    pub(super) other_origin: &'static str,
}

static ENGLISH: Words = Words {
    title: "Set up payments",
    heading: "Set up payments with {platform}",
    lead: "Here Stripe would ask for your business, your identity and your bank account. The sandbox asks only how it should end.",
    account: "Account",
    address: "Email",
    country: "Country",
    returns_to: "Returns to",
    ask: "How should it end?",
    complete: "Finish: everything is approved",
    pending: "Submit: verification is still pending",
    incomplete: "Leave without finishing",
    expired: "Say that the link has expired",
    unknown_heading: "This link leads nowhere",
    unknown: "The sandbox never gave out this link, or has forgotten it. Go back to where you got it and ask for a new one.",
    other_origin_heading: "This came from another site",
    other_origin: "The form was sent by a page of another site. Go back to the link that you were given and start again.",
};

static ESTONIAN: Words = Words {
    title: "Maksete seadistamine",
    heading: "Seadista maksed: {platform}",
    lead: "Siin küsiks Stripe sinu ettevõtte, isiku ja pangakonto kohta. Liivakast küsib ainult, kuidas see lõppema peaks.",
    account: "Konto",
    address: "E-post",
    country: "Riik",
    returns_to: "Tagasi lehele",
    ask: "Kuidas see lõppema peaks?",
    complete: "Lõpeta: kõik on heaks kiidetud",
    pending: "Saada ära: kontrollimine veel kestab",
    incomplete: "Lahku lõpetamata",
    expired: "Ütle, et link on aegunud",
    unknown_heading: "See link ei vii kuhugi",
    unknown: "Liivakast pole sellist linki andnud või on selle unustanud. Mine tagasi sinna, kust selle said, ja küsi uus.",
    other_origin_heading: "See tuli teiselt saidilt",
    other_origin: "Vormi saatis teise saidi leht. Ava uuesti link, mille said, ja alusta otsast peale.",
};

/// The messages in this language.
pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Estonian => &ESTONIAN,
    }
}
