//! One field of a struct or variant: what its `#[xml(...)]` says, and the code that reads, writes and describes it.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, Field as SynField, GenericArgument, Ident, LitInt, LitStr, PathArguments, Type};

use crate::name;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Attr,
    Child,
    Children,
    Text,
    Flag,
    Flatten,
    Raw,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Optional,
    Many,
}

pub(crate) struct Field {
    pub(crate) ident: Ident,
    /// The type inside `Option` or `Vec`.
    inner: Type,
    shape: Shape,
    boxed: bool,
    kind: Kind,
    /// The elements that lead to the one meant.
    path: Vec<String>,
    name: String,
    default: Option<TokenStream>,
    omit_default: bool,
    omit_empty: bool,
    required: bool,
    when: Option<syn::Path>,
    live: bool,
    secret: bool,
    fault: Ident,
    /// Written in hexadecimal with at least so many digits.
    hex: Option<LitInt>,
    /// Read in any base, written in decimal.
    any_base: bool,
    /// Zero is refused.
    nonzero: bool,
    /// A bad value counts as absent.
    lenient: bool,
    /// What strict reading asks of the text besides its type.
    form: Option<syn::Path>,
    /// An empty text counts as absent.
    blank: bool,
    /// Strict reading needs it, though reading does not.
    must: bool,
    /// Strict reading does not need it, though reading does.
    may: bool,
    /// Strict reading takes any text of the form, whatever the type says.
    free: bool,
}

