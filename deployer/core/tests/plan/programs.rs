//! Which programs run on a blueprint's instances, and how others have to be built.

use deployer_core::binary::{Architecture, Program, Version};
use deployer_core::plan::static_build;

use crate::world::World;

fn built(architecture: Architecture, minor: u32) -> Program {
    Program {
        architecture,
        needs_glibc: Some(Version { major: 2, minor }),
    }
}

#[test]
fn programs_that_run_on_every_instance_are_taken_as_they_are() {
    let World { blueprint, .. } = World::built();
    let own = built(Architecture::X86_64, 34);
    assert_eq!(static_build(&blueprint, Some(&own)), None);
    let own = Program {
        architecture: Architecture::X86_64,
        needs_glibc: None,
    };
    assert_eq!(static_build(&blueprint, Some(&own)), None);
}

#[test]
fn for_an_older_system_another_processor_and_from_another_system_they_are_static() {
    let World { mut blueprint, .. } = World::built();
    let newer = built(Architecture::X86_64, 39);
    let arm = built(Architecture::Aarch64, 17);
    for own in [Some(&newer), Some(&arm), None] {
        let wanted = static_build(&blueprint, own);
        assert_eq!(wanted, Some(Architecture::X86_64), "{own:?}");
    }
    let machines = blueprint.instances.values_mut().map(|i| &mut i.machine);
    let machines = machines.chain(blueprint.pools.values_mut().map(|p| &mut p.machine));
    machines.for_each(|machine| *machine = "t4g.micro".to_owned());
    let wanted = static_build(&blueprint, Some(&newer));
    assert_eq!(wanted, Some(Architecture::Aarch64));
    assert_eq!(static_build(&blueprint, Some(&arm)), None);
}

#[test]
fn nothing_runs_on_different_processors() {
    let World { mut blueprint, .. } = World::built();
    for pool in blueprint.pools.values_mut() {
        pool.machine = "t4g.micro".to_owned();
    }
    let own = built(Architecture::X86_64, 34);
    assert_eq!(static_build(&blueprint, Some(&own)), None);
}
