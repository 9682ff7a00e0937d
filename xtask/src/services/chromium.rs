//! Debian's Chromium behind its driver.

use std::fs;
use std::path::Path;

use anyhow::Result;
use rustix::process::Signal;
use tempfile::TempDir;

use super::bound_to_us;
use crate::service::Service;

/// The browser that tests hand to the driver.
pub(crate) const PROGRAM: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";

/// Letters for the pictures: Inter, whose weights the pages use, and `DejaVu` for what it lacks.
const FONTS: [&str; 2] = ["/usr/share/fonts/opentype/inter", "/usr/share/fonts/truetype/dejavu"];

/// Inter in the place of the system's font, whatever that is on this machine.
const FONT_CHOICE: &str = r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<include>/etc/fonts/fonts.conf</include>
<alias binding="strong"><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
<alias binding="strong"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
</fontconfig>
"#;

/// Whether browser, driver and the fonts for its pictures are there.
pub(crate) fn is_present() -> bool {
    [PROGRAM, DRIVER].iter().chain(&FONTS).all(|path| Path::new(path).exists())
}

/// A running driver; it starts a browser for every test.
pub(crate) struct Chromedriver {
    port: u16,
    _service: Service,
    // Killed browsers leave their folders here. Removed after the driver: fields are dropped in this order.
    _directory: TempDir,
}

impl Chromedriver {
    /// Starts the driver on a port that it chooses itself.
    pub(crate) fn start(scratch: &Path) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("browser").tempdir_in(scratch)?;
        let mut command = bound_to_us("TERM", None, DRIVER);
        let fonts = directory.path().join("fonts.conf");
        fs::write(&fonts, FONT_CHOICE)?;
        command.arg("--port=0").env("TMPDIR", directory.path()).env("FONTCONFIG_FILE", fonts);
        let (service, port) = Service::start("chromedriver", command, Signal::TERM, |lines| {
            lines.iter().find_map(|line| port_in(line))
        })?;
        Ok(Self { port, _service: service, _directory: directory })
    }

    /// Where tests open their browsers.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn port_in(line: &str) -> Option<u16> {
    line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_names_its_port() {
        assert_eq!(port_in("ChromeDriver was started successfully on port 41233."), Some(41233));
        assert_eq!(port_in("Starting ChromeDriver 156.0 on port 0"), None);
    }

    #[test]
    fn the_driver_is_ready_when_it_was_started() {
        if !is_present() {
            eprintln!("skipped: Chromium is absent");
            return;
        }
        let scratch = tempfile::tempdir().unwrap();
        let driver = Chromedriver::start(scratch.path()).unwrap();
        let answer = crate::http::get(&format!("{}/status", driver.url()), None).unwrap();
        assert_eq!(answer.status, 200);
        assert!(String::from_utf8_lossy(&answer.body).contains("\"ready\":true"));
    }
}
