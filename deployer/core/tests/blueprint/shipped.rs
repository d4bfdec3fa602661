//! Every blueprint in the folder, read with the files it names.

use std::path::{Path, PathBuf};

use deployer_core::blueprint::{self, Files, Policy, Service, Source};

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.join(name))
    }
}

#[test]
fn every_shipped_blueprint_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../blueprints");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        count += 1;
        let bytes = std::fs::read(&path).unwrap();
        let name = path.display().to_string();
        if let Err(problems) = blueprint::read(&name, &bytes, &Folder(folder.clone())) {
            panic!("{problems}");
        }
    }
    assert!(count > 0, "there is no blueprint in {}", folder.display());
}

#[test]
fn the_elastic_cache_is_what_its_file_says() {
    let blueprint = super::read(&super::sample()).unwrap();
    assert_eq!(blueprint.name.as_str(), "elastic-cache");
    let cache = &blueprint.pools[&"cache".parse().unwrap()];
    assert_eq!(cache.capacity, 64 << 20);
    assert_eq!(cache.policy, Policy::Lru);
    assert_eq!(
        (cache.size.min, cache.size.max, cache.size.start),
        (1, 8, 1)
    );
    assert!(!cache.scaling.automatic);
    let door = &blueprint.security_groups[&"door".parse().unwrap()].ingress[0];
    assert_eq!((door.first_port, door.last_port), (5000, 5001));
    assert_eq!(door.from, Source::MyIp);
    let manager = &blueprint.instances[&"manager".parse().unwrap()];
    let services = [Service::FrontEnd, Service::Manager, Service::Scaler];
    assert_eq!(manager.services, services);
    let image = &blueprint.images[&"node".parse().unwrap()];
    assert_eq!(image.recipe.programs, ["boot", "teardown", "cache-node"]);
    assert!(image.recipe.run.is_empty());
}

#[test]
fn line_ends_and_a_byte_order_mark_do_not_matter() {
    let text = super::sample();
    let expected = super::read(&text).unwrap();
    assert_eq!(super::read(&text.replace('\n', "\r\n")).unwrap(), expected);
    assert_eq!(super::read(&format!("\u{feff}{text}")).unwrap(), expected);
}
