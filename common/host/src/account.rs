//! Users and groups by name or number.
//!
//! As in libvirt's configuration: a name is looked up first; digits that are no name, or digits after `+`, are a number.
//! Lookups go through the host's name service and may block on it (LDAP): not for a request path.

use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use nix::unistd::{Gid, Group, Uid, User};

/// What is known of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name, if the number has one.
    pub name: Option<String>,
    /// User id.
    pub uid: u32,
    /// Primary group, where the user is known by the host.
    pub gid: Option<u32>,
    /// Home directory, likewise.
    pub home: Option<PathBuf>,
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self { name: Some(user.name), uid: user.uid.as_raw(), gid: Some(user.gid.as_raw()), home: Some(user.dir) }
    }
}

/// The user `name`, or `None` if there is none such. A bare number is accepted even where no user has it.
///
/// # Errors
/// When the name service fails.
pub fn user(name: &str) -> io::Result<Option<Account>> {
    if let Some(number) = name.strip_prefix('+') {
        return number.parse().ok().map(user_by_id).transpose();
    }
    if let Some(user) = User::from_name(name)? {
        return Ok(Some(user.into()));
    }
    name.parse().ok().map(user_by_id).transpose()
}

/// The user with this number.
///
/// # Errors
/// When the name service fails.
pub fn user_by_id(uid: u32) -> io::Result<Account> {
    let known = User::from_uid(Uid::from_raw(uid))?;
    Ok(known.map_or(Account { name: None, uid, gid: None, home: None }, Account::from))
}

/// The id of group `name`, or `None` if there is none such; numbers as for [`user`].
///
/// # Errors
/// When the name service fails.
pub fn group(name: &str) -> io::Result<Option<u32>> {
    if let Some(number) = name.strip_prefix('+') {
        return Ok(number.parse().ok());
    }
    match Group::from_name(name)? {
        Some(group) => Ok(Some(group.gid.as_raw())),
        None => Ok(name.parse().ok()),
    }
}

/// The name of group `gid`, if it has one.
///
/// # Errors
/// When the name service fails.
pub fn group_name(gid: u32) -> io::Result<Option<String>> {
    Ok(Group::from_gid(Gid::from_raw(gid))?.map(|group| group.name))
}

/// All groups of `account` when it acts with primary group `gid`, that one included.
///
/// # Errors
/// When the name service fails.
pub fn groups_of(account: &Account, gid: u32) -> io::Result<Vec<u32>> {
    let Some(name) = &account.name else { return Ok(vec![gid]) };
    let name = CString::new(name.as_str())?;
    let mut groups: Vec<u32> =
        nix::unistd::getgrouplist(&name, Gid::from_raw(gid))?.into_iter().map(Gid::as_raw).collect();
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let root = user("root").expect("answers").expect("known");
        assert_eq!((root.uid, root.gid), (0, Some(0)));
        assert_eq!(user("+4000000").expect("answers").expect("a number").uid, 4_000_000);
        assert_eq!(user("4000000").expect("answers").expect("a number").name, None);
        assert_eq!(user("no such user").expect("answers"), None);
        assert_eq!(group("root").expect("answers"), Some(0));
        assert_eq!(group("+x").expect("answers"), None);
        assert_eq!(group_name(0).expect("answers").as_deref(), Some("root"));
        assert!(groups_of(&root, 0).expect("answers").contains(&0));
    }
}
