//! `index.html`: findings first, then the charts, then what they rest on.

use super::{Drawn, disturbed, tables};
use crate::charts::{Chart, LeftOut, scale, threads_text};
use crate::html::{STYLE, escape, shell_word};
use crate::record::{ONCE, PLAN, Run, SQL, WorkloadRecord};
use crate::summary::Summary;
use crate::table::Table;

const METHOD: &str = include_str!("method.html");
const GLOSSARY: &str = include_str!("glossary.html");

/// The whole page.
pub fn page(run: &Run, drawn: &Drawn) -> String {
    let mut page = Page(String::new());
    page.head(run);
    page.noise_verdict(&drawn.summary);
    page.findings(run, drawn);
    page.section("Charts");
    page.push(&figures(&drawn.charts));
    if let Some(once) = &drawn.once {
        let charts = figures(&drawn.once_charts);
        page.titled("Whole plans, each once", super::plans::ONCE, &charts);
        page.push(&super::plans::once_tables(once, drawn.plans.as_ref()));
    }
    if let Some(plans) = &drawn.plans {
        let charts = figures(&drawn.plan_charts);
        page.titled("Whole plans", super::plans::INTRODUCTION, &charts);
        page.push(&super::plans::tables(plans));
    }
    if let Some(queries) = &drawn.queries {
        let charts = figures(&drawn.query_charts);
        page.titled("Queries", super::plans::QUERIES, &charts);
        page.push(&super::plans::query_tables(queries));
    }
    if let Some((joins, summary)) = &drawn.joins {
        page.joins(joins, summary);
    }
    let summary = &drawn.summary;
    page.titled(
        "Failures",
        failure_text(summary),
        &tables::failures(summary),
    );
    page.noise(summary);
    page.section("Method");
    page.push(METHOD);
    page.titled("Machine and build", "", &tables::environment(run));
    page.titled(
        "What this machine's memory can do",
        "<p>All threads together.</p>",
        &tables::limits(run),
    );
    page.again(run);
    page.section("How to read the charts");
    page.push(GLOSSARY);
    page.titled("Workloads", "", &tables::workloads(run));
    page.titled("Variants", "", &tables::variants(run));
    if let Some((joins, summary)) = &drawn.joins {
        page.effects(joins, summary);
    }
    page.every_result(run, summary);
    page.push("</main></body></html>\n");
    page.0
}

fn most_threads(summary: &Summary) -> u32 {
    summary.results.iter().map(|r| r.threads).max().unwrap_or(1)
}

fn failure_text(summary: &Summary) -> &'static str {
    if summary.failures.is_empty() {
        "<p>None: every answer was right.</p>"
    } else {
        "<p>A cell with a wrong answer stands here and in no chart.</p>"
    }
}

/// Charts one below the other, or why they are missing.
fn figures(charts: &[Result<Chart, LeftOut>]) -> String {
    let figures = charts.iter().map(|chart| match chart {
        Ok(chart) => format!(
            "<figure id=\"{}\" aria-label=\"{}\">\n{}<figcaption><b>{}</b> {} \
             <a href=\"{}.svg\">SVG</a>, <a href=\"{}.csv\">data</a></figcaption></figure>\n",
            chart.name,
            escape(&chart.title),
            chart.svg,
            escape(&chart.finding),
            escape(chart.reading),
            chart.name,
            chart.name,
        ),
        Err(LeftOut { title, reason }) => format!(
            "<p class=\"quiet\"><b>{}</b> is left out: {}.</p>\n",
            escape(title),
            escape(reason)
        ),
    });
    figures.collect()
}

/// A link to each chart, and what it says.
fn findings<'a>(charts: impl Iterator<Item = &'a Chart>) -> String {
    let findings = charts.map(|chart| {
        format!(
            "<li><a href=\"#{}\">{}</a>: {}</li>\n",
            chart.name,
            escape(&chart.title),
            escape(&chart.finding)
        )
    });
    findings.collect()
}

struct Page(String);

impl Page {
    fn push(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn section(&mut self, title: &str) {
        self.push(&format!("<h2>{}</h2>\n", escape(title)));
    }

    /// A section, left out where it would be empty.
    fn titled(&mut self, title: &str, text: &str, table: &str) {
        if !text.is_empty() || !table.is_empty() {
            self.section(title);
            self.push(text);
            self.push("\n");
            self.push(table);
        }
    }

    /// A table with what it says, left out where it is empty.
    fn explained(&mut self, title: &str, text: &str, table: &Table) {
        let table = table.html();
        self.titled(title, if table.is_empty() { "" } else { text }, &table);
    }

    fn head(&mut self, run: &Run) {
        let id = escape(&run.run.id);
        self.push(&format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Joinery run {id}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n\
             <h1>Joinery run {id}</h1>\n"
        ));
        let e = &run.run.environment;
        self.push(&format!(
            "<p class=\"quiet\">{} · {} sizes · seed {} · {}, {} cores · revision {}{}</p>\n",
            escape(&run.run.started),
            run.run.size,
            run.run.seed,
            escape(&e.cpu),
            e.cores,
            escape(&e.commit),
            if e.dirty { " with changes" } else { "" },
        ));
        if !run.complete {
            self.push(
                "<p class=\"warning\">This run was interrupted: what follows is what had been \
                 measured by then. <code>--resume</code> goes on from there.</p>\n",
            );
        }
        if !e.optimised {
            self.push(
                "<p class=\"warning\">This build was not optimised: its times mean nothing.</p>\n",
            );
        }
    }

