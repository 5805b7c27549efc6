//! What is handed through to mount and to librados: the `fs:` and `rbd:` namespaces.

use virtbus_xml::Xml;

/// What a pool of files says to mount.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(xmlns = "fs")]
pub struct FsNamespace {
    #[xml(child = "fs:mount_opts", omit_empty)]
    pub mount_opts: Option<FsMountOptions>,
}

/// `<fs:mount_opts>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct FsMountOptions {
    #[xml(children = "fs:option")]
    pub options: Vec<FsOption>,
}

/// `<fs:option name='sync'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct FsOption {
    #[xml(attr)]
    pub name: String,
}

/// What a pool of Ceph says to librados.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
#[xml(xmlns = "rbd")]
pub struct RbdNamespace {
    #[xml(child = "rbd:config_opts", omit_empty)]
    pub config_opts: Option<RbdConfigOptions>,
}

/// `<rbd:config_opts>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct RbdConfigOptions {
    #[xml(children = "rbd:option")]
    pub options: Vec<RbdOption>,
}

/// `<rbd:option name='client_mount_timeout' value='45'/>`.
#[derive(Debug, Clone, PartialEq, Eq, Xml)]
pub struct RbdOption {
    #[xml(attr)]
    pub name: String,
    #[xml(attr)]
    pub value: String,
}
