// SPDX-License-Identifier: Apache-2.0

//! Chapter 2, "The user's side", in exact fractions (PPMF-RDG-009).

use std::collections::HashSet;

use crate::fault::Fault;
use crate::int::{Fraction, Int};
use crate::profiles::Profiles;

pub struct Profile {
    /// u
    pub factors: Vec<Fraction>,
    /// a, which is 0 without biases
    pub bias: Fraction,
}

/// The profile of a user who rated some items: the row of each, and x (PPMF-RDG-001 to -003).
///
/// Let w be an item's factors as words, followed by 2^f if there are biases. With S = 2^f, the profile p solves
/// (sum of w w^T + ridge S^2) p = S (sum of w t), and 2^f_r S t = x S - b 2^f_r is an integer: so p 2^f_r solves a
/// system of integers. It is positive definite unless the profile is not determined.
pub fn profile(profiles: &Profiles, rated: &[(usize, Int)]) -> Result<Profile, Fault> {
    let (f, fr) = (profiles.frac_bits, profiles.rating_frac_bits);
    let size = profiles.rank + usize::from(profiles.bias.is_some());
    let ridge = profiles.ridge.scaled(2 * f).expect("PPMF-PAR-010");
    // Each row of the system has its right-hand side last.
    let mut system = vec![vec![Int::default(); size + 1]; size];
    for (i, row) in system.iter_mut().enumerate() {
        row[i] = ridge.clone();
    }
    for (item, x) in rated {
        let mut w = profiles.factors[*item].clone();
        w.resize(size, Int::power_of_two(f));
        let target = &(x << f) - &(&profiles.bias_of(*item) << fr);
        for (i, row) in system.iter_mut().enumerate() {
            for (entry, factor) in row.iter_mut().zip(w.iter().chain(std::iter::once(&target))) {
                *entry = &*entry + &(&w[i] * factor);
            }
        }
    }
    let mut solution =
        solve(system).ok_or_else(|| Fault::parameters("ridge is 0, but several profiles are best (PPMF-RDG-003)"))?;
    let scale = Fraction::new(&Int::from(1), &Int::power_of_two(fr));
    for value in &mut solution {
        *value = &*value * &scale;
    }
    let bias = solution.get(profiles.rank).cloned().unwrap_or_else(|| Fraction::from(Int::default()));
    solution.truncate(profiles.rank);
    Ok(Profile { factors: solution, bias })
}

/// Solves a symmetric system without negative eigenvalues, by elimination without fractions (Bareiss): after a
/// round all numbers are minors of the matrix, and the division is exact. A pivot is a leading minor, and one of 0
/// shows that the matrix has no inverse.
fn solve(mut system: Vec<Vec<Int>>) -> Option<Vec<Fraction>> {
    let size = system.len();
    let mut last = Int::from(1);
    for k in 0..size {
        if system[k][k].is_zero() {
            return None;
        }
        for i in 0..size {
            if i == k {
                continue;
            }
            for j in (k + 1)..=size {
                let minor = &(&system[i][j] * &system[k][k]) - &(&system[i][k] * &system[k][j]);
                system[i][j] = minor.div_floor(&last);
            }
        }
        last = system[k][k].clone();
    }
    Some(system.iter().map(|row| Fraction::new(&row[size], &last)).collect())
}

/// The prediction for an item, not clipped (PPMF-RDG-005).
pub fn prediction(profiles: &Profiles, profile: &Profile, item: usize) -> Fraction {
    let scale = Int::power_of_two(profiles.frac_bits);
    let mut sum = &profiles.rating_offset + &profile.bias;
    sum = &sum + &Fraction::new(&profiles.bias_of(item), &scale);
    for (factor, word) in profile.factors.iter().zip(&profiles.factors[item]) {
        sum = &sum + &(factor * &Fraction::new(word, &scale));
    }
    sum
}

/// PPMF-RDG-006
pub fn clipped(profiles: &Profiles, prediction: &Fraction) -> Fraction {
    prediction.clone().max(profiles.rating_min.clone()).min(profiles.rating_max.clone())
}

fn check_count(count: &Int) -> Result<usize, Fault> {
    if *count < Int::from(1) {
        return Err(Fault::range("a list of less than 1 item was asked for (PPMF-RDG-007 and -008)"));
    }
    // No list is longer than its items.
    Ok(count.to_i64().and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX))
}

/// Rows of the items of largest prediction among those that are not rated (PPMF-RDG-007).
pub fn top(profiles: &Profiles, profile: &Profile, rated: &[(usize, Int)], count: &Int) -> Result<Vec<usize>, Fault> {
    let count = check_count(count)?;
    let rated: HashSet<usize> = rated.iter().map(|(item, _)| *item).collect();
    let left = (0..profiles.items.len()).filter(|item| !rated.contains(item));
    let mut candidates: Vec<(Fraction, usize)> =
        left.map(|item| (prediction(profiles, profile, item), item)).collect();
    // Sorting is stable: of equal ones the lower row stays first.
    candidates.sort_by(|a, b| b.0.cmp(&a.0));
    Ok(candidates.into_iter().take(count).map(|(_, item)| item).collect())
}

/// Rows of the items nearest to an item (PPMF-RDG-008).
pub fn similar(profiles: &Profiles, item: usize, count: &Int) -> Result<Vec<usize>, Fault> {
    let count = check_count(count)?;
    let distance = |other: usize| {
        let pairs = profiles.factors[item].iter().zip(&profiles.factors[other]);
        pairs.map(|(a, b)| a - b).fold(Int::default(), |sum, difference| &sum + &(&difference * &difference))
    };
    let others = (0..profiles.items.len()).filter(|other| *other != item);
    let mut candidates: Vec<(Int, usize)> = others.map(|other| (distance(other), other)).collect();
    candidates.sort();
    Ok(candidates.into_iter().take(count).map(|(_, item)| item).collect())
}
