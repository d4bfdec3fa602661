//! Who reaches a deployment, by the rules of its security groups.

use std::net::TcpStream;

use crate::laptop::Laptop;

#[test]
fn a_deployment_that_lets_others_in_is_up_and_says_why_it_is_silent_here() {
    let laptop = Laptop::new();
    laptop.edit("from: my-ip }", "from: 203.0.113.0/24 }");
    let said = laptop.up();
    let told = "elastic-cache is up, but not reachable from here: port 5000 stays silent; \
                the rule allows 203.0.113.0/24, you are 127.0.0.1.";
    assert!(said.out.contains(told), "{}", said.out);

    laptop.edit("from: 203.0.113.0/24 }", "from: [203.0.113.0/24, my-ip] }");
    let said = laptop.up();
    assert!(said.out.contains("elastic-cache is up ("), "{}", said.out);
    let front_end = laptop.front_end();
    let address = front_end.strip_prefix("http://").unwrap();
    assert!(address.starts_with("127.78."), "{address}");
    TcpStream::connect(address).unwrap();
    laptop.down_to_zero();
    assert!(
        TcpStream::connect(address).is_err(),
        "something listens there still"
    );
}
