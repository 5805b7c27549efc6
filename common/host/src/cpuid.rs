//! What the CPU says of itself (x86): the registers of the CPUID instruction. It refuses to know what the bits mean.

/// The registers EAX, EBX, ECX, EDX for a leaf and sub-leaf; `None` where the CPU has no CPUID.
///
/// Which CPU answers is the scheduler's choice: leaves that differ from CPU to CPU (APIC ids) are not to be relied on.
#[must_use]
#[allow(clippy::missing_const_for_fn)]
pub fn leaf(eax: u32, ecx: u32) -> Option<[u32; 4]> {
    #[cfg(target_arch = "x86_64")]
    {
        let it = core::arch::x86_64::__cpuid_count(eax, ecx);
        Some([it.eax, it.ebx, it.ecx, it.edx])
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (eax, ecx);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendor_is_text() {
        let Some([_, ebx, ecx, edx]) = leaf(0, 0) else { return };
        let text: Vec<u8> = [ebx, edx, ecx].iter().flat_map(|it| it.to_le_bytes()).collect();
        assert!(text.iter().all(u8::is_ascii), "{text:?}");
    }
}
