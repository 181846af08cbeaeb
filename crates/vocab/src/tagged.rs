//! Owns the form of an enum that is written as `{"TAG": "variant", fields…}`.
//!
//! serde's own `tag = "…"` reads it by way of a copy of everything that follows the tag, of which the
//! fields are then made. The journal reads millions of facts, so here they are read where they stand:
//! the enum derives the untagged form for itself (`remote = "Self"`), and this is put around it. What is
//! written is the same. The tag need not come first, but only then is it quick.

use core::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde::ser::{
    Error as _, Impossible, Serialize, SerializeMap, SerializeStruct, SerializeStructVariant,
    Serializer,
};

/// What an enum that derives `remote = "Self"` reads itself from.
pub(crate) struct Reader<D> {
    /// Where the object stands.
    pub(crate) from: D,
    /// The name of the variant's field.
    pub(crate) tag: &'static str,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Reader<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.from.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let tag = self.tag;
        self.from.deserialize_map(Object { tag, visitor })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Object<V> {
    tag: &'static str,
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {:?}", self.tag)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        match map.next_key_seed(Key { tag: self.tag })? {
            Some(None) => self.visitor.visit_enum(Tagged { map }),
            Some(Some(first)) => self.visit_in_any_order(first, map),
            None => Err(A::Error::missing_field(self.tag)),
        }
    }
}

impl<'de, V: Visitor<'de>> Object<V> {
    fn visit_in_any_order<A: MapAccess<'de>>(
        self,
        first: String,
        mut map: A,
    ) -> Result<V::Value, A::Error> {
        let mut fields = vec![(first, map.next_value::<serde_json::Value>()?)];
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        let place = fields.iter().position(|(name, _)| name == self.tag);
        let place = place.ok_or_else(|| A::Error::missing_field(self.tag))?;
        let (_, variant) = fields.remove(place);
        let fields = core::iter::once((String::new(), variant)).chain(fields);
        let mut map = MapDeserializer::<_, serde_json::Error>::new(fields);
        let visit = |map| self.visitor.visit_enum(Tagged { map });
        // Its name is gone; the value that follows is the variant.
        let skipped = map.next_key::<IgnoredAny>();
        skipped.and_then(|_| visit(map)).map_err(A::Error::custom)
    }
}

/// Reads a name: `None` for the tag.
struct Key {
    tag: &'static str,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok((name != self.tag).then(|| name.to_owned()))
    }
}

/// An object of which the next value is the variant.
struct Tagged<A> {
    map: A,
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Tagged<A> {
    type Error = A::Error;
    type Variant = Fields<A>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        mut self,
        seed: S,
    ) -> Result<(S::Value, Fields<A>), A::Error> {
        let variant = self.map.next_value_seed(seed)?;
        Ok((variant, Fields { map: self.map }))
    }
}

/// What follows the variant.
struct Fields<A> {
    map: A,
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn unit_variant(mut self) -> Result<(), A::Error> {
        while self.map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.map))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("a variant without names has no tag"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.map)
    }
}

/// What an enum that derives `remote = "Self"` writes itself to.
pub(crate) struct Writer<S> {
    /// Where the object goes.
    to: S,
    tag: &'static str,
    /// Of a variant whose fields come as a map of their own.
    variant: Option<&'static str>,
}

impl<S> Writer<S> {
    pub(crate) const fn new(to: S, tag: &'static str) -> Self {
        Self {
            to,
            tag,
            variant: None,
        }
    }
}

macro_rules! refuse {
    ($($name:ident($($type:ty),*) -> $ok:ty;)*) => {
        $(fn $name(self, $(_: $type),*) -> Result<$ok, S::Error> {
            Err(S::Error::custom("only an enum has a tag"))
        })*
    };
}

