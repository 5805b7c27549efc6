//! The two spellings of a switch.

use crate::error::Fault;
use crate::value::Value;
use crate::writer::Escaped;

macro_rules! switch {
    ($(#[$doc:meta])* $name:ident, $on:ident = $on_text:literal, $off:ident = $off_text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            #[doc = concat!("`", $on_text, "`")]
            $on,
            #[doc = concat!("`", $off_text, "`")]
            $off,
        }

        impl $name {
            /// Whether it is switched on.
            #[must_use]
            pub const fn is_on(self) -> bool {
                matches!(self, Self::$on)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(if self.is_on() { $on_text } else { $off_text })
            }
        }

        impl From<bool> for $name {
            fn from(on: bool) -> Self {
                if on { Self::$on } else { Self::$off }
            }
        }

        impl Value for $name {
            const VALUES: &'static [&'static str] = &[$on_text, $off_text];

            fn from_text(text: &str) -> Result<Self, Fault> {
                match text {
                    $on_text => Ok(Self::$on),
                    $off_text => Ok(Self::$off),
                    _ => Err(Fault::NotOneOf(Self::VALUES)),
                }
            }

            fn put(&self, out: &mut Escaped<'_>) {
                out.push(if self.is_on() { $on_text } else { $off_text });
            }
        }
    };
}

switch! {
    /// `yes` or `no`.
    YesNo, Yes = "yes", No = "no"
}
switch! {
    /// `on` or `off`.
    OnOff, On = "on", Off = "off"
}
