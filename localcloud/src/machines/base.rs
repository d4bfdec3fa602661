//! The root folder of a base image: folders, a name, and the shims that keep the host safe.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Distribution;

const FOLDERS: [(&str, u32); 11] = [
    ("etc/systemd/system/multi-user.target.wants", 0o755),
    ("home", 0o755),
    ("opt", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("usr/bin", 0o755),
    ("usr/sbin", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
];

/// First on the PATH of everything on an instance: scripts that say `poweroff` or `systemctl` mean
/// the instance, not the machine it runs on.
const SHIMS: [(&str, &str); 6] = [
    ("usr/bin/cloud-init", include_str!("../../base/cloud-init")),
    ("usr/bin/systemctl", include_str!("../../base/systemctl")),
    ("usr/sbin/halt", include_str!("../../base/poweroff")),
    ("usr/sbin/poweroff", include_str!("../../base/poweroff")),
    ("usr/sbin/reboot", include_str!("../../base/reboot")),
    ("usr/sbin/shutdown", include_str!("../../base/shutdown")),
];

/// Fills a new root folder.
pub(super) fn make(root: &Path, distribution: Distribution) -> io::Result<()> {
    for (name, mode) in FOLDERS {
        let folder = root.join(name);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(mode))?;
    }
    for (name, script) in SHIMS {
        let file = root.join(name);
        fs::write(&file, script)?;
        fs::set_permissions(&file, Permissions::from_mode(0o755))?;
    }
    fs::write(root.join("etc/os-release"), os_release(distribution))?;
    fs::set_permissions(root, Permissions::from_mode(0o755))
}

fn os_release(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::AmazonLinux2023 => {
            "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n\
             PRETTY_NAME=\"Amazon Linux 2023 (localcloud)\"\n"
        }
        Distribution::Debian12 => {
            "NAME=\"Debian GNU/Linux\"\nVERSION=\"12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n\
             PRETTY_NAME=\"Debian GNU/Linux 12 (localcloud)\"\n"
        }
    }
}
