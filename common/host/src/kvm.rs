//! What the kernel's KVM says of the host, asked at `/dev/kvm` itself. It runs no guest.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

// Numbers of the kernel's ABI (linux/kvm.h): type 0xAE, `_IO` unless said otherwise.
const CREATE_VM: libc::Ioctl = 0xAE01;
const CHECK_EXTENSION: libc::Ioctl = 0xAE03;
const CREATE_VCPU: libc::Ioctl = 0xAE41;
const GET_TSC_KHZ: libc::Ioctl = 0xAEA3;
/// `_IOWR` of the 8 bytes before the entries.
const GET_MSRS: libc::Ioctl = 0xC008_AE88_u32 as libc::Ioctl;

const CAP_NR_VCPUS: libc::c_ulong = 9;
const CAP_TSC_CONTROL: libc::c_ulong = 60;
const CAP_MAX_VCPUS: libc::c_ulong = 66;

/// The clock of the CPU's time-stamp counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tsc {
    /// In kHz.
    pub khz: u32,
    /// Whether a guest can be shown another frequency.
    pub scaling: bool,
}

/// An open `/dev/kvm`.
#[derive(Debug)]
pub struct Kvm {
    device: File,
}

impl Kvm {
    /// Opens `/dev/kvm`.
    ///
    /// # Errors
    /// When it is not there or may not be opened.
    pub fn open() -> io::Result<Self> {
        Ok(Self { device: OpenOptions::new().read(true).write(true).open("/dev/kvm")? })
    }

    /// The most vCPUs of a guest.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn max_vcpus(&self) -> io::Result<u32> {
        // A kernel before 3.4 knows the recommended number only.
        let most = match call(self.device.as_fd(), CHECK_EXTENSION, CAP_MAX_VCPUS)? {
            0 => call(self.device.as_fd(), CHECK_EXTENSION, CAP_NR_VCPUS)?,
            most => most,
        };
        Ok(u32::try_from(most).unwrap_or(0))
    }

    /// The time-stamp counter's clock. Makes a virtual machine for a moment: the kernel tells it of a vCPU only.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn tsc(&self) -> io::Result<Tsc> {
        let machine = owned(call(self.device.as_fd(), CREATE_VM, 0)?);
        let vcpu = owned(call(machine.as_fd(), CREATE_VCPU, 0)?);
        let khz = call(vcpu.as_fd(), GET_TSC_KHZ, 0)?;
        let scaling = call(self.device.as_fd(), CHECK_EXTENSION, CAP_TSC_CONTROL)? > 0;
        Ok(Tsc { khz: u32::try_from(khz).unwrap_or(0), scaling })
    }

    /// What a guest would read from a model-specific register that describes the CPU.
    ///
    /// # Errors
    /// When the kernel refuses; `NotFound` when there is no such register.
    pub fn feature_msr(&self, index: u32) -> io::Result<u64> {
        #[repr(C)]
        struct Msrs {
            count: u32,
            pad: u32,
            index: u32,
            reserved: u32,
            data: u64,
        }
        let mut msrs = Msrs { count: 1, pad: 0, index, reserved: 0, data: 0 };
        // SAFETY: the kernel reads the 8 bytes of the head and reads and writes the one entry it announces, all within `msrs`,
        // which has the layout of struct kvm_msrs (repr(C), no implicit padding) and outlives the call.
        #[allow(unsafe_code)]
        let read = unsafe { libc::ioctl(self.device.as_raw_fd(), GET_MSRS, std::ptr::from_mut(&mut msrs)) };
        match read {
            1 => Ok(msrs.data),
            0 => Err(io::ErrorKind::NotFound.into()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn call(fd: BorrowedFd<'_>, request: libc::Ioctl, argument: libc::c_ulong) -> io::Result<libc::c_int> {
    // SAFETY: `fd` is open for the call, and the requests of this module that come here take a plain number as argument.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us (KVM_CREATE_VM and KVM_CREATE_VCPU, both close-on-exec) and
    // nobody else has it.
    #[allow(unsafe_code)]
    unsafe {
        OwnedFd::from_raw_fd(fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_working_kvm_answers() {
        // Not every host that builds this has KVM; what it says where it is must make sense.
        let Ok(kvm) = Kvm::open() else { return };
        assert!(kvm.max_vcpus().expect("a number") > 0);
        if let Ok(tsc) = kvm.tsc() {
            assert!(tsc.khz > 0);
        }
        assert!(kvm.feature_msr(0xdead_beef).is_err());
    }
}
