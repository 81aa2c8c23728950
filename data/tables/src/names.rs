//! Names of columns on a command line.

use std::borrow::Cow;

/// The items of `text`, which are separated by commas. One in double quotes may have commas in it, and a quote as two.
///
/// # Errors
/// If a quote is opened and never closed.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut items = Vec::new();
    let mut rest = text;
    loop {
        let mut item = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let Some((before, after)) = quoted.split_once('"') else {
                    return Err(format!(
                        "{text:?}: a quote is opened and never closed; close it"
                    ));
                };
                item += before;
                match after.strip_prefix('"') {
                    Some(after) => {
                        item.push('"');
                        quoted = after;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
        }
        let (plain, after) = match rest.split_once(',') {
            Some((plain, after)) => (plain, Some(after)),
            None => (rest, None),
        };
        items.push(item + plain);
        match after {
            Some(after) => rest = after,
            None => return Ok(items),
        }
    }
}

/// A name as [`split`] takes it.
pub(crate) fn quoted(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true => name.into(),
        false => format!("\"{}\"", name.replace('"', "\"\"")).into(),
    }
}

/// Names as the argument of an option, quoted for the shell where that is needed; empty without a name.
pub(crate) fn argument<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(quoted).collect();
    let list = names.join(",");
    if list.contains(char::is_control) {
        let escaped = list.chars().map(|c| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        });
        return format!("$'{}'", escaped.collect::<String>());
    }
    match names.iter().any(|name| name.starts_with('"')) {
        true => format!("'{}'", list.replace('\'', r"'\''")),
        false => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for names in [
            &["a"][..],
            &["a", "b c", "ä"],
            &["a,b", "\"", "", "x=y"],
            &["a\"b", ",,", "\"\"x"],
        ] {
            let list: Vec<_> = names.iter().map(|name| quoted(name)).collect();
            assert_eq!(split(&list.join(",")).unwrap(), names);
        }
        assert_eq!(
            split("\"a,b\"=INT32,c=FP64").unwrap(),
            ["a,b=INT32", "c=FP64"]
        );
        assert_eq!(split("a,,b").unwrap(), ["a", "", "b"]);
        assert!(split("a,\"b").unwrap_err().contains("never closed"));
    }

    #[test]
    fn an_argument_is_one_word_of_the_shell() {
        assert_eq!(argument(["a", "b"]), "a,b");
        assert_eq!(argument(["a b", "it's"]), r#"'"a b","it'\''s"'"#);
        assert_eq!(argument(["a\nb", "c\\d'é"]), r#"$'"a\u000ab","c\\d\'é"'"#);
        assert_eq!(argument([]), "");
    }
}
