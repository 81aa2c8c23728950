//! The ways of reading as bars.

use joinery_gpu::Device;
use report::charts::canvas::Canvas;
use report::charts::frame::{MARGIN, WIDTH, header};
use report::charts::rows::{Kind, Mark, Row, RowPanel, grid};
use report::charts::style::{MUTED, Marker, Style};
use report::charts::{csv, scale};

use super::{Clock, Lap};

/// The chart, and its data as CSV.
pub fn draw(laps: &[Lap], bytes: f64, device: &Device, clock: Clock) -> (String, String) {
    let rows = laps.iter().enumerate().map(|(place, lap)| Row {
        label: lap.what.clone(),
        marks: vec![Mark {
            value: lap.seconds.reciprocal().scaled(bytes),
            style: Style {
                colour: MUTED[place % MUTED.len()],
                marker: Marker::Disc,
                dash: None,
            },
        }],
        dots: Vec::new(),
        note: lap
            .lines
            .map_or(String::new(), |lines| format!("{lines} lines of kernels")),
    });
    let panel = RowPanel {
        title: String::new(),
        rows: rows.collect(),
        kind: Kind::Bars(0.0),
        log: false,
        axis: format!("GB of rows per {}", clock.name()),
        unit: |bytes| scale::short(bytes / 1e9),
        guides: Vec::new(),
        band: None,
    };
    let verdict = match device.is_software() {
        true => "This is a software device: its times say nothing of a GPU.",
        false => "What bounds all of them is the bus.",
    };
    let explanation = format!(
        "Rows of COPY BINARY become columns on {}, by ways of finding where rows start. {verdict}",
        device.name()
    );
    let mut canvas = Canvas::default();
    let y = header(&mut canvas, "Rows on a GPU", &explanation);
    let panels = [panel];
    let y = grid(&mut canvas, y, 1, &panels);
    (canvas.finish(WIDTH, y + MARGIN), csv::of_rows(&panels))
}
