//! The letters word by word, and what a caller could try to put into them.

use super::*;

const LINK: &str = "https://auth.rowan.example/onboard-client?token=abc&x=1";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn letter(language: Language, product: &str, name: Option<&str>, kind: InvitationKind<'_>) -> Letter {
    let expires_at = "2026-11-28T14:05:59Z".parse().unwrap();
    invitation(language, &Invitation { product, name, kind, link: LINK, expires_at })
}

#[test]
fn an_invitation_to_tools_in_english() {
    let names = names(&["GitHub", "Jira"]);
    let letter = letter(Language::English, "Rowan", Some("Anna"), InvitationKind::Tools { names: &names });
    assert_eq!(letter.subject(), "Rowan invites you to connect GitHub and Jira");
    assert_eq!(letter.language(), "en");
    let expected = "\
Hello Anna,

Rowan invites you to connect GitHub and Jira.

You sign in at each tool itself, so Rowan never sees your passwords. You
can disconnect at any time.

Open this link to begin:
https://auth.rowan.example/onboard-client?token=abc&x=1

The link works until 28 November 2026, 14:05 UTC. It is meant for you
alone, so please do not pass it on.

If you did not expect this, you can ignore it: nothing is connected
unless you open the link and agree.

-- 
Rowan, sent through Claviger";
    assert_eq!(letter.text(), expected);
}

#[test]
fn an_invitation_to_stripe_in_estonian() {
    let letter = letter(Language::Estonian, "Rowan", None, InvitationKind::Stripe);
    assert_eq!(letter.subject(), "Rowan kutsub sind Stripe’i ühendama");
    assert_eq!(letter.language(), "et");
    let expected = "\
Tere

Rowan kutsub sind Stripe’i ühendama.

Oma andmed annad otse Stripe’ile, tema enda lehel.

Alustamiseks ava see link:
https://auth.rowan.example/onboard-client?token=abc&x=1

Link aegub 28. novembril 2026 kell 14:05 (UTC). See on mõeldud ainult
sulle, nii et palun ära seda edasi saada.

Kui sa seda kirja ei oodanud, võid selle tähelepanuta jätta: midagi ei
ühendata enne, kui avad lingi ja oled nõus.

-- 
Rowan, saadetud Clavigeri kaudu";
    assert_eq!(letter.text(), expected);
}

