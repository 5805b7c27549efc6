//! `#[derive(Xml)]` and `#[derive(XmlEnum)]`: the vocabulary is documented in `virtbus-xml`, which the generated code calls.
//! This crate knows the vocabulary and nothing else: no XML is read or written in here.

mod choice;
mod field;
mod name;
mod plain;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, Fields, parse_macro_input};

/// Implements `virtbus_xml::Xml` for a struct, or for an enum that an attribute chooses (`#[xml(tag = "...")]`).
#[proc_macro_derive(Xml, attributes(xml))]
pub fn derive_xml(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let generated = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => plain::generate(&input, fields),
            other => Err(syn::Error::new_spanned(other, "Xml needs named fields")),
        },
        Data::Enum(data) => choice::generate_tagged(&input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(&input, "Xml is for structs and enums")),
    };
    generated.unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Implements `virtbus_xml::Value`, `ALL`, `as_str`, `from_name` and `Display` for an enum of plain variants.
#[proc_macro_derive(XmlEnum, attributes(xml))]
pub fn derive_xml_enum(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    choice::generate_values(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