impl<S: Serializer> Serializer for Writer<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Impossible<S::Ok, S::Error>;
    type SerializeTuple = Impossible<S::Ok, S::Error>;
    type SerializeTupleStruct = Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = Impossible<S::Ok, S::Error>;
    type SerializeMap = S::SerializeMap;
    type SerializeStruct = Impossible<S::Ok, S::Error>;
    type SerializeStructVariant = Written<S::SerializeStruct>;

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        let mut object = self.to.serialize_struct(name, 1)?;
        object.serialize_field(self.tag, variant)?;
        object.end()
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Written<S::SerializeStruct>, S::Error> {
        let mut object = self.to.serialize_struct(name, len + 1)?;
        object.serialize_field(self.tag, variant)?;
        Ok(Written(object))
    }

    /// Fields of which one is flattened are a value of their own.
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let variant = Some(variant);
        value.serialize(Writer { variant, ..self })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<S::SerializeMap, S::Error> {
        let mut map = self.to.serialize_map(len.map(|len| len + 1))?;
        map.serialize_entry(self.tag, self.variant.unwrap_or_default())?;
        Ok(map)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, _: &T) -> Result<S::Ok, S::Error> {
        self.serialize_none()
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, S::Error> {
        self.serialize_none()
    }

    refuse! {
        serialize_bool(bool) -> S::Ok;
        serialize_i8(i8) -> S::Ok;
        serialize_i16(i16) -> S::Ok;
        serialize_i32(i32) -> S::Ok;
        serialize_i64(i64) -> S::Ok;
        serialize_u8(u8) -> S::Ok;
        serialize_u16(u16) -> S::Ok;
        serialize_u32(u32) -> S::Ok;
        serialize_u64(u64) -> S::Ok;
        serialize_f32(f32) -> S::Ok;
        serialize_f64(f64) -> S::Ok;
        serialize_char(char) -> S::Ok;
        serialize_str(&str) -> S::Ok;
        serialize_bytes(&[u8]) -> S::Ok;
        serialize_none() -> S::Ok;
        serialize_unit() -> S::Ok;
        serialize_unit_struct(&'static str) -> S::Ok;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
    }
}

/// The fields of a variant, behind its tag.
pub(crate) struct Written<S>(S);

impl<S: SerializeStruct> SerializeStructVariant for Written<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        self.0.serialize_field(name, value)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), S::Error> {
        self.0.skip_field(name)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

/// Serialisation of an enum that derives `remote = "Self"`, with its variant in the field `$tag`.
macro_rules! tagged {
    ($name:ident, $tag:literal) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, crate::tagged::Writer::new(to, $tag))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::deserialize(crate::tagged::Reader { from, tag: $tag })
            }
        }
    };
}
pub(crate) use tagged;

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    /// As serde does it.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Known {
        Nothing,
        Some {
            number: u32,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            text: Option<String>,
        },
        Flat {
            #[serde(flatten)]
            inner: Inner,
            last: bool,
        },
    }

    /// As it is done here.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(remote = "Self", rename_all = "snake_case")]
    enum Ours {
        Nothing,
        Some {
            number: u32,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            text: Option<String>,
        },
        Flat {
            #[serde(flatten)]
            inner: Inner,
            last: bool,
        },
    }

    super::tagged!(Ours, "kind");

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Inner {
        Name(String),
        Pair { one: u8, two: u8 },
    }

    /// What serde reads from a text is what is read here, and is written back alike.
    fn agree(text: &str) {
        let known = serde_json::from_str::<Known>(text);
        let ours = serde_json::from_str::<Ours>(text);
        match (known, ours) {
            (Ok(known), Ok(ours)) => {
                assert_eq!(format!("{known:?}"), format!("{ours:?}"), "{text}");
                let written = serde_json::to_string(&ours).unwrap();
                assert_eq!(serde_json::to_string(&known).unwrap(), written);
                assert_eq!(
                    serde_json::to_value(&known).unwrap(),
                    serde_json::to_value(&ours).unwrap()
                );
                let value: serde_json::Value = serde_json::from_str(text).unwrap();
                assert_eq!(serde_json::from_value::<Ours>(value).unwrap(), ours);
            }
            (Err(_), Err(_)) => {}
            (known, ours) => panic!("{text}: {known:?}, but {ours:?}"),
        }
    }

    #[test]
    fn it_is_the_form_that_serde_writes_and_reads() {
        for text in [
            r#"{"kind":"nothing"}"#,
            r#"{"kind":"nothing","more":[1,{"a":2}]}"#,
            r#"{"kind":"some","number":7}"#,
            r#"{"kind":"some","number":7,"text":"a\"b","unknown":{}}"#,
            r#"{"text":null,"number":7,"kind":"some"}"#,
            r#"{"kind":"flat","name":"x","last":true}"#,
            r#"{"last":false,"pair":{"one":1,"two":2},"kind":"flat"}"#,
            r#"{"kind":"some","text":"no number"}"#,
            r#"{"kind":"other"}"#,
            r#"{"number":7}"#,
            r#"{"kind":7}"#,
            "{}",
            "7",
            r#""nothing""#,
        ] {
            agree(text);
        }
    }
}
