//! Merging values as Helm does: maps deep, lists replaced, null deletes.

use serde_json::{Map, Value};

/// Lays one set of a user's values over another; a null stays, so that it can delete a default later.
///
/// This is what Helm does between value files.
pub fn overlay(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => overlay(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Lays a user's values over defaults; a null deletes the default.
///
/// This is what Helm does between a chart's values and the user's. A null where there is no default stays null.
#[must_use]
pub fn merge(defaults: Value, over: Value) -> Value {
    match (defaults, over) {
        (Value::Object(defaults), Value::Object(over)) => Value::Object(merge_maps(defaults, over)),
        (_, over) => over,
    }
}

fn merge_maps(mut defaults: Map<String, Value>, over: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in over {
        let default = defaults.shift_remove(&key).unwrap_or(Value::Null);
        let merged = match (default, value) {
            (Value::Null, value) => value,
            (_, Value::Null) => continue,
            (default, value) => merge(default, value),
        };
        defaults.insert(key, merged);
    }
    defaults
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_merge_deep_and_lists_are_replaced() {
        let defaults = json!({"a": {"x": 1, "y": [1, 2]}, "b": 1});
        let over = json!({"a": {"y": [3]}, "c": 2});
        assert_eq!(merge(defaults, over), json!({"a": {"x": 1, "y": [3]}, "b": 1, "c": 2}));
    }

    #[test]
    fn null_deletes_a_default_at_any_depth() {
        let defaults = json!({"a": {"x": 1, "y": 2}, "b": {"z": 1}});
        assert_eq!(merge(defaults, json!({"a": {"x": null}, "b": null})), json!({"a": {"y": 2}}));
    }

    #[test]
    fn null_without_a_default_stays() {
        assert_eq!(merge(json!({"a": {}}), json!({"a": {"x": null}, "b": null})), json!({"a": {"x": null}, "b": null}));
    }

    #[test]
    fn false_zero_and_the_empty_string_win_over_a_default() {
        let defaults = json!({"a": true, "b": 1, "c": "x", "d": {"e": true}});
        let over = json!({"a": false, "b": 0, "c": "", "d": {"e": false}});
        assert_eq!(merge(defaults, over.clone()), over);
    }

    #[test]
    fn a_users_map_wins_over_a_scalar_and_the_other_way_round() {
        assert_eq!(
            merge(json!({"a": 1, "b": {"c": 1}}), json!({"a": {"x": 1}, "b": 2})),
            json!({"a": {"x": 1}, "b": 2})
        );
    }

    #[test]
    fn a_later_file_undoes_the_null_of_an_earlier_one() {
        let mut user = json!({"a": null}).as_object().cloned().unwrap();
        overlay(&mut user, json!({"a": {"y": 3}}).as_object().cloned().unwrap());
        assert_eq!(merge(json!({"a": {"x": 1, "y": 2}}), Value::Object(user)), json!({"a": {"x": 1, "y": 3}}));
    }
}
