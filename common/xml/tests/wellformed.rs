//! What is a document and what is not, case by case; each verdict was observed on libvirt 11.3 (test:///default).

use virtbus_xml::{Document, ErrorKind};

fn refused(text: &str) -> bool {
    match Document::parse(text) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Malformed, "{text}");
            assert!(error.line > 0, "{text}");
            true
        }
    }
}

const ACCEPTED: &[&str] = &[
    "<a/>",
    "\u{feff}<a/>",
    "<?xml version='1.0'?><a/>",
    "<?xml version='1.1' encoding='UTF-8'?>\n<a/>\n",
    "<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?><a/>",
    "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
    "<!DOCTYPE a><a/>",
    "<!DOCTYPE a SYSTEM '/nonexistent.dtd'><a>&foo;</a>",
    "<!DOCTYPE a [<!ENTITY foo 'bar'>]><a>&foo;</a>",
    "<!DOCTYPE a [<!ENTITY foo SYSTEM '/etc/hostname'>]><a>&foo;</a>",
    "<a xmlns:x='u' xmlns:y='u' x:k='1' y:k='2'/>",
    "<a q:x='1'><q:b/></a>",
    "<a:b:c xmlns:a='x'/>",
    "<a><![CDATA[a<b]]></a>",
    "<a>x<?foo bar?>y<!-- z --></a>",
    "<!-- before --><a/><!-- after --><?pi?>\n",
    "<a b='&#9;&#x10FFFF;&lt;'>&amp;&#65;</a >",
    "<a\tb = 'c'\n d=\"e'f\"/>",
    "<é漢/>",
];

const REFUSED: &[&str] = &[
    "",
    "  ",
    "hello",
    "junk<a/>",
    "<a/>junk",
    "<a/><b/>",
    "<a>",
    "<a></b>",
    "</a>",
    "<a b='1' b='2'/>",
    "<a b='<'/>",
    "<a b=c/>",
    "<a b/>",
    "<a b='1'c='2'/>",
    "<a b='1/>",
    "<1a/>",
    "<a$/>",
    "< a/>",
    "<a>x ]]> y</a>",
    "<a>\u{1}</a>",
    "<a>\u{ffff}</a>",
    "<a>&#0;</a>",
    "<a>&#1;</a>",
    "<a>&#xD800;</a>",
    "<a>&#x110000;</a>",
    "<a>&#x;</a>",
    "<a>&#;</a>",
    "<a>x & y</a>",
    "<a b='x & y'/>",
    "<a>&foo;</a>",
    "<a b='&foo;'/>",
    "<a><!-- x -- y --></a>",
    "<a><!-- x </a>",
    "<a><![CDATA[ x </a>",
    "<a><?xml version='1.0'?></a>",
    " <?xml version='1.0'?><a/>",
    "<?xml version='9'?><a/>",
    "<?xml encoding='UTF-8'?><a/>",
    "<?xml version='1.0' encoding='bogus-enc'?><a/>",
    "<?xml version='1.0' standalone='maybe'?><a/>",
    "<!DOCTYPE a><!DOCTYPE a><a/>",
    "<a/><!DOCTYPE a>",
    "<![CDATA[x]]><a/>",
    "&amp;<a/>",
];

#[test]
fn accepted() {
    for text in ACCEPTED {
        if let Err(error) = Document::parse(text) {
            panic!("{text}: {error}");
        }
    }
}

#[test]
fn refused_with_a_line() {
    for text in REFUSED {
        assert!(refused(text), "{text}");
    }
}

#[test]
fn an_entity_is_flat_text_and_expands_once() {
    let document = Document::parse("<!DOCTYPE a [<!ENTITY foo 'bar'>]><a k='&foo;'>a&foo;b</a>").unwrap();
    assert_eq!(document.root().text(), "abarb");
    assert_eq!(document.root().attr("k").unwrap().value(), "bar");
}

#[test]
fn entities_cannot_multiply() {
    let mut text = String::from("<!DOCTYPE a [<!ENTITY e0 'aaaaaaaaaa'>");
    for level in 1..10 {
        let below = format!("&e{};", level - 1).repeat(10);
        text.push_str(&format!("<!ENTITY e{level} '{below}'>"));
    }
    text.push_str("]><a>&e9;</a>");
    assert!(refused(&text));
    let long = "x".repeat(10_000);
    let flat = format!("<!DOCTYPE a [<!ENTITY e '{long}'>]><a>{}</a>", "&e;".repeat(1000));
    assert!(refused(&flat));
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| format!("{}{}", "<x>".repeat(depth), "</x>".repeat(depth));
    assert!(!refused(&nested(256)));
    assert!(refused(&nested(300)));
    assert!(refused(&nested(100_000)));
    assert!(refused(&"<x>".repeat(100_000)));
}

#[test]
fn size_and_count_are_bounded() {
    assert!(refused(&format!("<a>{}</a>", "b".repeat(virtbus_xml::MAX_DOCUMENT))));
    assert!(refused(&format!("<a>{}</a>", "<b/>".repeat(virtbus_xml::MAX_NODES + 1))));
    assert!(refused(&format!("<a b='{}'/>", "x".repeat(10_000_001))));
    let many: String = (0..5000).map(|at| format!(" k{at}='v'")).collect();
    assert!(refused(&format!("<a{many}/>")));
}

#[test]
fn only_utf8_is_read() {
    let error = Document::parse_bytes(b"<a>\n\xe9</a>").unwrap_err();
    assert_eq!((error.kind, error.line), (ErrorKind::Malformed, 2));
    assert!(Document::parse_bytes(b"<a>\xc0\xaf</a>").is_err());
}

#[test]
fn line_breaks_and_blanks_are_normalized() {
    let document = Document::parse("<a k='x\r\ny\tz'>p\r\nq\rr</a>").unwrap();
    assert_eq!(document.root().attr("k").unwrap().value(), "x y z");
    assert_eq!(document.root().text(), "p\nq\nr");
}

#[test]
fn places_name_index_and_line() {
    let document = Document::parse("<a>\n<b/>\n<b>\n<c/></b></a>").unwrap();
    let second = document.root().children("b").nth(1).unwrap();
    assert_eq!(second.child("c").unwrap().path(), "a/b[2]/c");
    assert_eq!(second.line(), 3);
}

#[test]
fn what_nobody_asked_for_is_listed() {
    let document = Document::parse("<a k='1' l='2'><b/><b m='3'><c/></b></a>").unwrap();
    let root = document.root();
    assert!(root.attr("k").is_some() && root.child("b").is_some());
    let unknown: Vec<_> = document.unknown().into_iter().map(|it| it.path).collect();
    assert_eq!(unknown, ["a/@l", "a/b[2]"]);
    assert_eq!(document.refuse_unknown().unwrap_err().kind, ErrorKind::Unknown);
}
