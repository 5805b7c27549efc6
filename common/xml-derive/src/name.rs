//! Names of variants and of the elements and attributes they stand for.

use syn::{Attribute, Ident, LitStr};

/// `VirtioTransitional` is `virtio-transitional`.
pub(crate) fn kebab(ident: &Ident) -> String {
    let mut out = String::new();
    for (at, c) in ident.to_string().chars().enumerate() {
        if c.is_ascii_uppercase() && at > 0 {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The field's own name, without a raw prefix.
pub(crate) fn own(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
}

/// What is written on a variant.
pub(crate) struct VariantName {
    pub(crate) name: String,
    pub(crate) is_default: bool,
}

impl VariantName {
    pub(crate) fn of(ident: &Ident, attrs: &[Attribute]) -> syn::Result<Self> {
        let mut found = Self { name: kebab(ident), is_default: false };
        for attr in attrs.iter().filter(|it| it.path().is_ident("xml")) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    found.name = meta.value()?.parse::<LitStr>()?.value();
                } else if meta.path.is_ident("default") {
                    found.is_default = true;
                } else {
                    return Err(meta.error("unknown word on a variant: name or default"));
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}
