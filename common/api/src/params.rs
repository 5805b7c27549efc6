//! Typed parameters: libvirt's open-ended key-value lists.

/// One parameter: a name of libvirt's and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedParam {
    /// The field name as in libvirt's headers, for example `memory_failures`.
    pub field: String,
    /// The value in the type that libvirt documents for the field.
    pub value: ParamValue,
}

/// The seven types of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamValue {
    /// 32 bits, signed.
    Int(i32),
    /// 32 bits, unsigned.
    Uint(u32),
    /// 64 bits, signed.
    Llong(i64),
    /// 64 bits, unsigned.
    Ullong(u64),
    /// A floating-point number.
    Double(f64),
    /// Yes or no.
    Boolean(bool),
    /// Text.
    String(String),
}

impl TypedParam {
    /// A parameter of that name.
    pub fn new(field: impl Into<String>, value: ParamValue) -> Self {
        Self { field: field.into(), value }
    }
}
