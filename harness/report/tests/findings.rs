//! The tables of `docs/findings` are those of the committed runs.

use std::path::Path;

use report::findings::rewrite;
use report::record::read_run;

#[test]
fn the_findings_say_what_the_committed_runs_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = 0;
    for run in [
        "reference",
        "reference-full",
        "plans-reference",
        "joins-reference",
        "cluster",
    ] {
        let name = format!("reports/{run}");
        let run = read_run(&root.join(&name)).unwrap();
        for entry in std::fs::read_dir(root.join("docs/findings")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|kind| kind != "md") {
                continue;
            }
            let page = std::fs::read_to_string(&path).unwrap();
            let found = rewrite(&page, &run, |folder| folder == name).unwrap();
            assert!(
                found == page,
                "{}: run `harness report {name} --findings`",
                path.display()
            );
            pages += usize::from(page.contains(&format!(" {name} -->")));
        }
    }
    assert!(pages >= 5, "{pages}");
}
