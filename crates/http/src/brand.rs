//! The product as its customers see it: its name, and, where the operator gives them, its colours and its logo.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Deref;

use crate::pages::assets;

/// The product as its customers see it. It reads as its name.
#[derive(Debug, Clone)]
pub struct Brand {
    name: String,
    theme: Option<String>,
    logo: Option<Logo>,
    version: String,
}

/// The colours of one scheme, each as CSS reads it: `#2a4a93`. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Palette {
    /// What is to be pressed.
    pub accent: Option<String>,
    /// Text on it.
    pub accent_ink: Option<String>,
}

/// A picture.
#[derive(Debug, Clone)]
pub struct Logo {
    /// `image/png` or `image/svg+xml`.
    pub media_type: &'static str,
    /// The file.
    pub octets: Vec<u8>,
}

impl Brand {
    /// The product of that name, with its colours and its logo.
    pub fn new(name: String, light: &Palette, dark: &Palette, logo: Option<Logo>) -> Self {
        let theme = theme(light, dark);
        let mut hasher = DefaultHasher::new();
        (assets::STYLESHEET, assets::MODULE, &theme, logo.as_ref().map(|logo| &logo.octets))
            .hash(&mut hasher);
        let version = format!("{:016x}", hasher.finish());
        Self { name, theme, logo, version }
    }

    /// The stylesheet with the operator's colours.
    pub fn theme(&self) -> Option<&str> {
        self.theme.as_deref()
    }

    /// The logo.
    pub fn logo(&self) -> Option<&Logo> {
        self.logo.as_ref()
    }

    /// Changes when any asset does: a browser may keep forever what it has got under this version.
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl Deref for Brand {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn theme(light: &Palette, dark: &Palette) -> Option<String> {
    let (light, dark) = (variables(light), variables(dark));
    if light.is_empty() && dark.is_empty() {
        return None;
    }
    Some(format!(
        ":root {{ {light}}}\n\
         @media (prefers-color-scheme: dark) {{ :root:not([data-theme=\"light\"]) {{ {dark}}} }}\n\
         :root[data-theme=\"dark\"] {{ {dark}}}\n"
    ))
}

fn variables(palette: &Palette) -> String {
    let named = [("accent", &palette.accent), ("accent-ink", &palette.accent_ink)];
    let written = |(name, colour): (&str, &Option<String>)| Some(format!("--{name}: {}; ", colour.as_ref()?));
    named.into_iter().filter_map(written).collect()
}
