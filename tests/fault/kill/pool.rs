//! A pool and a volume: defined, started, made; deleted, destroyed, undefined.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use virtbus_proto::table::storage::{
    StoragePoolCreate, StoragePoolDefineXml, StoragePoolDestroy, StoragePoolIsActive, StoragePoolLookupByName,
    StoragePoolUndefine, StorageVolCreateXml, StorageVolDelete, StorageVolLookupByName,
};
use virtbus_proto::types::StoragePool;
use virtbus_tests::world::World;
use xtask::client::Client;

use super::super::code;
use super::{NAME, Subject};

const NO_STORAGE_POOL: i32 = 49;
const NO_STORAGE_VOL: i32 = 50;
const OPERATION_INVALID: i32 = 55;
/// Where the pool is; the calls are plain functions.
static TARGET: OnceLock<PathBuf> = OnceLock::new();

fn target() -> &'static Path {
    TARGET.get().unwrap()
}

#[test]
fn pools_and_volumes_are_not_lost() {
    let mut world = World::start();
    let directory = world.files().join("pool");
    std::fs::create_dir(&directory).unwrap();
    TARGET.set(directory).unwrap();
    let forgiven = &[OPERATION_INVALID, NO_STORAGE_VOL];
    let subject = Subject { daemon: "virtstoraged", uri: "storage:///system", stages: 3, call, seen, forgiven };
    subject.survives(&mut world);
    let left: Vec<_> = std::fs::read_dir(target()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(left.is_empty(), "files that nobody knows: {left:?}");
}

fn call(connection: &mut Client, number: usize) -> anyhow::Result<()> {
    if number == 0 {
        let xml =
            format!("<pool type='dir'><name>{NAME}</name><target><path>{}</path></target></pool>", target().display());
        return connection.call(&StoragePoolDefineXml { xml, flags: 0 }).map(drop);
    }
    let pool = lookup(connection)?;
    match number {
        1 => connection.call(&StoragePoolCreate { pool, flags: 0 }),
        2 => {
            let xml =
                "<volume><name>v</name><capacity>65536</capacity><target><format type='qcow2'/></target></volume>";
            connection.call(&StorageVolCreateXml { pool, xml: xml.to_owned(), flags: 0 }).map(drop)
        }
        3 => {
            let vol = connection.call(&StorageVolLookupByName { pool, name: "v".to_owned() })?.vol;
            connection.call(&StorageVolDelete { vol, flags: 0 })
        }
        4 => connection.call(&StoragePoolDestroy { pool }),
        _ => connection.call(&StoragePoolUndefine { pool }),
    }
}

fn lookup(connection: &mut Client) -> anyhow::Result<StoragePool> {
    Ok(connection.call(&StoragePoolLookupByName { name: NAME.into() })?.pool)
}

fn seen(connection: &mut Client) -> usize {
    let pool = match lookup(connection) {
        Err(why) if code(&why) == Some(NO_STORAGE_POOL) => return 0,
        Err(why) => panic!("{why:#}"),
        Ok(pool) => pool,
    };
    if connection.call(&StoragePoolIsActive { pool: pool.clone() }).unwrap().active == 0 {
        return 1;
    }
    match connection.call(&StorageVolLookupByName { pool, name: "v".to_owned() }) {
        Ok(_) => 3,
        Err(why) if code(&why) == Some(NO_STORAGE_VOL) => 2,
        Err(why) => panic!("{why:#}"),
    }
}
