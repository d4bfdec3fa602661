//! What an instance wrote to its console.

use crate::account::Account;
use crate::error::{AwsError, During};

/// The console's last 64 KiB; empty while there is none.
///
/// # Errors
/// When EC2 does not answer, or what it answers is not base64.
pub async fn console(account: &Account, instance: &str) -> Result<String, AwsError> {
    let request = account
        .ec2
        .get_console_output()
        .instance_id(instance)
        .latest(true);
    let answer = request.send().await.during("GetConsoleOutput")?;
    let encoded = answer.output().unwrap_or_default();
    let decoded = base64_simd::STANDARD.decode_to_vec(encoded);
    let what = "reading the console's output".to_owned();
    let bytes = decoded.map_err(|e| AwsError::Here {
        what,
        source: Box::new(e),
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
