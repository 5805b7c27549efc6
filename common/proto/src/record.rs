//! The macros that turn rows into types. What the rows say is not known here.
//!
//! A field is `name: Type`, or `name: Type[max]` where the type is of variable length; leaving the limit out does not
//! compile.

/// A struct and its XDR: the fields in order.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($field:ident : $ty:ty $([$max:literal])?),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $name { $(pub $field: $ty,)* }

        impl $crate::xdr::Xdr for $name {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), $crate::xdr::EncodeError> {
                let Self { $($field,)* } = self;
                $($crate::record::put!($field, out $(, $max)?);)*
                let _ = out;
                Ok(())
            }
            fn decode(input: &mut &[u8]) -> Result<Self, $crate::xdr::DecodeError> {
                $(let $field = $crate::record::take!($ty, input $(, $max)?);)*
                let _ = input;
                Ok(Self { $($field,)* })
            }
        }

        #[cfg(any(test, feature = "testing"))]
        impl $crate::testing::Sample for $name {
            fn sample(source: &mut $crate::testing::Source) -> Self {
                $(let $field = $crate::record::sample!($ty, source $(, $max)?);)*
                let _ = source;
                Self { $($field,)* }
            }
        }
    )*};
}

macro_rules! put {
    ($field:ident, $out:ident) => {
        $crate::xdr::Xdr::encode($field, $out)?
    };
    ($field:ident, $out:ident, $max:literal) => {
        $crate::xdr::Bounded::encode_within($field, $max, $out)?
    };
}

macro_rules! take {
    ($ty:ty, $input:ident) => {
        <$ty as $crate::xdr::Xdr>::decode($input)?
    };
    ($ty:ty, $input:ident, $max:literal) => {
        <$ty as $crate::xdr::Bounded>::decode_within($max, $input)?
    };
}

#[cfg(any(test, feature = "testing"))]
macro_rules! sample {
    ($ty:ty, $source:ident) => {
        <$ty as $crate::testing::Sample>::sample($source)
    };
    ($ty:ty, $source:ident, $max:literal) => {
        <$ty as $crate::testing::SampleWithin>::sample_within($max, $source)
    };
}

/// Procedures: for each row the arguments and the reply as structs, [`crate::Procedure`], and a place in `ENTRIES`.
///
/// ```text
/// number NAME "publicCall" "since" Owner Access Priority ["permission", ...]
///     [filter ["permission", ...]] [stream Read|Write|Both] [sparse BIT] [fds Call|Reply|Both] [auth early]
///     => Arguments { field: Type, list: Vec<Type>[max] } [-> Reply { field: Type }];
/// ```
///
/// `_` stands for a public call (or its version) that does not exist. `auth early` is served before the client is authenticated.
macro_rules! procedures {
    ($program:ident: $(
        $number:literal $wire:ident $api:tt $since:tt $owner:ident $access:ident $priority:ident
        [$($acl:literal),*] $(filter [$($filter:literal),*])? $(stream $stream:ident)? $(sparse $sparse:literal)?
        $(fds $fds:ident)? $(auth $auth:ident)?
        => $name:ident { $($field:tt)* } $(-> $reply:ident { $($reply_field:tt)* })?;
    )*) => {
        $(
            $crate::record::records! {
                #[doc = concat!("The arguments of `", stringify!($wire), "`, number ", $number, ".")]
                $name { $($field)* }
                $(
                    #[doc = concat!("The reply of `", stringify!($wire), "`, number ", $number, ".")]
                    $reply { $($reply_field)* }
                )?
            }

            impl $crate::route::Procedure for $name {
                type Reply = $crate::record::reply!($($reply)?);
                const PROGRAM: $crate::header::Program = $crate::header::Program::$program;
                const NUMBER: i32 = $number;
                const ENTRY: &'static $crate::route::Entry = &$crate::route::Entry {
                    program: $crate::header::Program::$program,
                    number: $number,
                    name: stringify!($wire),
                    api: $crate::record::text!($api),
                    since: $crate::record::text!($since),
                    owner: $crate::route::Owner::$owner,
                    access: $crate::route::Access::$access,
                    priority: $crate::route::Priority::$priority,
                    acl: &[$($acl),*],
                    aclfilter: &[$($($filter),*)?],
                    stream: $crate::record::or_none!(Stream $($stream)?),
                    sparse: 0 $(+ $sparse)?,
                    fds: $crate::record::or_none!(Fds $($fds)?),
                    needs_auth: $crate::record::needs_auth!($($auth)?),
                    event: false,
                };
            }
        )*

        /// The rows of this file.
        pub(crate) const ENTRIES: &[&$crate::route::Entry] = &[$(<$name as $crate::route::Procedure>::ENTRY,)*];

        #[cfg(any(test, feature = "testing"))]
        pub(crate) const SHAPES: &[$crate::testing::RowShapes] = &[$(
            $crate::testing::RowShapes {
                entry: <$name as $crate::route::Procedure>::ENTRY,
                arguments: $crate::testing::Shape::of::<$name>(),
                reply: $crate::testing::Shape::of::<<$name as $crate::route::Procedure>::Reply>(),
            },
        )*];
    };
}

