//! `disconnect`: revoke and erase.

use hyper::Method;

use super::{Desk, End, ToolArgs};

pub(super) async fn run(desk: &Desk, args: &ToolArgs) -> anyhow::Result<End> {
    desk.screen.progress("asking the provider to end the grant…");
    let done = desk.door.call(Method::DELETE, &args.path(""), None).await;
    desk.screen.progress_over();
    let done = done?;
    desk.screen.object(done.clone())?;
    let said = match done["revocation"].as_str().unwrap_or_default() {
        "succeeded" => "The provider has ended the grant.",
        "already_gone" => "The provider knew nothing of the grant any more.",
        "pending" => "The provider did not end the grant yet; a running server asks again for three days.",
        "unsupported" => "The provider documents no way to end the grant; the person can do it there.",
        "shared" => "The grant stays: another connection stands on the same consent.",
        _ => "What became of the grant at the provider is not known.",
    };
    desk.screen.line(&format!("{} is disconnected; nobody gets its token any more. {said}", args.name()))?;
    Ok(End::Done)
}
