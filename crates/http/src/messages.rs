//! The words that people read. They stand in `locales/{en,et}/*.ftl` (Project Fluent) and are compiled in; tests fail
//! when one language lacks a message or a placeholder of the other.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

/// The arguments that are numbers, by which a message can choose its words; everything else is text as it is.
const NUMBERS: [&str; 1] = ["minutes"];

/// A language that Claviger speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Estonian.
    Estonian,
}

impl Language {
    /// The languages, the default first.
    pub const ALL: [Self; 2] = [Self::English, Self::Estonian];

    /// BCP 47.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Estonian => "et",
        }
    }

    /// Reads a tag; regions do not matter.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// RFC 9110 §12.5.4: the acceptable language with the highest weight, the earlier of equals.
    pub fn negotiate(headers: &HeaderMap, default: Self) -> Self {
        let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best: Option<(Self, f32)> = None;
        for range in header.split(',').take(20) {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
            let language = if tag == "*" { Some(default) } else { Self::from_tag(tag) };
            if let (Some(language), Ok(weight)) = (language, weight)
                && weight > best.map_or(0.0, |(_, highest)| highest)
            {
                best = Some((language, weight));
            }
        }
        best.map_or(default, |(language, _)| language)
    }

    /// The first of these tags that we speak (OpenID Connect Core §3.1.2.1, `ui_locales`), else the other language.
    pub(crate) fn preferred(tags: &[String], otherwise: Self) -> Self {
        tags.iter().find_map(|tag| Self::from_tag(tag)).unwrap_or(otherwise)
    }

    const fn sources(self) -> [&'static str; 3] {
        match self {
            Self::English => [
                include_str!("../locales/en/problems.ftl"),
                include_str!("../locales/en/pages.ftl"),
                include_str!("../locales/en/mail.ftl"),
            ],
            Self::Estonian => [
                include_str!("../locales/et/problems.ftl"),
                include_str!("../locales/et/pages.ftl"),
                include_str!("../locales/et/mail.ftl"),
            ],
        }
    }

    fn bundle(self) -> &'static FluentBundle<FluentResource> {
        static BUNDLES: LazyLock<[FluentBundle<FluentResource>; 2]> =
            LazyLock::new(|| Language::ALL.map(load));
        match self {
            Self::English => &BUNDLES[0],
            Self::Estonian => &BUNDLES[1],
        }
    }

    /// A message; `name.attribute` reads an attribute. Arguments are plain text: whoever puts the message into a page
    /// escapes it.
    pub fn text(self, name: &str, arguments: &[(&str, &str)]) -> String {
        // The tests know every name; what is left is a name that they don't.
        self.find(name, arguments).unwrap_or_else(|| name.to_owned())
    }

    /// The same, where there is such a message.
    pub(crate) fn find(self, name: &str, arguments: &[(&str, &str)]) -> Option<String> {
        let (id, attribute) =
            name.split_once('.').map_or((name, None), |(id, attribute)| (id, Some(attribute)));
        let bundle = self.bundle();
        let message = bundle.get_message(id);
        let pattern = message.as_ref().and_then(|message| match attribute {
            Some(attribute) => message.get_attribute(attribute).map(|attribute| attribute.value()),
            None => message.value(),
        });
        let pattern = pattern?;
        let mut values = FluentArgs::new();
        for (name, value) in arguments {
            if NUMBERS.contains(name) {
                values.set(*name, FluentValue::try_number(value));
            } else {
                values.set(*name, *value);
            }
        }
        Some(bundle.format_pattern(pattern, Some(&values), &mut Vec::new()).into_owned())
    }

    /// A message without arguments, for templates.
    pub(crate) fn plain(self, name: &str) -> String {
        self.text(name, &[])
    }

    /// A message about a change of accounts, for templates.
    pub(crate) fn account_change(
        self,
        name: &str,
        product: &str,
        integration: &str,
        before: &str,
        after: &str,
    ) -> String {
        let arguments =
            [("product", product), ("integration", integration), ("before", before), ("after", after)];
        self.text(name, &arguments)
    }

    /// A part of a tool: the word of a noun (`provider::catalog::CHIP_NOUNS`), or a name as it is.
    pub(crate) fn chip(self, chip: &str) -> String {
        self.find(&format!("chip_{chip}"), &[]).unwrap_or_else(|| chip.to_owned())
    }

    /// A message with one argument, for templates.
    pub(crate) fn with(self, name: &str, argument: &str, value: &str) -> String {
        self.text(name, &[(argument, value)])
    }
}

/// A name inside a sentence whose direction it must not turn (Unicode UAX #9, first strong isolate). What would end the
/// isolation, or turn what comes after, is left out.
pub(crate) fn isolated(name: &str) -> String {
    let turns = |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name: String = name.chars().filter(|c| !turns(c)).collect();
    format!("\u{2068}{name}\u{2069}")
}

