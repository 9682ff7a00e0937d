//! `[portal]`: the pages that customers see, and the product's colours and logo on them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use connect::integrations::ConfiguredIntegration;
use connect::portal::buckets::{self, Announced};
use http_plane::brand::{Brand, Logo, Palette};
use model::IntegrationId;
use provider::catalog::Catalog;
use serde::Deserialize;

use super::duration::HumanDuration;
use super::{Config, ConfigError};

/// The largest logo, in octets: a page is small, and so is a mark.
const MAX_LOGO: u64 = 64 * 1024;

/// The most that is announced.
const MAX_ANNOUNCED: usize = 50;

/// Text must stand out from its ground as much as this (WCAG 2.2 §1.4.3).
const TEXT: f64 = 4.5;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Portal {
    pub retention: HumanDuration,
    pub coming_soon: Vec<String>,
    pub theme: Theme,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Theme {
    pub logo: Option<PathBuf>,
    pub light: Colours,
    pub dark: Colours,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "claviger.default.toml describes every setting")]
pub struct Colours {
    pub accent: Option<String>,
    pub accent_ink: Option<String>,
}

/// What the stylesheet has for one scheme.
struct Scheme {
    name: &'static str,
    accent: &'static str,
    accent_ink: &'static str,
    ground: &'static str,
}

const LIGHT: Scheme = Scheme { name: "light", accent: "#2a4a93", accent_ink: "#ffffff", ground: "#faf9f7" };

const DARK: Scheme = Scheme { name: "dark", accent: "#a6b9f5", accent_ink: "#141823", ground: "#161513" };

/// What is announced, under the names that people know.
pub fn announced(
    portal: &Portal,
    integrations: &BTreeMap<IntegrationId, ConfiguredIntegration>,
    catalog: &Catalog,
) -> Result<Vec<Announced>, ConfigError> {
    let key = "portal.coming_soon";
    if portal.coming_soon.len() > MAX_ANNOUNCED {
        let problem = format!("has more than {MAX_ANNOUNCED} names");
        return Err(ConfigError::setting(key, problem, "announce fewer"));
    }
    let mut found: Vec<Announced> = Vec::new();
    for name in &portal.coming_soon {
        let configured = name.parse().ok().and_then(|id: IntegrationId| integrations.get(&id));
        let entry = configured.and_then(|configured| catalog.get(&configured.provider));
        let Some(announced) = buckets::announced(name, entry.map(|entry| &**entry), catalog) else {
            let problem = format!("nothing is named {name:?}");
            let mend = "name integrations, groups or entries of the catalog (docs/catalog.md)";
            return Err(ConfigError::setting(key, problem, mend));
        };
        if found.contains(&announced) {
            return Err(ConfigError::setting(key, format!("names {name} twice"), "name it once"));
        }
        found.push(announced);
    }
    Ok(found)
}

/// The product as its customers see it.
pub fn brand(config: &Config) -> Result<Brand, ConfigError> {
    let theme = &config.portal.theme;
    let (light, dark) = (palette(&theme.light, &LIGHT)?, palette(&theme.dark, &DARK)?);
    let logo = theme.logo.as_deref().map(logo).transpose()?;
    Ok(Brand::new(config.product_name.clone(), &light, &dark, logo))
}

