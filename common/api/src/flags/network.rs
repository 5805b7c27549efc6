//! Flag words about networks and ports.

use bitflags::bitflags;

bitflags! {
    /// Which networks a list holds; bits of one group are alternatives, groups add up.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NetworkFilter: u32 {
        /// `VIR_CONNECT_LIST_NETWORKS_INACTIVE`.
        const INACTIVE = 1 << 0;
        /// `VIR_CONNECT_LIST_NETWORKS_ACTIVE`.
        const ACTIVE = 1 << 1;
        /// `VIR_CONNECT_LIST_NETWORKS_PERSISTENT`.
        const PERSISTENT = 1 << 2;
        /// `VIR_CONNECT_LIST_NETWORKS_TRANSIENT`.
        const TRANSIENT = 1 << 3;
        /// `VIR_CONNECT_LIST_NETWORKS_AUTOSTART`.
        const AUTOSTART = 1 << 4;
        /// `VIR_CONNECT_LIST_NETWORKS_NO_AUTOSTART`.
        const NO_AUTOSTART = 1 << 5;
    }

    /// How a network's definition is taken.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NetworkDefineFlags: u32 {
        /// `VIR_NETWORK_DEFINE_VALIDATE`.
        const VALIDATE = 1 << 0;
    }

    /// How a network of a document is started.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NetworkCreateFlags: u32 {
        /// `VIR_NETWORK_CREATE_VALIDATE`.
        const VALIDATE = 1 << 0;
    }

    /// Which document of a network is meant.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NetworkXmlFlags: u32 {
        /// `VIR_NETWORK_XML_INACTIVE`.
        const INACTIVE = 1 << 0;
    }

    /// What an update changes; empty: the running network if it runs, else the definition.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NetworkUpdateFlags: u32 {
        /// `VIR_NETWORK_UPDATE_AFFECT_LIVE`.
        const LIVE = 1 << 0;
        /// `VIR_NETWORK_UPDATE_AFFECT_CONFIG`.
        const CONFIG = 1 << 1;
    }

    /// How a port is made.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PortCreateFlags: u32 {
        /// `VIR_NETWORK_PORT_CREATE_RECLAIM`: the port of a guest that already runs, taken up again as the document has it.
        const RECLAIM = 1 << 0;
        /// `VIR_NETWORK_PORT_CREATE_VALIDATE`.
        const VALIDATE = 1 << 1;
    }
}
