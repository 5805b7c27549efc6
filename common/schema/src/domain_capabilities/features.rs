//! `<features>` of the domain capabilities.

use virtbus_xml::{Size, Xml};

use super::{Capable, Supported};

/// `<features>`; an absent one is not spoken of for that architecture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct CapableFeatures {
    #[xml(child)]
    pub gic: Option<Capable>,
    #[xml(child)]
    pub vmcoreinfo: Option<Supported>,
    #[xml(child)]
    pub genid: Option<Supported>,
    #[xml(child = "backingStoreInput")]
    pub backing_store_input: Option<Supported>,
    #[xml(child)]
    pub backup: Option<Supported>,
    #[xml(child = "async-teardown")]
    pub async_teardown: Option<Supported>,
    #[xml(child = "s390-pv")]
    pub s390_pv: Option<Supported>,
    #[xml(child)]
    pub ps2: Option<Supported>,
    #[xml(child)]
    pub sev: Option<Sev>,
    #[xml(child)]
    pub sgx: Option<Sgx>,
    #[xml(child)]
    pub hyperv: Option<Capable>,
    #[xml(child = "launchSecurity")]
    pub launch_security: Option<Capable>,
}

/// `<sev>`: what AMD SEV offers where it can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Xml)]
pub struct Sev {
    #[xml(flatten)]
    pub supported: Supported,
    #[xml(child)]
    pub cbitpos: Option<u32>,
    #[xml(child = "reducedPhysBits")]
    pub reduced_phys_bits: Option<u32>,
    #[xml(child = "maxGuests")]
    pub max_guests: Option<u32>,
    #[xml(child = "maxESGuests")]
    pub max_es_guests: Option<u32>,
}

/// `<sgx>`: what Intel SGX offers where it can be had.
#[derive(Debug, Clone, PartialEq, Eq, Default, Xml)]
pub struct Sgx {
    #[xml(flatten)]
    pub supported: Supported,
    #[xml(child)]
    pub flc: Option<String>,
    #[xml(child)]
    pub sgx1: Option<String>,
    #[xml(child)]
    pub sgx2: Option<String>,
    #[xml(child = "section_size")]
    pub section_size: Option<Size>,
}