fn load(language: Language) -> FluentBundle<FluentResource> {
    let identifier = language.tag().parse().expect("en and et are language tags");
    let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
    bundle.set_use_isolating(false);
    for source in language.sources() {
        let resource =
            FluentResource::try_new(source.to_owned()).expect("the message files are parsed by the tests");
        bundle.add_resource(resource).expect("the tests know that no message is written twice");
    }
    bundle
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use axum::http::HeaderValue;
    use model::{ProblemCode, ReconnectReason};

    use super::*;

    #[test]
    fn every_code_has_a_title_and_a_detail_in_both_languages() {
        for language in Language::ALL {
            for code in ProblemCode::ALL {
                for name in [code.word().to_owned(), format!("{code}.detail")] {
                    assert_ne!(language.text(&name, &[]), name, "{} lacks {name}", language.tag());
                }
            }
        }
    }

    /// Every file of this folder and those below it.
    fn texts(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                texts(&path, found);
            } else if path.extension().is_some_and(|extension| {
                ["rs", "html", "txt"].map(Into::into).contains(&extension.to_owned())
            }) {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_message_that_code_and_templates_name_is_there() {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        texts(&here.join("src"), &mut files);
        texts(&here.join("templates"), &mut files);
        let mut named = BTreeSet::new();
        for call in
            ["language.plain(\"", "language.with(\"", "language.text(\"", "language.account_change(\""]
        {
            for rest in files.iter().flat_map(|text| text.split(call).skip(1)) {
                named.extend(rest.split_once('"').map(|(name, _)| name.to_owned()));
            }
        }
        assert!(named.len() > 50, "{named:?}");
        let reasons = [
            ReconnectReason::GrantRevoked,
            ReconnectReason::InteractionRequired,
            ReconnectReason::NoRefreshToken,
            ReconnectReason::GrantEnded,
            ReconnectReason::Inactivity,
            ReconnectReason::AnswerLost,
        ];
        named.extend(reasons.map(|reason| format!("broken.{}", reason.word())));
        for language in Language::ALL {
            let known = inventory(language);
            let unknown: Vec<_> = named.iter().filter(|name| !known.contains_key(*name)).collect();
            assert!(unknown.is_empty(), "{} lacks {unknown:?}", language.tag());
        }
    }

    #[test]
    fn every_noun_of_the_catalog_has_its_word_in_both_languages() {
        for language in Language::ALL {
            for noun in provider::catalog::CHIP_NOUNS {
                assert_ne!(language.chip(noun), noun, "{} lacks chip_{noun}", language.tag());
            }
        }
    }

    /// Message (and attribute) names with the placeholders that they use.
    fn inventory(language: Language) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in language.sources() {
            let mut message = String::new();
            let mut name = String::new();
            for line in source.lines().filter(|line| !line.trim_start().starts_with('#')) {
                if let Some((id, _)) = line.split_once(" =") {
                    if let Some(attribute) = id.trim_start().strip_prefix('.') {
                        name = format!("{message}.{attribute}");
                    } else {
                        id.clone_into(&mut message);
                        id.clone_into(&mut name);
                    }
                    assert!(found.insert(name.clone(), BTreeSet::new()).is_none(), "{name} is written twice");
                }
                for placeholder in line.split("{ $").skip(1) {
                    let placeholder = placeholder.split(' ').next().unwrap();
                    found.get_mut(&name).unwrap().insert(placeholder.to_owned());
                }
            }
        }
        found
    }

    #[test]
    fn both_languages_have_the_same_messages_with_the_same_placeholders() {
        assert_eq!(inventory(Language::English), inventory(Language::Estonian));
    }

    #[test]
    fn a_name_can_not_turn_the_sentence_around_it() {
        assert_eq!(isolated("Zapier\u{2069}\u{202e}"), "\u{2068}Zapier\u{2069}");
        assert_eq!(isolated("רוואן"), "\u{2068}רוואן\u{2069}");
    }

    #[test]
    fn the_heaviest_language_that_we_speak_wins() {
        let cases = [
            ("", Language::English),
            ("et", Language::Estonian),
            ("et-EE,en;q=0.5", Language::Estonian),
            ("fi, et;q=0.4, en;q=0.3", Language::Estonian),
            ("en;q=0.2, et;q=0.9", Language::Estonian),
            ("de, fr", Language::English),
            ("et;q=0, *;q=0.1", Language::English),
            ("et;q=nonsense", Language::English),
        ];
        for (header, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(header).unwrap());
            assert_eq!(Language::negotiate(&headers, Language::English), expected, "{header:?}");
        }
    }
}
