//! As much of XML as the tests need.

/// A text element, in pixels of the picture.
#[derive(Debug, Clone)]
pub struct Text {
    pub text: String,
    pub x: f64,
    pub y: f64,
    pub anchor: String,
    pub size: f64,
    pub bold: bool,
    pub upright: bool,
}

/// One tag.
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, String)>,
    closes: bool,
    empty: bool,
}

impl Tag<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> f64 {
        self.get(name).unwrap().parse().unwrap()
    }
}

/// The text elements of a document; an error where it is not well-formed.
pub fn texts(document: &str) -> Result<Vec<Text>, String> {
    let is_illegal = |c: char| c.is_control() && !"\n\r\t".contains(c);
    if let Some(c) = document
        .chars()
        .find(|&c| is_illegal(c) || "\u{fffe}\u{ffff}".contains(c))
    {
        return Err(format!("{c:?} is no character of XML"));
    }
    let mut rest = document;
    let mut open: Vec<Tag<'_>> = Vec::new();
    let (mut texts, mut scale, mut roots) = (Vec::new(), 1.0, 0);
    while let Some(at) = rest.find('<') {
        let between = unescape(&rest[..at])?;
        let end = rest[at..].find('>').ok_or("a tag does not end")? + at;
        let tag = tag(&rest[at + 1..end])?;
        rest = &rest[end + 1..];
        if open.is_empty() {
            roots += usize::from(!tag.closes);
            if !between.trim().is_empty() {
                return Err(format!("text outside the root: {between}"));
            }
        }
        if tag.name == "svg" && !tag.closes {
            let shown = tag.get("viewBox").ok_or("no viewBox")?;
            let wide: f64 = shown.split(' ').nth(2).unwrap().parse().unwrap();
            scale = wide / tag.number("width");
        }
        if tag.closes {
            let opened = open.pop().ok_or("nothing to close")?;
            if opened.name != tag.name {
                return Err(format!("<{}> closed by </{}>", opened.name, tag.name));
            }
            if opened.name == "text" {
                texts.push(Text {
                    text: between.trim().to_owned(),
                    x: opened.number("x") / scale,
                    y: opened.number("y") / scale,
                    anchor: opened.get("text-anchor").unwrap().to_owned(),
                    size: opened.number("font-size") / scale,
                    bold: opened.get("font-weight") == Some("bold"),
                    upright: opened.get("transform").is_some(),
                });
            }
        } else if !tag.empty {
            open.push(tag);
        }
    }
    match (open.is_empty() && rest.trim().is_empty(), roots) {
        (true, 1) => Ok(texts),
        _ => Err("not one whole element".into()),
    }
}

/// Width and height of a picture in pixels.
pub fn size(svg: &str) -> (f64, f64) {
    let end = svg.find('>').unwrap();
    let root = tag(&svg[1..end]).unwrap();
    (root.number("width"), root.number("height"))
}

fn tag(inside: &str) -> Result<Tag<'_>, String> {
    let (inside, closes) = match inside.strip_prefix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let (inside, empty) = match inside.strip_suffix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        let (key, after) = rest
            .trim_start()
            .split_once("=\"")
            .ok_or(format!("attribute: {rest}"))?;
        let (value, after) = after.split_once('"').ok_or(format!("open quote: {rest}"))?;
        attributes.push((key, unescape(value)?));
        rest = after;
    }
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("tag name {name:?}"));
    }
    Ok(Tag {
        name,
        attributes,
        closes,
        empty,
    })
}

fn unescape(text: &str) -> Result<String, String> {
    const NAMED: [(&str, &str); 5] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    let mut left = text.to_owned();
    for (name, _) in NAMED {
        left = left.replace(name, "");
    }
    if left.contains('&') {
        return Err(format!("a bare & in {text:?}"));
    }
    let plain = NAMED
        .iter()
        .fold(text.to_owned(), |t, (name, c)| t.replace(name, c));
    Ok(plain)
}
