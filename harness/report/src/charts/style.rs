//! Colour, marker and dash of a variant, the same in every chart of a run.

use std::collections::BTreeMap;

use super::canvas::{Canvas, Colour, Dash};
use crate::summary::engine;

/// Okabe and Ito's palette, told apart with the common kinds of colour blindness. A brown stands
/// for its yellow, which a white page swallows.
const COLOURS: [Colour; 8] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (120, 40, 140),
    (122, 74, 38),
];

/// Greys, which no variant has: one an engine.
const PEERS: [Colour; 3] = [(20, 20, 20), (105, 105, 105), (160, 160, 160)];

/// Paul Tol's muted palette, and three more, for things that are not variants (phases, schemes).
pub const MUTED: [Colour; 12] = [
    (51, 34, 136),
    (136, 204, 238),
    (68, 170, 153),
    (221, 204, 119),
    (204, 102, 119),
    (17, 119, 51),
    (170, 68, 153),
    (153, 153, 51),
    (136, 34, 85),
    (230, 159, 0),
    (85, 85, 85),
    (102, 153, 204),
];

/// Time that no phase accounts for.
pub const REST: Colour = (221, 221, 221);

/// Less time.
pub const FASTER: Colour = COLOURS[0];
/// More time.
pub const SLOWER: Colour = COLOURS[1];

/// The outline of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// ●
    Disc,
    /// ■
    Square,
    /// ▲
    Up,
    /// ◆
    Diamond,
    /// ▼
    Down,
    /// ✖
    Cross,
    /// ✚
    Plus,
    /// ★, for peers only.
    Star,
    /// ☆, for the further settings of a peer.
    HollowStar,
}

/// As many as share no divisor with the colours: stepping through both at once, 56 variants
/// pass before a pair of colour and marker comes again.
const MARKERS: [Marker; 7] = [
    Marker::Disc,
    Marker::Square,
    Marker::Up,
    Marker::Diamond,
    Marker::Down,
    Marker::Cross,
    Marker::Plus,
];

/// A new one each time the colours are used up.
const DASHES: [Dash; 4] = [None, Some((7.0, 3.0)), Some((2.0, 3.0)), Some((11.0, 4.0))];

/// How a variant looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Of marker and line.
    pub colour: Colour,
    /// On points.
    pub marker: Marker,
    /// Of lines.
    pub dash: Dash,
}

/// The looks of all variants of a run.
#[derive(Debug)]
pub struct Styles(BTreeMap<String, Style>);

impl Styles {
    /// Gives colours, markers and dashes by the order of names. Peers get grey stars: an engine has one grey, hollow
    /// where a ` +` in its name tells of a setting.
    pub fn new<'a>(variants: impl Iterator<Item = &'a str>, peers: &[&str]) -> Self {
        let (mut own, mut others): (Vec<&str>, Vec<&str>) =
            variants.partition(|name| !peers.contains(name));
        own.sort_unstable();
        others.sort_unstable();
        let own = own.into_iter().enumerate().map(|(i, name)| {
            let style = Style {
                colour: COLOURS[i % COLOURS.len()],
                marker: MARKERS[i % MARKERS.len()],
                dash: DASHES[i / COLOURS.len() % DASHES.len()],
            };
            (name, style)
        });
        let mut engines: Vec<&str> = Vec::new();
        let others: Vec<(&str, Style)> = others
            .into_iter()
            .map(|name| {
                let (engine, set) = match name.split_once(" +") {
                    Some((engine, _)) => (engine, true),
                    None => (name, false),
                };
                if engines.last() != Some(&engine) {
                    engines.push(engine);
                }
                let (marker, dash) = match set {
                    true => (Marker::HollowStar, (3.0, 3.0)),
                    false => (Marker::Star, (9.0, 2.0)),
                };
                let style = Style {
                    colour: PEERS[(engines.len() - 1) % PEERS.len()],
                    marker,
                    dash: Some(dash),
                };
                (name, style)
            })
            .collect();
        Self(own.chain(others).map(|(n, s)| (n.to_owned(), s)).collect())
    }

    /// How `variant` looks.
    pub fn of(&self, variant: &str) -> Style {
        let of_engine = || self.0.iter().find(|(name, _)| engine(name) == variant);
        let found = self.0.get(variant).or_else(|| Some(of_engine()?.1));
        found.copied().unwrap_or(Style {
            colour: super::canvas::GREY,
            marker: Marker::Disc,
            dash: None,
        })
    }
}