impl Field {
    pub(crate) fn parse(field: &SynField) -> syn::Result<Self> {
        let ident = field.ident.clone().ok_or_else(|| syn::Error::new_spanned(field, "Xml needs named fields"))?;
        let (shape, inner) = shape_of(&field.ty);
        let (boxed, inner) = match argument_of(&inner, "Box") {
            Some(unboxed) => (true, unboxed),
            None => (false, inner),
        };
        let mut out = Self {
            name: name::own(&ident),
            ident,
            inner,
            shape,
            boxed,
            kind: Kind::Flatten,
            path: Vec::new(),
            default: None,
            omit_default: false,
            omit_empty: false,
            required: false,
            when: None,
            live: false,
            secret: false,
            fault: Ident::new("BadValue", Span::call_site()),
            hex: None,
            any_base: false,
            nonzero: false,
            lenient: false,
            blank: false,
            form: None,
            must: false,
            may: false,
            free: false,
        };
        let mut kind = None;
        for attr in field.attrs.iter().filter(|it| it.path().is_ident("xml")) {
            attr.parse_nested_meta(|meta| {
                let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                let said = match word.as_str() {
                    "attr" => Some(Kind::Attr),
                    "child" => Some(Kind::Child),
                    "children" => Some(Kind::Children),
                    "text" => Some(Kind::Text),
                    "flag" => Some(Kind::Flag),
                    "flatten" => Some(Kind::Flatten),
                    "raw" => Some(Kind::Raw),
                    _ => None,
                };
                if said.is_some() {
                    kind = said;
                    if meta.input.peek(syn::Token![=]) {
                        out.place(&meta.value()?.parse::<LitStr>()?);
                    }
                    return Ok(());
                }
                match word.as_str() {
                    "default" => {
                        out.default = Some(if meta.input.peek(syn::Token![=]) {
                            let value: Expr = meta.value()?.parse()?;
                            quote!(#value)
                        } else {
                            quote!(::core::default::Default::default())
                        });
                    }
                    "omit_default" => out.omit_default = true,
                    "omit_empty" => out.omit_empty = true,
                    "required" => out.required = true,
                    "live" => out.live = true,
                    "secret" => out.secret = true,
                    "when" => out.when = Some(meta.value()?.parse()?),
                    "lenient" => out.lenient = true,
                    "blank" => out.blank = true,
                    "form" => out.form = Some(meta.value()?.parse()?),
                    "must" => out.must = true,
                    "may" => out.may = true,
                    "nonzero" => out.nonzero = true,
                    "free" => out.free = true,
                    "any_base" => out.any_base = true,
                    "hex" => out.hex = Some(meta.value()?.parse()?),
                    "fault" => out.fault = meta.value()?.parse()?,
                    _ => return Err(meta.error("unknown word; see the vocabulary in virtbus_xml")),
                }
                Ok(())
            })?;
        }
        out.kind = kind.ok_or_else(|| {
            syn::Error::new_spanned(field, "say what it is: attr, child, children, text, flag, flatten or raw")
        })?;
        out.check(field)?;
        Ok(out)
    }

    /// `mac/@address`, `os/type` or a plain name.
    fn place(&mut self, place: &LitStr) {
        let place = place.value();
        let mut steps: Vec<String> = place.split('/').map(str::to_owned).collect();
        let last = steps.pop().unwrap_or_default();
        self.name = last.strip_prefix('@').map(str::to_owned).unwrap_or(last);
        self.path = steps;
    }

    fn check(&self, field: &SynField) -> syn::Result<()> {
        let fail = |message: &str| Err(syn::Error::new_spanned(field, message));
        match (self.kind, self.shape) {
            (Kind::Children | Kind::Raw, shape) if shape != Shape::Many => fail("needs a Vec"),
            (Kind::Attr | Kind::Child | Kind::Text, Shape::Many) => fail("a Vec needs `children`"),
            (Kind::Flatten, shape) if shape != Shape::Plain => fail("flatten needs the type itself"),
            _ if self.omit_default && self.default.is_none() => fail("omit_default needs default"),
            (_, Shape::Plain) if self.blank && self.default.is_none() => fail("what may be blank needs a default"),
            (kind, _) if self.blank && !matches!(kind, Kind::Attr | Kind::Child) => {
                fail("only attr and child can be blank")
            }
            _ if self.blank && (self.lenient || self.required || self.is_any_base()) => fail("blank stands alone"),
            _ => Ok(()),
        }
    }

    fn path_tokens(&self) -> TokenStream {
        let path = &self.path;
        quote!(&[#(#path),*])
    }

    /// The expression that reads the field from `__node`.
    pub(crate) fn read(&self) -> TokenStream {
        let Self { inner, name, fault, .. } = self;
        let path = self.path_tokens();
        let kind = quote!(::virtbus_xml::ErrorKind::#fault);
        let place = quote!(__node, #path, #name, #kind);
        let (required, optional) = match self.kind {
            Kind::Attr if self.is_any_base() => {
                let width = self.width();
                (
                    quote!(::virtbus_xml::decode::hex_attr::<#inner, #width>(#place)?),
                    quote!(::virtbus_xml::decode::optional_hex_attr::<#inner, #width>(#place)?),
                )
            }
            Kind::Attr | Kind::Child if self.lenient => {
                let lenient = if self.kind == Kind::Attr {
                    quote!(::virtbus_xml::decode::lenient_attr::<#inner>(__node, #path, #name))
                } else {
                    quote!(::virtbus_xml::decode::optional_child::<#inner>(#place).unwrap_or_default())
                };
                (quote!(#lenient.unwrap_or_default()), lenient)
            }
            Kind::Attr | Kind::Child if self.blank => {
                let read = if self.kind == Kind::Attr { quote!(blank_attr) } else { quote!(blank_child) };
                // Nothing that may be blank is required.
                (TokenStream::new(), quote!(::virtbus_xml::decode::#read::<#inner>(#place)?))
            }
            Kind::Attr => (
                quote!(::virtbus_xml::decode::attr::<#inner>(#place)?),
                if self.required {
                    quote!(::virtbus_xml::decode::attr_of_optional::<#inner>(#place)?)
                } else {
                    quote!(::virtbus_xml::decode::optional_attr::<#inner>(#place)?)
                },
            ),
            Kind::Child => (
                quote!(::virtbus_xml::decode::child::<#inner>(#place)?),
                quote!(::virtbus_xml::decode::optional_child::<#inner>(#place)?),
            ),
            Kind::Text => (
                quote!(__node.read_text::<#inner>().map_err(|error| error.under(#kind))?),
                quote!(::virtbus_xml::decode::optional_text::<#inner>(__node, #kind)?),
            ),
            Kind::Children => return quote!(::virtbus_xml::decode::children::<#inner>(#place)?),
            Kind::Flag => return quote!(__node.descend(#path).is_some_and(|it| it.child(#name).is_some())),
            Kind::Flatten => return quote!(<#inner as ::virtbus_xml::Xml>::read(__node)?),
            Kind::Raw => return quote!(::virtbus_xml::raw::rest(__node)),
        };
        let (required, optional) = if self.nonzero {
            let checked = quote!(::virtbus_xml::decode::nonzero(#optional, __node, #path, #name)?);
            (
                quote!(::virtbus_xml::decode::nonzero(Some(#required), __node, #path, #name)?.unwrap_or_default()),
                checked,
            )
        } else {
            (required, optional)
        };
        let (required, optional) = if self.boxed {
            (quote!(Box::new(#required)), quote!(#optional.map(Box::new)))
        } else {
            (required, optional)
        };
        match (self.shape, &self.default) {
            (Shape::Optional, None) => optional,
            (Shape::Optional, Some(default)) => quote!(match #optional { None => #default, found => found }),
            (_, Some(default)) => quote!(match #optional { Some(found) => found, None => #default }),
            (_, None) => required,
        }
    }

    /// The statement that holds the field's part of `__node` against its declaration.
    pub(crate) fn examine(&self) -> TokenStream {
        let Self { inner, name, .. } = self;
        let path = self.path_tokens();
        let must = self.is_needed();
        // An element that is there for one attribute has it.
        let with_element = self.required || !(self.path.is_empty() || self.may);
        let form = match &self.form {
            Some(form) => quote!(Some(#form as fn(&str) -> bool)),
            None => quote!(None),
        };
        let inner = if self.free {
            quote!(::std::string::String)
        } else if self.is_any_base() {
            let width = self.width();
            quote!(::virtbus_xml::Hex<#width>)
        } else {
            quote!(#inner)
        };
        match self.kind {
            Kind::Attr => {
                quote!(::virtbus_xml::form::attr::<#inner>(__node, #path, #name, #must, #with_element, #form)?;)
            }
            Kind::Child => quote!(::virtbus_xml::form::child::<#inner>(__node, #path, #name, #must, #form)?;),
            Kind::Children => quote!(::virtbus_xml::form::children::<#inner>(__node, #path, #name, #must, #form)?;),
            Kind::Text => quote!(::virtbus_xml::form::text::<#inner>(__node, #must, #form)?;),
            Kind::Flag => quote!(::virtbus_xml::form::flag(__node, #path, #name);),
            Kind::Flatten => quote!(<#inner as ::virtbus_xml::Xml>::examine(__node)?;),
            Kind::Raw => quote!(::virtbus_xml::form::rest(__node);),
        }
    }

    fn guarded(&self, write: TokenStream) -> TokenStream {
        let it = &self.ident;
        let mut conditions = Vec::new();
        if self.live {
            conditions.push(quote!(!__w.options().inactive));
        }
        if self.secret {
            conditions.push(quote!(__w.options().secure));
        }
        if let Some(when) = &self.when {
            conditions.push(quote!(#when(#it, __w.options())));
        }
        if let (true, Some(default)) = (self.omit_default, &self.default) {
            conditions.push(quote!(*#it != #default));
        }
        if conditions.is_empty() { write } else { quote!(if #(#conditions)&&* { #write }) }
    }

    fn each(&self, write: &TokenStream) -> TokenStream {
        let it = &self.ident;
        let unbox = self.boxed.then(|| quote!(let __it = &**__it;));
        let write = quote!(#unbox #write);
        match self.shape {
            Shape::Plain => quote!({ let __it = #it; #write }),
            Shape::Optional => quote!(if let Some(__it) = #it { #write }),
            Shape::Many => quote!(for __it in #it { #write }),
        }
    }

    /// The statement that writes `__it` as an attribute.
    fn put_attr(&self) -> TokenStream {
        let name = &self.name;
        match &self.hex {
            None => quote!(__w.attr(#name, __it);),
            Some(width) => quote!(__w.attr(#name, &::virtbus_xml::Hex::<#width>(u64::from(*__it)));),
        }
    }

    /// The statements that write the field's share of the start tag.
    pub(crate) fn write_attrs(&self) -> Option<TokenStream> {
        let ident = &self.ident;
        match self.kind {
            Kind::Attr if self.path.is_empty() => {
                let each = self.each(&self.put_attr());
                Some(self.guarded(each))
            }
            Kind::Flatten => Some(self.guarded(quote!(::virtbus_xml::Xml::write_attrs(#ident, __w);))),
            _ => None,
        }
    }

    /// The statements that write the field's share of the content.
    pub(crate) fn write_content(&self) -> Option<TokenStream> {
        let Self { ident, name, .. } = self;
        let write = match self.kind {
            Kind::Attr => {
                let (last, outer) = self.path.split_last()?;
                let put = self.put_attr();
                let write = quote!(__w.start(#last); #put __w.end(#last););
                self.each(&within(outer, &write))
            }
            Kind::Child => {
                let write = if self.omit_empty {
                    quote!(::virtbus_xml::Xml::write_unless_empty(__it, #name, __w);)
                } else {
                    quote!(::virtbus_xml::Xml::write(__it, #name, __w);)
                };
                self.each(&within(&self.path, &write))
            }
            Kind::Children => {
                let all = within(&self.path, &self.each(&quote!(::virtbus_xml::Xml::write(__it, #name, __w);)));
                if self.path.is_empty() { all } else { quote!(if !#ident.is_empty() { #all }) }
            }
            Kind::Text => self.each(&quote!(__w.text(__it);)),
            Kind::Flag => {
                let write = within(&self.path, &quote!(__w.start(#name); __w.end(#name);));
                quote!(if *#ident { #write })
            }
            Kind::Flatten => quote!(::virtbus_xml::Xml::write_content(#ident, __w);),
            Kind::Raw => self.each(&quote!(::virtbus_xml::Xml::write(__it, &__it.name, __w);)),
        };
        Some(self.guarded(write))
    }

    /// The statements that describe the field.
    pub(crate) fn describe(&self) -> TokenStream {
        let Self { inner, name, .. } = self;
        let path = self.path_tokens();
        let occurs = if self.shape == Shape::Many {
            quote!(::virtbus_xml::Occurs::Any)
        } else if self.is_needed() {
            quote!(::virtbus_xml::Occurs::Once)
        } else {
            quote!(::virtbus_xml::Occurs::Maybe)
        };
        let texts = match self.is_any_base().then(|| self.width()) {
            Some(width) => quote!(::virtbus_xml::Texts::of::<::virtbus_xml::Hex<#width>>()),
            None => quote!(::virtbus_xml::Texts::of::<#inner>()),
        };
        let child = quote!(::virtbus_xml::describe::occurring::<#inner>(__to, #name, #occurs););
        let (place, inside) = match self.kind {
            Kind::Attr => (format!("@{name}"), quote!(__to.attr(#name, #texts);)),
            Kind::Child => (name.clone(), child),
            Kind::Children => (name.clone(), quote!(for _ in 0..__times { #child })),
            Kind::Text => (String::new(), quote!(__to.text(#texts);)),
            Kind::Flag => (name.clone(), quote!(__to.open(#name, "", #occurs); __to.close();)),
            Kind::Flatten => return quote!(<#inner as ::virtbus_xml::Xml>::describe(__to);),
            Kind::Raw => return quote!(__to.raw("");),
        };
        let place = self.path.iter().map(String::as_str).chain([place.as_str()]).collect::<Vec<_>>().join("/");
        let inside = if self.path.is_empty() {
            inside
        } else {
            quote!(::virtbus_xml::describe::within(__to, #path, &mut |__to| { #inside });)
        };
        quote!({
            let __times = __to.times(#place, #occurs);
            if __times > 0 { #inside }
        })
    }

    /// Whether the number may be written in any base.
    fn is_any_base(&self) -> bool {
        self.hex.is_some() || self.any_base
    }

    /// How many hexadecimal digits it has at least.
    fn width(&self) -> LitInt {
        self.hex.clone().unwrap_or_else(|| LitInt::new("0", Span::call_site()))
    }

    /// Whether a document must have it.
    fn is_needed(&self) -> bool {
        let optional = self.shape != Shape::Plain || self.default.is_some() || self.lenient || self.may;
        self.kind != Kind::Flag && (self.must || !optional)
    }
}

fn within(path: &[String], write: &TokenStream) -> TokenStream {
    if path.is_empty() {
        return write.clone();
    }
    quote! {
        ::virtbus_xml::decode::start_path(__w, &[#(#path),*]);
        #write
        ::virtbus_xml::decode::end_path(__w, &[#(#path),*]);
    }
}

fn shape_of(ty: &Type) -> (Shape, Type) {
    match (argument_of(ty, "Option"), argument_of(ty, "Vec")) {
        (Some(inner), _) => (Shape::Optional, inner),
        (_, Some(inner)) => (Shape::Many, inner),
        _ => (Shape::Plain, ty.clone()),
    }
}

/// `T` of `Wrapper<T>`.
fn argument_of(ty: &Type, wrapper: &str) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|it| it.ident == wrapper)?;
    match &last.arguments {
        PathArguments::AngleBracketed(args) => match args.args.first() {
            Some(GenericArgument::Type(inner)) => Some(inner.clone()),
            _ => None,
        },
        _ => None,
    }
}
