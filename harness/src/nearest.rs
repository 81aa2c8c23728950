//! Names that a person may have meant.

/// The names among `candidates` that are nearest to `name`, best first, at most three; none where nothing is near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    /// Similarity below which a suggestion would puzzle more than help.
    const NEAR: f64 = 0.7;
    let name = name.to_lowercase();
    let mut near: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let other = candidate.to_lowercase();
            let part = !name.is_empty() && (other.contains(&name) || name.contains(&other));
            let similarity = strsim::jaro_winkler(&name, &other);
            (
                if part {
                    similarity.max(0.9)
                } else {
                    similarity
                },
                candidate,
            )
        })
        .filter(|&(similarity, _)| similarity >= NEAR)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// The middle of an error message: `; did you mean a, b?`, or nothing where nothing is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(name, candidates).as_slice() {
        [] => String::new(),
        names => format!("; did you mean {}?", names.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = [
        "pk-fk-1m",
        "pk-fk-16m",
        "zipf-16m",
        "heavy-hitter",
        "ladder",
    ];

    #[test]
    fn a_slip_finds_its_name_first() {
        for (slip, name) in [
            ("pk-fk16m", "pk-fk-16m"),
            ("zipf", "zipf-16m"),
            ("heavyhitter", "heavy-hitter"),
            ("LADER", "ladder"),
        ] {
            assert_eq!(nearest(slip, NAMES).first(), Some(&name), "{slip}");
        }
    }

    #[test]
    fn nothing_near_is_nothing_said() {
        assert_eq!(nearest("quux", NAMES), [""; 0]);
        assert_eq!(did_you_mean("quux", NAMES), "");
        assert_eq!(did_you_mean("zipf-16", NAMES), "; did you mean zipf-16m?");
    }
}
