//! The `tagboat` program: the command line, and nothing else.

fn main() -> std::process::ExitCode {
    tagboat::cli::main()
}
