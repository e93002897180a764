//! `chaos`: see the library.

fn main() -> std::process::ExitCode {
    chaos::cli::main()
}
