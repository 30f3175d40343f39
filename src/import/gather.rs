//! Remarks of many objects, brought together.

use std::collections::{HashMap, HashSet};

use super::Remark;

/// How many objects are named; more are counted.
const NAMED: usize = 8;

/// Brings remarks that say the same of several objects together.
pub(super) fn gathered(remarks: Vec<Remark>) -> Vec<Remark> {
    let mut groups: Vec<(Remark, Vec<String>)> = Vec::new();
    let (mut places, mut said) = (HashMap::new(), HashSet::new());
    for remark in remarks {
        let key = (remark.severity as u8, remark.field.clone(), remark.reason.clone(), remark.instead.clone());
        let place = *places.entry(key).or_insert(groups.len());
        let is_new = said.insert((place, remark.object.clone()));
        let object = remark.object.clone();
        match groups.get_mut(place) {
            Some((_, objects)) if is_new => objects.push(object),
            Some(_) => {}
            None => groups.push((remark, vec![object])),
        }
    }
    groups.into_iter().map(|(remark, objects)| Remark { object: named(&objects), ..remark }).collect()
}

/// Names the first of many, and counts the others.
pub(super) fn named(names: &[String]) -> String {
    let mut text = names.get(..names.len().min(NAMED)).unwrap_or_default().join(", ");
    if let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