fn palette(colours: &Colours, scheme: &Scheme) -> Result<Palette, ConfigError> {
    let key = |field: &str| format!("portal.theme.{}.{field}", scheme.name);
    let colour = |field: &str, text: &Option<String>, default: &str| match text {
        None => Ok(default.to_owned()),
        Some(text) if is_colour(text) => Ok(text.to_ascii_lowercase()),
        Some(text) => {
            let problem = format!("{text:?} is no colour");
            Err(ConfigError::setting(&key(field), problem, "write it like \"#2a4a93\""))
        }
    };
    let accent = colour("accent", &colours.accent, scheme.accent)?;
    let ink = colour("accent_ink", &colours.accent_ink, scheme.accent_ink)?;
    let pairs = [
        ("accent_ink", &*ink, "accent", &*accent),
        // Links are drawn in it.
        ("accent", &accent, "the page's ground", scheme.ground),
    ];
    for (field, one, what, other) in pairs {
        let contrast = contrast(one, other);
        if contrast < TEXT {
            // Never rounded up to what it misses.
            let shown = (contrast * 100.0).floor() / 100.0;
            let problem = format!(
                "{one} stands out from {what} ({other}) by {shown}:1, and {TEXT}:1 is needed to read it"
            );
            let mend = if scheme.name == "light" && field != "accent_ink" {
                "take a darker colour"
            } else {
                "take colours that lie further apart"
            };
            return Err(ConfigError::setting(&key(field), problem, mend));
        }
    }
    Ok(Palette {
        accent: colours.accent.as_ref().map(|_| accent),
        accent_ink: colours.accent_ink.as_ref().map(|_| ink),
    })
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The contrast ratio of two colours (WCAG 2.2, "contrast ratio"), from 1 to 21.
fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The relative luminance of `#rrggbb` (WCAG 2.2), from 0 to 1.
fn luminance(colour: &str) -> f64 {
    let channel = |place: usize| {
        let octet = colour.get(place..place + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let value = f64::from(octet.unwrap_or_default()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

/// Reads the logo; what it is, its content says.
fn logo(path: &Path) -> Result<Logo, ConfigError> {
    let fail = |problem: String, mend: &str| {
        ConfigError::setting("portal.theme.logo", format!("{}: {problem}", path.display()), mend)
    };
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_LOGO + 1).read_to_end(&mut octets));
    read.map_err(|error| fail(error.to_string(), "name a file that this user may read"))?;
    if octets.len() as u64 > MAX_LOGO {
        return Err(fail(format!("is over {MAX_LOGO} bytes"), "make it smaller: it is shown 28 pixels high"));
    }
    let media_type = if octets.starts_with(b"\x89PNG\r\n\x1a\n") {
        "image/png"
    } else if str::from_utf8(&octets).is_ok_and(is_svg) {
        "image/svg+xml"
    } else {
        return Err(fail("is neither PNG nor SVG".to_owned(), "save it as one of these"));
    };
    Ok(Logo { media_type, octets })
}

/// Whether the first element is `svg`: declarations and comments may stand before it.
fn is_svg(text: &str) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!DOCTYPE svg") => ">",
            _ => break,
        };
        match rest.split_once(end) {
            Some((_, after)) => rest = after.trim_start(),
            None => return false,
        }
    }
    rest.strip_prefix("<svg").is_some_and(|after| after.starts_with([' ', '\n', '\r', '\t', '>']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        for (one, other, expected) in [
            ("#000000", "#ffffff", 21.0),
            ("#ffffff", "#ffffff", 1.0),
            ("#777777", "#ffffff", 4.48),
            ("#767676", "#ffffff", 4.54),
            ("#ff0000", "#ffffff", 4.00),
        ] {
            let contrast = contrast(one, other);
            assert!((contrast - expected).abs() < 0.005, "{one} on {other}: {contrast}");
        }
    }

    #[test]
    fn the_colours_of_the_stylesheet_are_those_that_the_rules_know() {
        let none = Colours { accent: None, accent_ink: None };
        let css = include_str!("../../../http/assets/claviger.css");
        let (light, rest) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
        for (scheme, text) in [(LIGHT, light), (DARK, rest)] {
            assert_eq!(palette(&none, &scheme).unwrap(), Palette::default());
            for (name, colour) in
                [("accent", scheme.accent), ("accent-ink", scheme.accent_ink), ("bg", scheme.ground)]
            {
                assert!(text.contains(&format!("--{name}: {colour};")), "{name} of {}", scheme.name);
            }
        }
    }

    #[test]
    fn an_svg_is_known_by_its_first_element() {
        for good in [
            "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "\u{feff}<?xml version='1.0'?>\n<!-- made by hand -->\n<!DOCTYPE svg PUBLIC 'x' 'y'>\n<svg\n></svg>",
        ] {
            assert!(is_svg(good), "{good}");
        }
        for bad in
            ["", "svg", "<svgx/>", "<html><svg/></html>", "<!-- <svg/>", "<script/>", "<!DOCTYPE html><svg/>"]
        {
            assert!(!is_svg(bad), "{bad}");
        }
    }
}
