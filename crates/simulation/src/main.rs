//! `cargo xtask simulate`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use claviger_simulation::report::{Plan, Sum, head, row, run, tell};
use claviger_simulation::{Cause, Class, Mode, Sabotage, UNEXPECTED, table};

const USAGE: &str = "\
usage: cargo xtask simulate [--trials N] [--seed N] [--class CLASS]… [--mode MODE]… [--sabotage STEP] [--stalls long]
                            [--only-seed N] [--write FILE]

classes: a b b_until_use c c_family c_kills_access
modes:   spool commit
steps:   spool gate reread verdict sweep";

const BEGIN: &str = "<!-- simulation:begin -->";
const END: &str = "<!-- simulation:end -->";

struct Options {
    trials: u64,
    seed: u64,
    classes: Vec<Class>,
    modes: Vec<Mode>,
    sabotage: Option<Sabotage>,
    sleepy: bool,
    only: Option<u64>,
    write: Option<String>,
}

impl Options {
    fn plans(&self) -> impl Iterator<Item = Plan> {
        let (trials, seed, sleepy, sabotage) = (self.trials, self.seed, self.sleepy, self.sabotage);
        let cells = self.classes.iter().flat_map(|class| self.modes.iter().map(|mode| (*class, *mode)));
        cells.map(move |(class, mode)| Plan { class, mode, trials, seed, sleepy, sabotage })
    }
}

fn main() -> ExitCode {
    match options().and_then(|options| simulate(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options> {
    let (trials, seed, sabotage, only, write) = (1_000_000, 1, None, None, None);
    let mut options =
        Options { trials, seed, classes: vec![], modes: vec![], sabotage, sleepy: false, only, write };
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value\n\n{USAGE}"))?;
        let number = || value.parse::<u64>().with_context(|| format!("{name} takes a number, not {value}"));
        let unknown = || format!("{name} {value} is unknown\n\n{USAGE}");
        match name.as_str() {
            "--trials" => options.trials = number()?,
            "--seed" => options.seed = number()?,
            "--only-seed" => options.only = Some(number()?),
            "--class" => options.classes.push(Class::from_word(&value).with_context(unknown)?),
            "--mode" => {
                let mode = Mode::ALL.into_iter().find(|mode| mode.word() == value);
                options.modes.push(mode.with_context(unknown)?);
            }
            "--sabotage" => {
                options.sabotage = Some(match value.as_str() {
                    "spool" => Sabotage::SkipSpool,
                    "gate" => Sabotage::SkipLeaseGate,
                    "reread" => Sabotage::SkipReread,
                    "verdict" => Sabotage::FirstRefusalIsFinal,
                    "sweep" => Sabotage::LateSweep,
                    _ => bail!(unknown()),
                });
            }
            "--stalls" if value == "long" => options.sleepy = true,
            "--write" => options.write = Some(value),
            _ => bail!(unknown()),
        }
    }
    if options.classes.is_empty() {
        options.classes = Class::ALL.to_vec();
    }
    if options.modes.is_empty() {
        options.modes = Mode::ALL.to_vec();
    }
    Ok(options)
}

/// Runs what was asked for; `false` when something was lost that need not have been.
fn simulate(options: &Options) -> Result<bool> {
    let plans: Vec<Plan> = options.plans().collect();
    if let Some(seed) = options.only {
        let [plan] = plans.as_slice() else { bail!("--only-seed wants one --class and one --mode") };
        let (end, avoidable) = tell(plan, seed);
        println!("{} {} {seed}: {end}", plan.class.word(), plan.mode.word());
        return Ok(!avoidable);
    }
    let is_whole = plans.len() == Class::ALL.len() * Mode::ALL.len() && options.sabotage.is_none();
    if options.write.is_some() && (!is_whole || options.sleepy) {
        bail!("--write wants all classes, all modes, no sabotage and short stalls: the table is for readers");
    }
    let directed = table();
    let mut random = head();
    print!("{directed}\n{random}");
    let mut notes = String::new();
    let mut findings = 0;
    for plan in &plans {
        let sum = run(plan);
        let line = row(plan, &sum);
        print!("{line}");
        random.push_str(&line);
        notes.push_str(&seeds(plan, &sum));
        findings += sum.findings();
    }
    eprint!("{notes}");
    if let Some(path) = &options.write {
        write(path, &directed, &random, options)?;
    }
    Ok(findings == 0 && !directed.contains(UNEXPECTED))
}

/// A line for each cause, with a seed that shows it, and one for each finding.
fn seeds(plan: &Plan, sum: &Sum) -> String {
    let cell = format!("{} {}", plan.class.word(), plan.mode.word());
    let mut text = String::new();
    for (cause, example) in Cause::ALL.iter().zip(sum.examples) {
        if let Some((_, seed)) = example {
            let _ = writeln!(text, "{cell}: {}: --only-seed {seed}", cause.word());
        }
    }
    if sum.findings() > 0 {
        let seeds: Vec<u64> = sum.seeds.iter().map(|(_, seed)| *seed).collect();
        let (broken, stuck, panics) = (sum.wrongly_broken, sum.stuck, sum.panics);
        let _ = writeln!(
            text,
            "{cell}: {broken} wrongly broken, {stuck} stuck, {panics} panics: seeds {seeds:?}"
        );
    }
    if let Some((_, seed)) = sum.hasty {
        let _ = writeln!(text, "{cell}: {} marked as broken too early: --only-seed {seed}", sum.hasty_marks);
    }
    text
}

/// Puts the tables between the marks of a document.
fn write(path: &str, directed: &str, random: &str, options: &Options) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{path} has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{path} has no line {END}"))?;
    let (trials, seed) = (options.trials, options.seed);
    let text = format!(
        "{before}{BEGIN}\n\nOne failure at one step, by the row of the failure table:\n\n{directed}\n{trials} random trials a \
         row, seed {seed}, with rates that are exaggerated so that\nevery failure is met; losses by their cause, each out of \
         100 000 trials of four refreshes, and the avoidable ones in all:\n\n{random}\n{END}{after}"
    );
    fs::write(path, text).with_context(|| format!("writing {path}"))
}
