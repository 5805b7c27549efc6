//! `#[derive(Xml)]` on an enum chosen by an attribute, and `#[derive(XmlEnum)]` on an enum of texts.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DataEnum, DeriveInput, Fields, Ident, LitStr};

use crate::field::Field;
use crate::name::VariantName;

/// One variant of a tagged enum, as code.
struct Variant {
    name: String,
    is_default: bool,
    /// The pattern that takes it apart.
    pattern: TokenStream,
    read: TokenStream,
    attrs: TokenStream,
    content: TokenStream,
    describe: TokenStream,
    examine: TokenStream,
}

impl Variant {
    fn parse(variant: &syn::Variant) -> syn::Result<Self> {
        let VariantName { name, is_default } = VariantName::of(&variant.ident, &variant.attrs)?;
        let ident = &variant.ident;
        let empty = TokenStream::new;
        Ok(match &variant.fields {
            Fields::Unit => Self {
                name,
                is_default,
                pattern: quote!(Self::#ident),
                read: quote!(Self::#ident),
                attrs: empty(),
                content: empty(),
                describe: empty(),
                examine: empty(),
            },
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let ty = fields.unnamed.first().map(|it| &it.ty);
                Self {
                    name,
                    is_default,
                    pattern: quote!(Self::#ident(__it)),
                    read: quote!(Self::#ident(<#ty as ::virtbus_xml::Xml>::read(__node)?)),
                    attrs: quote!(::virtbus_xml::Xml::write_attrs(__it, __w);),
                    content: quote!(::virtbus_xml::Xml::write_content(__it, __w);),
                    describe: quote!(<#ty as ::virtbus_xml::Xml>::describe(__to);),
                    examine: quote!(<#ty as ::virtbus_xml::Xml>::examine(__node)?;),
                }
            }
            Fields::Named(fields) => {
                let fields = fields.named.iter().map(Field::parse).collect::<syn::Result<Vec<_>>>()?;
                let idents: Vec<_> = fields.iter().map(|it| &it.ident).collect();
                let reads = fields.iter().map(Field::read);
                let attrs = fields.iter().filter_map(Field::write_attrs);
                let contents = fields.iter().filter_map(Field::write_content);
                let describes = fields.iter().map(Field::describe);
                let examines = fields.iter().map(Field::examine);
                Self {
                    name,
                    is_default,
                    pattern: quote!(Self::#ident { #(#idents),* }),
                    read: quote!(Self::#ident { #(#idents: #reads),* }),
                    attrs: quote!(#(#attrs)*),
                    content: quote!(#(#contents)*),
                    describe: quote!(#(#describes)*),
                    examine: quote!(#(#examines)*),
                }
            }
            Fields::Unnamed(_) => return Err(syn::Error::new_spanned(variant, "one unnamed field, or named ones")),
        })
    }
}

/// What is written on the enum.
struct Container {
    /// The attribute that chooses.
    tag: String,
    /// The kind of a bad choice.
    fault: Ident,
    /// What is asked when the parts are read.
    check: Option<syn::Path>,
    /// What strict reading asks.
    form: Option<syn::Path>,
}

fn container(input: &DeriveInput) -> syn::Result<Container> {
    let mut tag = None;
    let mut fault = Ident::new("BadValue", Span::call_site());
    let mut check: Option<syn::Path> = None;
    let mut form: Option<syn::Path> = None;
    for attr in input.attrs.iter().filter(|it| it.path().is_ident("xml")) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("tag") {
                tag = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if meta.path.is_ident("fault") {
                fault = meta.value()?.parse()?;
            } else if meta.path.is_ident("check") {
                check = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("form") {
                form = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error("unknown word on an enum: tag, fault, check or form"));
            }
            Ok(())
        })?;
    }
    let tag = tag.ok_or_else(|| syn::Error::new_spanned(input, "an enum needs #[xml(tag = \"attribute\")]"))?;
    Ok(Container { tag, fault, check, form })
}

pub(crate) fn generate_tagged(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    let Container { tag, fault, check, form } = container(input)?;
    let variants = data.variants.iter().map(Variant::parse).collect::<syn::Result<Vec<_>>>()?;
    let names: Vec<_> = variants.iter().map(|it| &it.name).collect();
    let patterns: Vec<_> = variants.iter().map(|it| &it.pattern).collect();
    let reads = variants.iter().map(|it| {
        let (name, read) = (&it.name, &it.read);
        let or_none = it.is_default.then(|| quote!(None |));
        quote!(#or_none Some(#name) => Ok(#read))
    });
    let attrs = variants.iter().map(|it| &it.attrs);
    let contents = variants.iter().map(|it| &it.content);
    let describes = variants.iter().enumerate().map(|(number, it)| {
        let describe = &it.describe;
        quote!(if __to.form(#number) { #describe })
    });
    let absent = (!variants.iter().any(|it| it.is_default)).then(|| {
        let missing = format!("@{tag}");
        // Where a bad value has a code of its own, so has a missing one.
        if fault == "BadValue" {
            quote!(None => Err(__node.missing(#missing)),)
        } else {
            quote!(None => Err(::virtbus_xml::Error {
                kind: ::virtbus_xml::ErrorKind::#fault,
                ..__node.missing(#missing)
            }),)
        }
    });
    let examines = variants.iter().map(|it| {
        let (name, examine) = (&it.name, &it.examine);
        let or_none = it.is_default.then(|| quote!(None |));
        quote!(#or_none Some(#name) => { #examine })
    });
    let form = form.map(|form| quote!(#form(__node)?;));
    let check = check.map(|check| {
        quote! {
            .and_then(|mut __value: Self| {
                #check(&mut __value, __node)?;
                Ok(__value)
            })
        }
    });
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #name {
            /// The values of the attribute that chooses the variant.
            pub const TAGS: &'static [&'static str] = &[#(#names),*];

            /// The value of the attribute that chooses this variant.
            #[allow(unused_variables)]
            #[must_use]
            pub fn tag(&self) -> &'static str {
                match self { #(#patterns => #names),* }
            }
        }

        #[automatically_derived]
        #[allow(unused_variables, clippy::too_many_lines, clippy::cognitive_complexity)]
        impl ::virtbus_xml::Xml for #name {
            fn read(__node: ::virtbus_xml::Node<'_>) -> ::virtbus_xml::Result<Self> {
                let __tag = __node.attr(#tag);
                match __tag.map(|it| it.value()) {
                    #(#reads,)*
                    #absent
                    Some(_) => Err(__node.bad_tag(#tag, Self::TAGS).under(::virtbus_xml::ErrorKind::#fault)),
                } #check
            }

            fn write_attrs(&self, __w: &mut ::virtbus_xml::Writer) {
                __w.attr_str(#tag, self.tag());
                match self { #(#patterns => { #attrs }),* }
            }

            fn write_content(&self, __w: &mut ::virtbus_xml::Writer) {
                match self { #(#patterns => { #contents }),* }
            }

            fn describe(__to: &mut dyn ::virtbus_xml::Describe) {
                __to.choose(#tag, Self::TAGS);
                #(#describes)*
                __to.chosen();
            }

            fn examine(__node: ::virtbus_xml::Node<'_>) -> ::virtbus_xml::Result<()> {
                match __node.attr(#tag).map(|it| it.value()) {
                    #(#examines)*
                    _ => return Err(__node.bad_tag(#tag, Self::TAGS)),
                }
                #form
                Ok(())
            }
        }
    })
}

pub(crate) fn generate_values(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(input, "XmlEnum is for enums"));
    };
    let mut idents = Vec::new();
    let mut names = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(variant, "XmlEnum is for plain variants"));
        }
        idents.push(&variant.ident);
        names.push(VariantName::of(&variant.ident, &variant.attrs)?.name);
    }
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #name {
            /// All values, in the order they are declared.
            pub const ALL: &'static [Self] = &[#(Self::#idents),*];

            /// The text of the value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { #(Self::#idents => #names),* }
            }

            /// The value with this text.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { #(#names => Some(Self::#idents),)* _ => None }
            }
        }

        #[automatically_derived]
        impl ::virtbus_xml::Value for #name {
            const VALUES: &'static [&'static str] = &[#(#names),*];

            fn from_text(text: &str) -> ::core::result::Result<Self, ::virtbus_xml::Fault> {
                Self::from_name(text).ok_or(::virtbus_xml::Fault::NotOneOf(Self::VALUES))
            }

            fn put(&self, out: &mut ::virtbus_xml::Escaped<'_>) {
                out.push(self.as_str());
            }
        }

        #[automatically_derived]
        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    })
}