    fn findings(&mut self, run: &Run, drawn: &Drawn) {
        self.section("Findings");
        self.push("<ul>\n");
        self.push(&findings(drawn.charts()));
        if let Some(found) = &drawn.summary.disturbance {
            let sentence = disturbed::sentence(found);
            self.push(&format!("<li>Disturbances: {sentence}.</li>\n"));
        }
        for note in &run.notes {
            self.push(&format!("<li>{}</li>\n", escape(note)));
        }
        self.push("</ul>\n");
    }

    fn joins(&mut self, run: &Run, summary: &Summary) {
        self.explained(
            "Times over the fastest",
            "<p>The fastest of a workload with its time, the others as multiples of it, each at its best number of threads.</p>",
            &tables::overview(run, summary),
        );
        self.explained(
            "The fastest variant against other engines",
            "<p>Time of the engine over time of the variant, paired within rounds: each side at the number of threads and \
             with the setting that has the least median on the workload. Bold: the fastest engine.</p>",
            &tables::engines(summary),
        );
    }

    fn effects(&mut self, run: &Run, summary: &Summary) {
        self.explained(
            &format!("Every effect, {}", threads_text(most_threads(summary))),
            "<p>Time with the setting over time with the default. Bold: beyond the noise.</p>",
            &tables::ablations(run, summary),
        );
    }

    fn every_result(&mut self, run: &Run, summary: &Summary) {
        self.section("Every result");
        self.push("<p>In full in <a href=\"summary.json\">summary.json</a>.</p>\n");
        // Every plan stands in a table of its own.
        let is_plan = |w: &&WorkloadRecord| [PLAN, ONCE, SQL].contains(&&*w.experiment);
        for workload in run.workloads.iter().filter(|w| !is_plan(w)) {
            let table = tables::results(summary, &workload.name);
            if !table.is_empty() {
                self.push(&format!(
                    "<details><summary>{}</summary>\n{table}</details>\n",
                    escape(&workload.name)
                ));
            }
        }
    }

    fn noise_verdict(&mut self, summary: &Summary) {
        let noise = &summary.noise_floor;
        let class = if noise.quiet { "quiet" } else { "warning" };
        self.push(&format!(
            "<p class=\"{class}\">{}</p>\n",
            escape(&noise.verdict())
        ));
    }

    fn noise(&mut self, summary: &Summary) {
        let text = match summary.noise_floor.floor {
            None => "<p>This run has no control.</p>".to_owned(),
            Some(floor) => format!(
                "<p>One variant was measured under two names, A and A', in the same rounds as \
                 everything else. The truth of their ratio is 1; a control's floor is how far the \
                 95 % interval of that ratio reaches from 1. The run's floor is the median of \
                 them, {}. A verdict uses the floor of its own workload where there is one.</p>",
                scale::percent(floor)
            ),
        };
        self.titled("Noise floor", &text, &tables::controls(summary).html());
        let found = summary.disturbance.as_ref();
        let table = found.map_or(String::new(), disturbed::verdicts);
        if !table.is_empty() {
            self.push("<h2 id=\"disturbed\">Verdicts that depend on disturbed samples</h2>\n");
            self.push(&table);
        }
    }

    fn again(&mut self, run: &Run) {
        let words: Vec<String> = run.run.command.iter().map(|w| shell_word(w)).collect();
        let environment = &run.run.environment;
        let changed = match environment.dirty {
            true => {
                "<p>The tree had changes beside that revision, so what was measured cannot be had again exactly.</p>\n"
            }
            false => "",
        };
        self.section("How to run it again");
        self.push(&format!(
            "<pre>git checkout {}\ncargo run -p harness -- {}</pre>\n{changed}\
             <p>The pages and charts of this run are drawn again from its samples alone with:</p>\n\
             <pre>cargo run -p harness -- report {}</pre>\n",
            escape(&shell_word(&environment.commit)),
            escape(&words.join(" ")),
            escape(&shell_word(&folder(run))),
        ));
    }
}

/// Where the run was put, as the command line says.
fn folder(run: &Run) -> String {
    let mut words = run.run.command.iter();
    while let Some(word) = words.next() {
        for option in ["--out", "--resume"] {
            let named = word
                .strip_prefix(option)
                .and_then(|rest| rest.strip_prefix('='));
            if let Some(folder) = named.map(str::to_owned).or_else(|| {
                let next = || words.clone().next().cloned();
                (word == option).then(next).flatten()
            }) {
                return folder;
            }
        }
    }
    format!("reports/{}", run.run.id)
}