/// Events: for each row the payload as a struct, [`crate::Event`], and a place in `ENTRIES`.
///
/// ```text
/// number NAME "since" Owner Priority [auth early] => Payload { field: Type };
/// ```
macro_rules! events {
    ($program:ident: $(
        $number:literal $wire:ident $since:tt $owner:ident $priority:ident $(auth $auth:ident)?
        => $name:ident { $($field:tt)* };
    )*) => {
        $(
            $crate::record::records! {
                #[doc = concat!("The event `", stringify!($wire), "`, number ", $number, ".")]
                $name { $($field)* }
            }

            impl $crate::route::Event for $name {
                const PROGRAM: $crate::header::Program = $crate::header::Program::$program;
                const NUMBER: i32 = $number;
                const ENTRY: &'static $crate::route::Entry = &$crate::route::Entry {
                    program: $crate::header::Program::$program,
                    number: $number,
                    name: stringify!($wire),
                    api: None,
                    since: $crate::record::text!($since),
                    owner: $crate::route::Owner::$owner,
                    access: $crate::route::Access::None,
                    priority: $crate::route::Priority::$priority,
                    acl: &[],
                    aclfilter: &[],
                    stream: $crate::route::Stream::None,
                    sparse: 0,
                    fds: $crate::route::Fds::None,
                    needs_auth: $crate::record::needs_auth!($($auth)?),
                    event: true,
                };
            }
        )*

        /// The rows of this file.
        pub(crate) const ENTRIES: &[&$crate::route::Entry] = &[$(<$name as $crate::route::Event>::ENTRY,)*];

        #[cfg(any(test, feature = "testing"))]
        pub(crate) const SHAPES: &[$crate::testing::RowShapes] = &[$(
            $crate::testing::RowShapes {
                entry: <$name as $crate::route::Event>::ENTRY,
                arguments: $crate::testing::Shape::of::<$name>(),
                reply: $crate::testing::Shape::of::<()>(),
            },
        )*];
    };
}

macro_rules! reply {
    () => {
        ()
    };
    ($reply:ident) => {
        $reply
    };
}

macro_rules! text {
    (_) => {
        None
    };
    ($name:literal) => {
        Some($name)
    };
}

macro_rules! or_none {
    ($of:ident) => {
        $crate::route::$of::None
    };
    ($of:ident $which:ident) => {
        $crate::route::$of::$which
    };
}

macro_rules! needs_auth {
    () => {
        true
    };
    (early) => {
        false
    };
}

#[cfg(any(test, feature = "testing"))]
pub(crate) use sample;
pub(crate) use {events, needs_auth, or_none, procedures, put, records, reply, take, text};
