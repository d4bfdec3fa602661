//! The AWS SDK behind the deployer.
