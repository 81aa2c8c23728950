//! A neighbour that burns a processor now and then: `neighbour SECONDS [BUSY IDLE]`. For measuring what disturbances do to
//! times, and whether they are found.

use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let words = std::env::args().skip(1);
    let seconds: Option<Vec<Duration>> = words
        .map(|word| Duration::try_from_secs_f64(word.parse().ok()?).ok())
        .collect();
    let (all, busy, idle) = match seconds.as_deref() {
        Some(&[all]) => (all, Duration::from_millis(100), Duration::from_millis(400)),
        Some(&[all, busy, idle]) => (all, busy, idle),
        _ => {
            eprintln!(
                "usage: neighbour SECONDS [BUSY IDLE], how long in all, at work, and idle, by turns"
            );
            return ExitCode::from(2);
        }
    };
    let start = Instant::now();
    while start.elapsed() < all {
        let turn = Instant::now();
        while turn.elapsed() < busy {
            std::hint::spin_loop();
        }
        std::thread::sleep(idle);
    }
    ExitCode::SUCCESS
}