/// Draws a marker of about 9 pixels.
pub fn mark(canvas: &mut Canvas, x: f64, y: f64, style: Style) {
    let colour = style.colour;
    let mut shape = |points: &[(f64, f64)]| {
        let points = points.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        canvas.polygon(points, colour);
    };
    match style.marker {
        Marker::Disc => canvas.disc(x, y, 4.0, colour),
        Marker::Square => canvas.rect(x - 3.5, y - 3.5, 7.0, 7.0, colour),
        Marker::Up => shape(&[(0.0, -4.75), (4.5, 3.25), (-4.5, 3.25)]),
        Marker::Down => shape(&[(0.0, 4.75), (4.5, -3.25), (-4.5, -3.25)]),
        Marker::Diamond => shape(&[(0.0, -5.0), (4.5, 0.0), (0.0, 5.0), (-4.5, 0.0)]),
        Marker::Cross => {
            for slope in [1.0, -1.0] {
                let ends = [(x - 3.5, y - 3.5 * slope), (x + 3.5, y + 3.5 * slope)];
                canvas.line(&ends, colour, 2.25, None);
            }
        }
        Marker::Plus => {
            canvas.rect(x - 4.5, y - 1.25, 9.0, 2.5, colour);
            canvas.rect(x - 1.25, y - 4.5, 2.5, 9.0, colour);
        }
        Marker::Star => shape(&star(1.0)),
        Marker::HollowStar => {
            shape(&star(1.1));
            let hole = star(0.55).into_iter().map(|(dx, dy)| (x + dx, y + dy));
            canvas.polygon(hole.collect(), (255, 255, 255));
        }
    }
}

/// The corners of a star of 12 pixels, scaled.
fn star(scale: f64) -> Vec<(f64, f64)> {
    let corner = |i: u32| {
        let radius = scale * if i.is_multiple_of(2) { 6.0 } else { 2.5 };
        let angle = f64::from(i) * std::f64::consts::PI / 5.0;
        (radius * angle.sin(), -radius * angle.cos())
    };
    (0..10).map(corner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_variants_all_look_different() {
        let names: Vec<String> = (0..50).map(|i| format!("v{i:02}")).collect();
        let styles = Styles::new(names.iter().map(String::as_str), &[]);
        for (i, a) in names.iter().enumerate() {
            for b in &names[..i] {
                assert_ne!(styles.of(a), styles.of(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn an_engine_has_one_grey_and_its_settings_a_marker() {
        let peers = ["b 2", "b 2 +huge-pages", "a 1", "c 3", "a 1 +huge-pages"];
        let styles = Styles::new(peers.into_iter().chain(["radix"]), &peers);
        let of = |name| styles.of(name);
        assert_eq!(of("a 1").colour, of("a 1 +huge-pages").colour);
        let mut greys: Vec<Colour> = ["a 1", "b 2", "c 3"].map(|name| of(name).colour).into();
        greys.dedup();
        assert_eq!(greys, PEERS);
        for (i, a) in peers.iter().enumerate() {
            assert!(!COLOURS.contains(&of(a).colour));
            assert!(peers[..i].iter().all(|b| of(a) != of(b)), "{a}");
        }
    }

    #[test]
    fn looks_do_not_depend_on_the_order_of_records() {
        let of = |names: [&str; 3]| Styles::new(names.into_iter(), &["duckdb"]).of("radix");
        assert_eq!(
            of(["radix", "duckdb", "serial"]),
            of(["serial", "radix", "duckdb"])
        );
    }
}
