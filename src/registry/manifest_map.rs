//! Reading the `manifest` map that Google's registries add to a listing: digest → tags and push time.
//!
//! It is a gift: whatever is not as expected in it is passed over, and never spoils the listing. Nothing is
//! kept but what [`Gathered`] takes, so a large map costs no memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::facts::{Gathered, Mark};

/// One value somewhere in the map.
pub(super) struct Value<'a> {
    role: Role<'a>,
    facts: &'a mut Gathered,
}

/// What the value is, by where it stands.
enum Role<'a> {
    Map,
    Image {
        mark: &'a Mark,
        pushed: &'a mut Option<i64>,
    },
    Tags(&'a Mark),
    Tag(&'a Mark),
    /// Milliseconds since 1970, as a text or a number.
    Time(&'a mut Option<i64>),
}

/// The whole map.
pub(super) fn reader(facts: &mut Gathered) -> Value<'_> {
    Value { role: Role::Map, facts }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let facts = self.facts;
        let mut role = self.role;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match (&mut role, &*key) {
                (Role::Map, digest) => {
                    let mark = facts.begin(digest);
                    let mut pushed = None;
                    map.next_value_seed(Value { role: Role::Image { mark: &mark, pushed: &mut pushed }, facts })?;
                    facts.end(&mark, pushed);
                }
                (Role::Image { mark, .. }, "tag") => map.next_value_seed(Value { role: Role::Tags(mark), facts })?,
                // The other time, `timeCreatedMs`, is what the image says of itself: 1970 or 1980 where builds are reproducible.
                (Role::Image { pushed, .. }, "timeUploadedMs") => map.next_value_seed(Value { role: Role::Time(pushed), facts })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if let Role::Tags(mark) = self.role {
            while seq.next_element_seed(Value { role: Role::Tag(mark), facts: self.facts })?.is_some() {}
        } else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        match self.role {
            Role::Tag(mark) => self.facts.tag(mark, text),
            Role::Time(time) => *time = text.parse().ok().and_then(known),
            _ => {}
        }
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        if let Role::Time(time) = self.role {
            *time = known(number);
        }
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if let Role::Time(time) = self.role {
            *time = i64::try_from(number).ok().and_then(known);
        }
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Zero stands for a time that is not known.
fn known(millis: i64) -> Option<i64> {
    (millis > 0).then_some(millis)
}
