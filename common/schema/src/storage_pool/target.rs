//! `<target>` of a pool: where its volumes appear in the file system.

use virtbus_xml::Xml;

use super::Permissions;

/// `<target>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct PoolTarget {
    #[xml(child, default)]
    pub path: String,
    /// Of the directory, when it is made; of a running pool, as it is.
    #[xml(child, omit_empty)]
    pub permissions: Option<Permissions>,
}

/// A path with one slash where several stand together and none at the end. Two at the front stay two, and what
/// is a URL stays as it is; the reference tidies the same way.
#[must_use]
pub fn tidy_path(path: &str) -> String {
    if path.contains("://") {
        return path.to_owned();
    }
    let rest = path.trim_start_matches('/');
    let root = match path.len() - rest.len() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let parts: Vec<&str> = rest.split('/').filter(|it| !it.is_empty()).collect();
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::tidy_path;

    #[test]
    fn slashes_are_tidied() {
        let cases = [
            ("/", "/"),
            ("//", "//"),
            ("///", "/"),
            ("", ""),
            ("//a//b/", "//a/b"),
            ("///a", "/a"),
            ("a/b//c/", "a/b/c"),
            ("/a/../b/.", "/a/../b/."),
            ("nbd://a//b", "nbd://a//b"),
        ];
        for (given, tidied) in cases {
            assert_eq!(tidy_path(given), tidied);
        }
    }
}
