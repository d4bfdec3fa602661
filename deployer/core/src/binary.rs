//! Will a program built here run there? An instance has another processor and an older C library
//! than the machine that built the program; the plan says so before anything is made.

use std::fmt;

use object::elf;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{Endianness, FileKind};

use crate::blueprint::BaseImage;

/// The instruction set of a program or a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit x86, `x86_64`.
    X86_64,
    /// 64-bit ARM, `aarch64` (AWS writes arm64).
    Aarch64,
}

impl Architecture {
    /// The name as Rust's targets have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64",
            Architecture::Aarch64 => "aarch64",
        }
    }

    /// Rust's target for programs that need nothing of a system but its kernel.
    #[must_use]
    pub fn static_target(self) -> &'static str {
        match self {
            Architecture::X86_64 => "x86_64-unknown-linux-musl",
            Architecture::Aarch64 => "aarch64-unknown-linux-musl",
        }
    }

    /// What instances of that type have. Families of Graviton carry a `g` behind their generation.
    /// <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>
    #[must_use]
    pub fn of_machine(machine: &str) -> Self {
        let family = machine.split('.').next().unwrap_or("");
        let options = family
            .trim_start_matches(|c: char| c.is_ascii_alphabetic())
            .trim_start_matches(|c: char| c.is_ascii_digit());
        let options = options.split('-').next().unwrap_or("");
        if family == "a1" || options.contains('g') {
            Architecture::Aarch64
        } else {
            Architecture::X86_64
        }
    }
}

/// A version of glibc, for example 2.34.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 2.
    pub major: u32,
    /// For example 34.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The glibc that a base image has, for as long as that image exists.
/// <https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html>,
/// <https://packages.debian.org/bookworm/libc6>
#[must_use]
pub fn glibc_of(base: BaseImage) -> Version {
    match base {
        BaseImage::AmazonLinux2023 => Version {
            major: 2,
            minor: 34,
        },
        BaseImage::Debian12 => Version {
            major: 2,
            minor: 36,
        },
    }
}

/// What a program needs of the machine it runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its instruction set.
    pub architecture: Architecture,
    /// The glibc it needs at least; `None` if it is static and needs no library.
    pub needs_glibc: Option<Version>,
}

/// Why a file is not a program that an instance could run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAProgram {
    /// Not ELF: a script, an archive, a program for another system.
    #[error("it is not a Linux program (ELF)")]
    NotElf,
    /// A library or an object file.
    #[error("it is an ELF file, but not a program")]
    NotExecutable,
    /// For a processor that no instance of ours has.
    #[error("it is a program for another processor than x86_64 and aarch64")]
    Architecture,
    /// Damaged or cut short.
    #[error("it is damaged: {0}")]
    Damaged(object::read::Error),
    /// It loads another C library than glibc, which the base images do not have.
    #[error("it loads `{0}`, which the base images do not have; link it statically")]
    Loader(String),
}

/// Why a program does not run on an instance. `Display` says it with the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The instance has another processor.
    #[error(
        "it is built for {}, and {machine} has {}; {}",
        built.as_str(), wanted.as_str(), way_out(*wanted)
    )]
    Architecture {
        /// What it is built for.
        built: Architecture,
        /// What the machine has.
        wanted: Architecture,
        /// The instance type.
        machine: String,
    },
    /// The instance has an older glibc.
    #[error(
        "it needs glibc {needs}, and {} has {has}; {}",
        base.as_str(), way_out(*architecture)
    )]
    Glibc {
        /// What it needs.
        needs: Version,
        /// What the system has.
        has: Version,
        /// The system.
        base: BaseImage,
        /// The program's instruction set, for the hint.
        architecture: Architecture,
    },
}

/// How to get a program that needs nothing of the system but its kernel.
fn way_out(architecture: Architecture) -> String {
    format!("one built for {} runs there", architecture.static_target())
}

