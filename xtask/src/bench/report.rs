//! Samples into the table that people read.

use std::fmt::Write as _;

use super::load::Sample;

/// The sum of the rounds of one program under one load.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    rounds: f64,
    requests: f64,
    seconds: f64,
    cpu_seconds: f64,
    p50_milliseconds: f64,
    p99_milliseconds: f64,
}

impl Measured {
    pub(crate) fn add(&mut self, sample: &Sample) {
        self.rounds += 1.0;
        self.requests += sample.requests;
        self.seconds += sample.seconds;
        self.cpu_seconds += sample.cpu_seconds;
        self.p50_milliseconds += sample.p50_milliseconds;
        self.p99_milliseconds += sample.p99_milliseconds;
    }

    fn cpu_microseconds(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.requests
    }

    fn requests_per_second(&self) -> f64 {
        self.requests / self.seconds
    }
}

/// Server and reference under one load.
pub(crate) struct Row {
    pub(crate) load: String,
    pub(crate) reference: (&'static str, Measured),
    pub(crate) server: Measured,
}

/// The table in Markdown; percentiles are the mean of the rounds'.
pub(crate) fn table(name: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "`cargo xtask bench {name}`\n\n\
         | load | program | CPU µs/request | requests/s | p50 ms | p99 ms | CPU ratio | throughput ratio |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    for Row { load, reference: (reference_name, reference), server } in rows {
        line(&mut text, load, reference_name, reference, reference);
        line(&mut text, load, "claviger", server, reference);
    }
    text
}

fn line(text: &mut String, load: &str, program: &str, measured: &Measured, reference: &Measured) {
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "| {load} | {program} | {:.1} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} |",
        measured.cpu_microseconds(),
        measured.requests_per_second(),
        measured.p50_milliseconds / measured.rounds,
        measured.p99_milliseconds / measured.rounds,
        measured.cpu_microseconds() / reference.cpu_microseconds(),
        measured.requests_per_second() / reference.requests_per_second(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_reference_of_the_same_load() {
        let measured = |requests, cpu_seconds| {
            let mut measured = Measured::default();
            let sample =
                Sample { requests, seconds: 2.0, cpu_seconds, p50_milliseconds: 0.5, p99_milliseconds: 1.5 };
            measured.add(&sample);
            measured.add(&sample);
            measured
        };
        let row = Row {
            load: "SQLite, uniform, 16 clients".to_owned(),
            reference: ("bare axum", measured(200_000.0, 1.4)),
            server: measured(100_000.0, 1.05),
        };
        let table = table("token-read", &[row]);
        let lines: Vec<&str> = table.lines().skip(4).collect();
        assert_eq!(
            lines,
            [
                "| SQLite, uniform, 16 clients | bare axum | 7.0 | 100000 | 0.50 | 1.50 | 1.00 | 1.00 |",
                "| SQLite, uniform, 16 clients | claviger | 10.5 | 50000 | 0.50 | 1.50 | 1.50 | 0.50 |"
            ]
        );
    }
}
