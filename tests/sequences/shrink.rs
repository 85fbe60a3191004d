//! Making a failing sequence as short as it can be.

use crate::play::Theatre;
use crate::step::{Step, show};

/// Leaves out what does not matter, in ever smaller pieces, and says what is left.
pub(crate) async fn shrink(
    theatre: &Theatre,
    stage: u64,
    seed: u64,
    mut steps: Vec<Step>,
    first: String,
) -> String {
    let whole = steps.len();
    let mut difference = theatre.compare(stage, seed, &steps).await;
    if difference.is_none() {
        let steps = show(&steps);
        return format!("seed {seed}, at times:\n{steps}\n  differs at {first}");
    }
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + piece).min(steps.len()));
            match theatre.compare(stage, seed, &fewer).await {
                Some(still) => {
                    difference = Some(still);
                    steps = fewer;
                }
                None => at += piece,
            }
        }
        piece /= 2;
    }
    format!(
        "seed {seed}, {} of {whole} steps:\n{}\n  differs at {}",
        steps.len(),
        show(&steps),
        difference.unwrap_or_default()
    )
}