impl Program {
    /// Does it run on an instance of that type that starts from that system?
    ///
    /// # Errors
    /// What is in the way.
    pub fn runs_on(&self, machine: &str, base: BaseImage) -> Result<(), Problem> {
        let (built, wanted) = (self.architecture, Architecture::of_machine(machine));
        if built != wanted {
            return Err(Problem::Architecture {
                built,
                wanted,
                machine: machine.to_owned(),
            });
        }
        let has = glibc_of(base);
        match self.needs_glibc {
            Some(needs) if needs > has => Err(Problem::Glibc {
                needs,
                has,
                base,
                architecture: built,
            }),
            _ => Ok(()),
        }
    }
}

/// Reads what a program needs from its ELF headers: the versions of glibc's symbols that it asks
/// for (`.gnu.version_r`), of which the newest counts.
/// <https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html>
///
/// # Errors
/// When it is not a program, or not one for our machines.
pub fn inspect(bytes: &[u8]) -> Result<Program, NotAProgram> {
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf64) => {}
        Ok(FileKind::Elf32) => return Err(NotAProgram::Architecture),
        _ => return Err(NotAProgram::NotElf),
    }
    let header = elf::FileHeader64::<Endianness>::parse(bytes).map_err(NotAProgram::Damaged)?;
    let endian = header.endian().map_err(NotAProgram::Damaged)?;
    let architecture = match header.e_machine(endian) {
        elf::EM_X86_64 => Architecture::X86_64,
        elf::EM_AARCH64 => Architecture::Aarch64,
        _ => return Err(NotAProgram::Architecture),
    };
    // A position independent program has the type of a library; its entry tells it from one.
    let program = matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN);
    if !program || header.e_entry(endian) == 0 {
        return Err(NotAProgram::NotExecutable);
    }
    let needs_glibc = match loader(header, endian, bytes)? {
        None => None,
        Some(loader) if loader.contains("ld-linux") => {
            Some(newest_glibc(header, endian, bytes).map_err(NotAProgram::Damaged)?)
        }
        Some(loader) => return Err(NotAProgram::Loader(loader)),
    };
    Ok(Program {
        architecture,
        needs_glibc,
    })
}

type Header = elf::FileHeader64<Endianness>;

/// The program that loads the libraries (PT_INTERP); a static program has none.
fn loader(
    header: &Header,
    endian: Endianness,
    bytes: &[u8],
) -> Result<Option<String>, NotAProgram> {
    for segment in header
        .program_headers(endian, bytes)
        .map_err(NotAProgram::Damaged)?
    {
        if let Some(path) = segment
            .interpreter(endian, bytes)
            .map_err(NotAProgram::Damaged)?
        {
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}

fn newest_glibc(
    header: &Header,
    endian: Endianness,
    bytes: &[u8],
) -> object::read::Result<Version> {
    let sections = header.sections(endian, bytes)?;
    // A dynamic program that names no version runs with any.
    let mut newest = Version { major: 2, minor: 0 };
    let Some((mut libraries, link)) = sections.gnu_verneed(endian, bytes)? else {
        return Ok(newest);
    };
    let names = sections.strings(endian, bytes, link)?;
    while let Some((_, mut versions)) = libraries.next()? {
        while let Some(version) = versions.next()? {
            let name = version.name(endian, names)?;
            newest = newest.max(glibc_version(name).unwrap_or(newest));
        }
    }
    Ok(newest)
}

/// The version in the name of a version, as in `GLIBC_2.34`; others have none.
fn glibc_version(name: &[u8]) -> Option<Version> {
    let name = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?;
    if name == "ABI_DT_RELR" {
        // Not a number, but the first glibc that has it is: <https://sourceware.org/glibc/wiki/Release/2.36>
        return Some(Version {
            major: 2,
            minor: 36,
        });
    }
    let mut numbers = name.split('.').map(str::parse::<u32>);
    let major = numbers.next()?.ok()?;
    Some(Version {
        major,
        minor: numbers.next()?.ok()?,
    })
}
