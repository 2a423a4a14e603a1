//! Enums whose variants have names: each name is written once, beside its variant.

/// Defines an enum with the names of its variants: `ALL`, `name()` and `Display`.
///
/// `enum Bottleneck { Late = "not in time" }` has names for tables. An enum that files
/// and commands name as well has a word for itself: `enum Mode("mode") { Bulk = "bulk" }`
/// is also read and written by serde under its names, and `FromStr` reads them. A name that
/// it had before follows it, `Bulk = "bulk" | "at-once"`: command lines and files with it
/// are read, and nothing shows it.
macro_rules! named {
    (
        $(#[$meta:meta])*
        $vis:vis enum $Enum:ident($kind:literal) {
            $($(#[$of_variant:meta])* $Variant:ident = $name:tt $(| $before:tt)*),+ $(,)?
        }
    ) => {
        $crate::named::named! {
            #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
            $(#[$meta])*
            $vis enum $Enum {
                $(
                    $(#[$of_variant])*
                    #[serde(rename = $name $(, alias = $before)*)]
                    $Variant = $name
                ),+
            }
        }

        impl std::str::FromStr for $Enum {
            type Err = $crate::named::UnknownName;

            fn from_str(text: &str) -> Result<$Enum, $crate::named::UnknownName> {
                let known = [$((&[$name $(, $before)*][..], $Enum::$Variant)),+];
                let named = known.into_iter().find(|(names, _)| names.contains(&text));
                named.map(|(_, one)| one).ok_or_else(|| {
                    $crate::named::UnknownName::new($kind, text, &$Enum::ALL.map($Enum::name))
                })
            }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis enum $Enum:ident {
            $($(#[$of_variant:meta])* $Variant:ident = $name:tt),+ $(,)?
        }
    ) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $(#[$meta])*
        $vis enum $Enum {
            $($(#[$of_variant])* $Variant),+
        }

        impl $Enum {
            /// All of them, in the order of reports.
            $vis const ALL: [$Enum; [$($name),+].len()] = [$($Enum::$Variant),+];

            /// The name, as tables show it.
            $vis fn name(self) -> &'static str {
                match self {
                    $($Enum::$Variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use named;

/// A text that is none of the names that it should be one of.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} `{text}`; there are: {known}")]
pub struct UnknownName {
    kind: &'static str,
    text: String,
    known: String,
}

#[cfg(feature = "cli")]
impl UnknownName {
    /// `text` is no `kind`; those of `known` are.
    pub(crate) fn new(kind: &'static str, text: &str, known: &[&str]) -> UnknownName {
        UnknownName { kind, text: text.to_owned(), known: known.join(", ") }
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    named! {
        /// A colour.
        #[derive(Default)]
        enum Colour("colour") {
            /// Like a tomato.
            #[default]
            Red = "red",
            /// Two words.
            DarkGreen = "dark-green" | "bottle" | "forest",
        }
    }

    named! {
        enum Shade {
            Light = "light as air",
        }
    }

    #[test]
    fn every_variant_is_read_from_the_name_that_it_is_written_with() {
        for colour in Colour::ALL {
            assert_eq!(colour.name().parse(), Ok(colour));
            let written = serde_json::to_string(&colour).unwrap();
            assert_eq!(written, format!("\"{colour}\""));
            assert_eq!(serde_json::from_str::<Colour>(&written).unwrap(), colour);
        }
        assert_eq!((Colour::ALL.len(), Colour::default()), (2, Colour::Red));
    }

    #[test]
    fn a_name_of_before_is_read_and_not_shown() {
        for before in ["bottle", "forest"] {
            assert_eq!(before.parse(), Ok(Colour::DarkGreen));
            let read: Colour = serde_json::from_str(&format!("\"{before}\"")).unwrap();
            assert_eq!(read, Colour::DarkGreen);
            let schema = schemars::schema_for!(Colour).to_value().to_string();
            assert!(!schema.contains(before), "{schema}");
        }
        assert_eq!(Colour::DarkGreen.to_string(), "dark-green");
        assert_eq!(serde_json::to_string(&Colour::DarkGreen).unwrap(), "\"dark-green\"");
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_those_there_are() {
        let error = "blue".parse::<Colour>().unwrap_err().to_string();
        assert_eq!(error, "unknown colour `blue`; there are: red, dark-green");
    }

    #[test]
    fn the_documentation_of_variants_is_in_the_schema() {
        let schema = schemars::schema_for!(Colour).to_value();
        assert_eq!(schema["description"], "A colour.");
        assert_eq!(schema["oneOf"][1]["const"], "dark-green");
        assert_eq!(schema["oneOf"][1]["description"], "Two words.");
    }

    #[test]
    fn a_name_in_a_table_is_padded_to_its_column() {
        let [light] = Shade::ALL;
        assert_eq!(format!("{light:>14}|{:<5}|", Colour::Red), "  light as air|red  |");
    }
}
