//! `#[derive(Xml)]` on a struct.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, FieldsNamed, LitStr, Path};

use crate::field::Field;

pub(crate) fn generate(input: &DeriveInput, fields: &FieldsNamed) -> syn::Result<TokenStream> {
    let mut check: Option<Path> = None;
    let mut xmlns: Option<String> = None;
    let mut open = false;
    let mut before: Option<Path> = None;
    let mut absent: Option<Path> = None;
    let mut form: Option<Path> = None;
    for attr in input.attrs.iter().filter(|it| it.path().is_ident("xml")) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("check") {
                check = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("xmlns") {
                xmlns = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if meta.path.is_ident("before") {
                before = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("absent") {
                absent = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("form") {
                form = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("open") {
                open = true;
            } else {
                return Err(meta.error("unknown word on a struct: check, before, absent, form, xmlns or open"));
            }
            Ok(())
        })?;
    }
    let fields = fields.named.iter().map(Field::parse).collect::<syn::Result<Vec<_>>>()?;
    let idents: Vec<_> = fields.iter().map(|it| &it.ident).collect();
    let reads = fields.iter().map(Field::read);
    let attrs: Vec<_> = fields.iter().filter_map(Field::write_attrs).collect();
    let contents: Vec<_> = fields.iter().filter_map(Field::write_content).collect();
    let describes = fields.iter().map(Field::describe);
    let examines = fields.iter().map(Field::examine);
    let form = form.map(|form| quote!(#form(__node)?;));
    let check = check.map(|check| quote!(#check(&mut __value, __node)?;));
    let declare = xmlns.map(|prefix| {
        let name = format!("xmlns:{prefix}");
        quote! {
            if *self != Self::default() {
                __w.attr_str(#name, ::virtbus_xml::names::namespace_of(#prefix).unwrap_or_default());
            }
        }
    });
    let absent = absent.map(|absent| {
        quote! {
            fn is_absent(__node: ::virtbus_xml::Node<'_>) -> bool {
                #absent(__node)
            }
        }
    });
    let before = before.map(|before| quote!(#before(__node)?;));
    let open = open.then(|| quote!(__w.keep_open();));
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        #[allow(unused_variables, clippy::too_many_lines, clippy::cognitive_complexity)]
        impl #generics ::virtbus_xml::Xml for #name #arguments #bounds {
            fn read(__node: ::virtbus_xml::Node<'_>) -> ::virtbus_xml::Result<Self> {
                #before
                #[allow(unused_mut)]
                let mut __value = Self { #(#idents: #reads),* };
                #check
                Ok(__value)
            }

            fn write_attrs(&self, __w: &mut ::virtbus_xml::Writer) {
                let Self { #(#idents),* } = self;
                #declare
                #(#attrs)*
            }

            fn write_content(&self, __w: &mut ::virtbus_xml::Writer) {
                let Self { #(#idents),* } = self;
                #open
                #(#contents)*
            }

            fn describe(__to: &mut dyn ::virtbus_xml::Describe) {
                #(#describes)*
            }

            fn examine(__node: ::virtbus_xml::Node<'_>) -> ::virtbus_xml::Result<()> {
                #(#examines)*
                #form
                Ok(())
            }

            #absent
        }
    })
}
