//! Remarks of many objects, brought together.

use std::collections::HashMap;

use super::Remark;

/// Brings remarks that say the same of several objects together.
pub(super) fn gathered(remarks: Vec<Remark>) -> Vec<Remark> {
    /// How many objects are named; more are counted.
    const NAMED: usize = 8;
    let mut groups: Vec<(Remark, usize)> = Vec::new();
    let mut places = HashMap::new();
    for remark in remarks {
        let key = (remark.severity as u8, remark.field.clone(), remark.reason.clone(), remark.instead.clone());
        match places.get(&key).and_then(|&at: &usize| groups.get_mut(at)) {
            Some((first, number)) => {
                if *number < NAMED {
                    first.object = format!("{}, {}", first.object, remark.object);
                }
                *number += 1;
            }
            None => {
                places.insert(key, groups.len());
                groups.push((remark, 1));
            }
        }
    }
    let named = |(remark, number): (Remark, usize)| match number.checked_sub(NAMED).filter(|more| *more > 0) {
        Some(more) => Remark { object: format!("{} and {more} more", remark.object), ..remark },
        None => remark,
    };
    groups.into_iter().map(named).collect()
}
