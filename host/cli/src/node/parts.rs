//! Two structs from one table of a file: each takes the keys of its fields, and a key of neither is refused where it
//! stands. Serde's `flatten` would forget the places of errors and let unknown keys pass.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::Error as NoValue;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

type Names = &'static [&'static str];

/// `T` from a table that has the keys of `Other`, too.
pub struct Part<T, Other>(pub T, PhantomData<Other>);

impl<'de, T: Deserialize<'de>, Other: Deserialize<'de>> Deserialize<'de> for Part<T, Other> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (mut own, mut others): (Names, Names) = (&[], &[]);
        // neither yields a value
        let _ = (T::deserialize(Fields(&mut own)), Other::deserialize(Fields(&mut others)));
        T::deserialize(Filter { inner: deserializer, own, others }).map(|value| Part(value, PhantomData))
    }
}

/// Finds the names of a struct's fields.
struct Fields<'a>(&'a mut Names);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = NoValue;

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: Names, _: V) -> Result<V::Value, NoValue> {
        *self.0 = fields;
        Err(NoValue::custom("names alone"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A deserializer, its visitor, its table, and the seed of a key there: without the keys of `others`.
struct Filter<T> {
    inner: T,
    own: Names,
    others: Names,
}

impl<T> Filter<T> {
    fn around<U>(&self, inner: U) -> Filter<U> {
        Filter { inner, own: self.own, others: self.others }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Filter<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.around(visitor);
        self.inner.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Filter<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<V::Value, A::Error> {
        let table = self.around(table);
        self.inner.visit_map(table)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Filter<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = self.around(seed);
        loop {
            match self.inner.next_key_seed(seed)? {
                None => return Ok(None),
                Some(Ok(key)) => return Ok(Some(key)),
                Some(Err(again)) => seed = self.around(again),
            }
            self.inner.next_value::<IgnoredAny>()?;
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// A key, or the seed again if it is one of the others'.
impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Filter<K> {
    type Value = Result<K::Value, K>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = String::deserialize(deserializer)?;
        if self.own.contains(&key.as_str()) {
            self.inner.deserialize(key.into_deserializer()).map(Ok)
        } else if self.others.contains(&key.as_str()) {
            Ok(Err(self.inner))
        } else {
            let known: Vec<_> = self.own.iter().chain(self.others).map(|name| format!("`{name}`")).collect();
            Err(D::Error::custom(format!("unknown field `{key}`, expected one of {}", known.join(", "))))
        }
    }
}
