//! The relay alone, for images made to measure it: `reach` without the rest of msctl.

use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            // A program of its own, with nothing but this to say.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("relay: {error}\n").as_bytes());
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<reach::relay::Ended, Box<dyn std::error::Error>> {
    let config = reach::relay::RelayConfig::from_env(|name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(reach::relay::serve(config))?)
}