/// The words of an HTML letter, without its tags.
fn words(html: &str) -> String {
    let body = html.split_once("<body").unwrap().1;
    let text: String =
        body.split('<').skip(1).map(|tag| tag.split_once('>').unwrap().1).collect::<Vec<_>>().join(" ");
    text.replace("&#38;", "&").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_html_says_the_same_with_one_button() {
    let names = names(&["GitHub"]);
    let letter = letter(Language::Estonian, "Rowan", Some("Õie"), InvitationKind::Tools { names: &names });
    assert_eq!(
        words(letter.html()),
        "Rowan kutsub sind: ühenda GitHub Tere, Õie Sisse logid iga tööriista enda lehel, nii et Rowan ei näe kunagi su \
         paroole. Ühenduse saad igal ajal katkestada. Ühenda GitHub Link aegub 28. novembril 2026 kell 14:05 (UTC). See \
         on mõeldud ainult sulle, nii et palun ära seda edasi saada. Kui nupp ei tööta, ava see aadress: \
         https://auth.rowan.example/onboard-client?token=abc&x=1 Kui sa seda kirja ei oodanud, võid selle tähelepanuta \
         jätta: midagi ei ühendata enne, kui avad lingi ja oled nõus. Rowan, saadetud Clavigeri kaudu"
    );
    let html = letter.html();
    assert!(html.starts_with("<!doctype html>\n<html lang=\"et\">"), "{html}");
    let escaped = format!("href=\"{}\"", LINK.replace('&', "&#38;"));
    assert_eq!(html.matches(&escaped).count(), 2, "the button and the bare address");
    for outside in ["<img", "<script", "<link", "url(", "src="] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert_eq!(html.matches("http").count(), 3, "no address but the link's: {html}");
}

#[test]
fn the_tools_are_named_while_they_are_few() {
    let cases: [(&[&str], &str, &str); 5] = [
        (&[], "your tools", "oma tööriistad"),
        (&["GitHub"], "GitHub", "GitHub"),
        (&["GitHub", "Jira"], "GitHub and Jira", "GitHub ja Jira"),
        (&["GitHub", "Jira", "Slack"], "GitHub, Jira and Slack", "GitHub, Jira ja Slack"),
        (&["GitHub", "Jira", "Slack", "Zoom"], "your tools", "oma tööriistad"),
    ];
    for (given, english, estonian) in cases {
        let names = names(given);
        let kind = InvitationKind::Tools { names: &names };
        let subject = |language| letter(language, "Rowan", None, kind).subject().to_owned();
        assert_eq!(subject(Language::English), format!("Rowan invites you to connect {english}"));
        assert_eq!(subject(Language::Estonian), format!("Rowan kutsub sind: ühenda {estonian}"));
    }
}

#[test]
fn every_month_is_written_out_in_both_languages() {
    let mut seen = std::collections::BTreeSet::new();
    for language in Language::ALL {
        for month in 1..=12 {
            let instant = format!("2027-{month:02}-01T00:00:00Z").parse().unwrap();
            seen.insert(works_until(language, instant));
        }
    }
    assert_eq!(seen.len(), 24, "{seen:?}");
    let last = "2027-12-31T23:59:59.999Z".parse().unwrap();
    assert_eq!(
        works_until(Language::English, last),
        "The link works until 31\u{a0}December\u{a0}2027, 23:59\u{a0}UTC."
    );
    assert_eq!(
        works_until(Language::Estonian, last),
        "Link aegub 31.\u{a0}detsembril\u{a0}2027 kell\u{a0}23:59\u{a0}(UTC)."
    );
    let absurd = works_until(Language::English, Timestamp::from_unix_ms(i64::MAX));
    assert!(absurd.contains("December\u{a0}9999"), "{absurd}");
}

#[test]
fn what_a_caller_gives_stays_text() {
    let product = "<script>alert(\"1\")</script> & 'Co'";
    let names = names(&["<b>GitHub</b>"]);
    let kind = InvitationKind::Tools { names: &names };
    for language in Language::ALL {
        let letter = letter(language, product, Some("\"><img src=x onerror=alert(1)>"), kind);
        let html = letter.html();
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("<img"), "{html}");
        assert!(!html.contains("\"1\"") && !html.contains("'Co'"), "{html}");
        assert!(html.contains("&#60;script&#62;"), "{html}");
        assert!(letter.text().contains(product), "text is not escaped: {}", letter.text());
    }
}

#[test]
fn nothing_that_a_caller_gives_breaks_a_line() {
    let product = "Rowan\r\nBcc: all@rowan.example\u{2028}x\u{202e}y";
    let names = names(&["Git\nHub"]);
    for kind in [InvitationKind::Tools { names: &names }, InvitationKind::Stripe] {
        let letter = letter(Language::English, product, Some("An\r\n\r\nna"), kind);
        assert!(
            letter.subject().starts_with("Rowan Bcc: all@rowan.example x y invites"),
            "{}",
            letter.subject()
        );
        assert!(!letter.subject().contains(char::is_control));
        assert!(letter.text().starts_with("Hello An na,\n\nRowan Bcc: "), "{}", letter.text());
        assert!(!letter.html().contains(['\r', '\u{2028}', '\u{202e}']), "{}", letter.html());
    }
    let long = letter(Language::English, &"õ".repeat(10_000), None, InvitationKind::Stripe);
    assert!(long.text().lines().all(|line| line.chars().count() <= COLUMNS), "{}", long.text());
}

#[test]
fn a_name_that_would_become_a_link_is_left_out() {
    for name in
        ["Free money at evil.example", "https://evil.example", "call@evil.example", "a:b", " ", "\r\n"]
    {
        let letter = letter(Language::English, "Rowan", Some(name), InvitationKind::Stripe);
        assert!(letter.text().starts_with("Hello,\n"), "{name:?}: {}", letter.text());
        assert!(!letter.html().contains("evil"), "{name:?}");
    }
    for name in ["Anna", "Dr. Õnne O'Neill-Tamm jr.", "Õun OÜ", "李雷"] {
        let letter = letter(Language::English, "Rowan", Some(name), InvitationKind::Stripe);
        assert!(letter.text().starts_with(&format!("Hello {name},\n")), "{name:?}: {}", letter.text());
    }
}
