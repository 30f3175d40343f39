//! Kubernetes' label selectors.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::import::shown;

/// The labels that an object must have.
#[derive(Debug, Default)]
pub(super) struct Selector(Vec<Demand>);

#[derive(Debug)]
struct Demand {
    key: String,
    /// Whether the label must have one of the values, or none of them; `None` is any value.
    values: Option<Vec<String>>,
    is_wanted: bool,
}

impl Selector {
    /// Reads `matchLabels` and `matchExpressions`.
    ///
    /// # Errors
    /// If it is not well formed; Kubernetes refuses such a selector as well.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let mut demands = Vec::new();
        if !value.is_mapping() && !value.is_null() {
            return Err("a selector is a mapping".to_owned());
        }
        if let Some(labels) = value.get("matchLabels").filter(|labels| !labels.is_null()) {
            for (key, value) in labels.as_mapping().ok_or("`matchLabels` is no mapping")? {
                let (key, value) = key.as_str().zip(value.as_str()).ok_or("`matchLabels` holds something that is no text")?;
                demands.push(Demand { key: key.to_owned(), values: Some(vec![value.to_owned()]), is_wanted: true });
            }
        }
        if let Some(expressions) = value.get("matchExpressions").filter(|expressions| !expressions.is_null()) {
            for expression in expressions.as_sequence().ok_or("`matchExpressions` is no list")? {
                demands.push(demand(expression)?);
            }
        }
        Ok(Self(demands))
    }

    /// Says whether an object with these labels is selected.
    pub(super) fn selects(&self, labels: &BTreeMap<&str, &str>) -> bool {
        self.0.iter().all(|demand| {
            let has =
                labels.get(demand.key.as_str()).is_some_and(|label| demand.values.as_ref().is_none_or(|v| v.iter().any(|v| v == label)));
            has == demand.is_wanted
        })
    }
}

fn demand(expression: &Value) -> Result<Demand, String> {
    let text = |name| expression.get(name).and_then(Value::as_str);
    let key = text("key").ok_or("an expression has no `key`")?.to_owned();
    let values = || {
        let values = expression.get("values").and_then(Value::as_sequence).filter(|values| !values.is_empty());
        let values: Option<Vec<String>> = values.into_iter().flatten().map(|value| value.as_str().map(str::to_owned)).collect();
        values.filter(|values| !values.is_empty()).map(Some).ok_or("`In` and `NotIn` need `values`, which are texts")
    };
    Ok(match text("operator").unwrap_or_default() {
        "In" => Demand { key, values: values()?, is_wanted: true },
        "NotIn" => Demand { key, values: values()?, is_wanted: false },
        "Exists" => Demand { key, values: None, is_wanted: true },
        "DoesNotExist" => Demand { key, values: None, is_wanted: false },
        other => return Err(format!("`{}` is none of In, NotIn, Exists and DoesNotExist", shown(other))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_matched_as_kubernetes_does() {
        let labels = BTreeMap::from([("team", "a"), ("tier", "web")]);
        for (selector, expected) in [
            ("{}", Ok(true)),
            ("matchLabels: {team: a}", Ok(true)),
            ("matchLabels: {team: a, tier: db}", Ok(false)),
            ("matchLabels: {other: a}", Ok(false)),
            ("matchExpressions: [{key: team, operator: In, values: [b, a]}]", Ok(true)),
            ("matchExpressions: [{key: team, operator: In, values: [b]}]", Ok(false)),
            ("matchExpressions: [{key: other, operator: NotIn, values: [b]}]", Ok(true)),
            ("matchExpressions: [{key: team, operator: NotIn, values: [a]}]", Ok(false)),
            ("matchExpressions: [{key: tier, operator: Exists}]", Ok(true)),
            ("matchExpressions: [{key: tier, operator: DoesNotExist}]", Ok(false)),
            ("matchExpressions: [{key: other, operator: DoesNotExist}]", Ok(true)),
            ("matchExpressions: [{key: team, operator: In}]", Err(())),
            ("matchExpressions: [{key: team, operator: Is}]", Err(())),
            ("matchExpressions: [{operator: Exists}]", Err(())),
            ("matchLabels: {team: 1}", Err(())),
            ("matchLabels: [team]", Err(())),
            ("[]", Err(())),
            ("null", Ok(true)),
        ] {
            let read = Selector::read(&serde_yaml::from_str(selector).unwrap());
            assert_eq!(read.map(|read| read.selects(&labels)).map_err(|_| ()), expected, "{selector}");
        }
    }
}
