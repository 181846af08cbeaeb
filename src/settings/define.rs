//! Owns the one definition of a setting: the `section!` macro makes of it the typed field, its
//! reading with range and default, and its lines in the sample file and in the reference.

/// What happens when a setting is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Preset {
    /// This value, as TOML, stands.
    Default(&'static str),
    /// There is no value; the text is an example of one, as TOML.
    Empty(&'static str),
    /// It is a mistake; the text is an example, as TOML.
    Required(&'static str),
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// The key in its table.
    pub(super) key: &'static str,
    /// What the setting does and why one would change it; one element for each line.
    pub(super) why: &'static [&'static str],
    /// What is expected, in words: "a duration such as \"20s\"".
    pub(super) expected: &'static str,
    /// Without it.
    pub(super) preset: Preset,
    /// Smallest and largest value, as TOML.
    pub(super) range: Option<(&'static str, &'static str)>,
}

/// One table of settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    /// The table's name in the file.
    pub(super) name: &'static str,
    /// May stand several times: `[[name]]`.
    pub(super) repeated: bool,
    /// What the table is for; one element for each line.
    pub(super) about: &'static [&'static str],
    /// Its settings, in the order of the definition.
    pub(super) fields: &'static [Field],
}

/// A typed table of settings, made by [`section!`].
pub(super) trait Table: Sized {
    /// Its definition.
    const SECTION: Section;

    /// Reads it; `None` when something was wrong, which the reader then knows.
    fn read(reader: &mut super::reader::Reader<'_>, path: &str) -> Option<Self>;
}

/// Defines a table of settings. A line reads
/// `key: Type = Default|Empty|Required "TOML", in "low" ..= "high";` under its doc comment.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $shape:ident $name:ident $table:literal {
            $(
                $(#[doc = $why:literal])+
                $key:ident : $type:ty = $preset:ident $text:literal
                    $(, in $low:literal ..= $high:literal)?;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $why])+
                pub $key: $type,
            )+
        }

        impl crate::settings::define::Table for $name {
            const SECTION: crate::settings::define::Section = crate::settings::define::Section {
                name: $table,
                repeated: section!(@repeated $shape),
                about: &[$($about),+],
                fields: &[$(crate::settings::define::Field {
                    key: stringify!($key),
                    why: &[$($why),+],
                    expected: <$type as crate::settings::value::Value>::EXPECTED,
                    preset: crate::settings::define::Preset::$preset($text),
                    range: section!(@range $($low, $high)?),
                }),+],
            };

            fn read(
                reader: &mut crate::settings::reader::Reader<'_>,
                path: &str,
            ) -> Option<Self> {
                reader.refuse_unknown(&Self::SECTION, path);
                $(
                    let $key = reader.field::<$type>(&Self::SECTION, path, stringify!($key));
                    $(let $key = reader.within($key, path, stringify!($key), $low, $high);)?
                )+
                Some(Self { $($key: $key?),+ })
            }
        }
    };
    (@repeated one) => { false };
    (@repeated many) => { true };
    (@range) => { None };
    (@range $low:literal, $high:literal) => { Some(($low, $high)) };
}
pub(super) use section;
